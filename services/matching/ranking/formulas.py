"""Every rule and every term of a (worker, request) pair, once, in whole numbers.

Each formula takes plain Python ints (explanation, the reference), numpy arrays of int64 (the numpy twin) and numba's
integers (the kernel) alike, so it uses only operators that mean the same in all three: no `and`, `or`, `if`, `min`, and
`//` only on numbers that are never negative. Its parameters are names of facts: columns of the worker, of the request,
figures, or measures of the pair (`measures.py`). docs/ranking.md says each formula in words.
"""

from __future__ import annotations

from typing import Any

Number = Any
"""An int, or an array of int64."""
Truth = Any
"""A bool, or an array of bool."""


def registration(registered: Number, registration_needed: Number) -> Truth:
    """A registered worker where the service kind needs one."""
    return registered >= registration_needed


def field(proficiency: Number) -> Truth:
    """The worker serves the request's field."""
    return proficiency > 0


def free_capacity(free: Number) -> Truth:
    """The worker has a free place this week."""
    return free > 0


def no_conflict(conflict: Number) -> Truth:
    """No declared conflict of interest with the person or household."""
    return conflict == 0


def not_excluded(excluded: Number) -> Truth:
    """The worker has not declined this request already and no officer has left them out."""
    return excluded == 0


def language(languages: Number, languages_needed: Number) -> Truth:
    """The worker speaks every language or dialect that is needed."""
    return (languages & languages_needed) == languages_needed


def sex(sex: Number, sex_wanted: Number) -> Truth:
    """The worker is of the sex asked for; 0 asks for none."""
    return (sex_wanted == 0) | (sex == sex_wanted)


def level(level: Number, min_level: Number) -> Truth:
    """The worker's level is at least the one needed."""
    return level >= min_level


def times(overlap_slots: Number, slots_wanted: Number) -> Truth:
    """At least one common slot, if the request names times."""
    return (slots_wanted == 0) | (overlap_slots > 0)


def distance(distance_m: Number, limit_m: Number) -> Truth:
    """Within the field's limit, the limit included."""
    return distance_m <= limit_m


def jurisdiction(inside: Number, cross_area: Number, cross_area_allowed: Number) -> Truth:
    """The worker's area covers the request's division, or the worker gives 跨区支援 and the request allows it."""
    return (inside + cross_area * cross_area_allowed) > 0


def proficiency_points(
    proficiency: Number, proficiency_1_points: Number, proficiency_2_points: Number, proficiency_3_points: Number
) -> Number:
    """Points by the worker's proficiency in the field, 1 to 3."""
    return (
        (proficiency == 1) * proficiency_1_points
        + (proficiency == 2) * proficiency_2_points
        + (proficiency == 3) * proficiency_3_points
    )


def distance_points(distance_m: Number, limit_m: Number, nearest_points: Number) -> Number:
    """All points at 0 m, none at the limit: points - (points * metres) // limit; nothing beyond the limit."""
    return (distance_m <= limit_m) * (nearest_points - (nearest_points * distance_m) // limit_m)


def capacity_points(free: Number, capacity: Number, all_free_points: Number) -> Number:
    """The share of the capacity that is free, rounded down: points * free // capacity; nothing if none is free."""
    return (free > 0) * ((all_free_points * free * (free > 0)) // (capacity + (capacity == 0)))


def continuity_points(earlier: Number, earlier_points: Number) -> Number:
    """The worker served this person or household before."""
    return earlier * earlier_points


def offered_points(offered: Number, offered_points: Number) -> Number:
    """The worker has the request as an offer that is not answered yet: it moves only for a gain of as many points."""
    return offered * offered_points


def language_points(
    languages: Number, languages_needed: Number, languages_wished: Number, asked_language_points: Number
) -> Number:
    """The worker speaks a language or dialect that was asked for, needed or only wished."""
    return ((languages & (languages_needed | languages_wished)) != 0) * asked_language_points


def level_points(level: Number, min_level: Number, exact_level_points: Number) -> Number:
    """The level is exactly the one needed, so that a rarer level stays free for who needs it."""
    return (level == min_level) * exact_level_points


def availability_points(overlap_slots: Number, slot_points: Number, slots_most_points: Number) -> Number:
    """Points an overlapping slot, up to a most."""
    return overlap_slots * slot_points - ((overlap_slots * slot_points) > slots_most_points) * (
        overlap_slots * slot_points - slots_most_points
    )
