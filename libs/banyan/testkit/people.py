"""Generated people for tests and demos: valid in every check, true of nobody, and each says that it is generated.

The same seed, number and villages give the same people on every Python version, for only `random()` is drawn. Phones
lie in 154, a prefix that has not been assigned to persons ‡. Resident numbers take sequences 700-989, which no county
reaches on one day ‡; a real number can still not be ruled out, so generated people never leave tests and demos.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any

from banyan.kernel.documents import FEMALE, MALE, check_character
from banyan.testkit import people_words as words

BORN_FROM = date(1962, 1, 1)
BORN_DAYS = 14_975  # until the end of 2002
PASSED_FROM = date(2008, 9, 1)
PASSED_UNTIL = date(2025, 9, 1)
FIRST_SEQUENCE, SEQUENCES = 700, 290


def people(seed: int, n: int, villages: Sequence[str]) -> Iterator[dict[str, Any]]:
    """n people with homes spread over the villages; keys are those of a registration, `generated` says what they are.

    At most 11 million, the phones of one prefix."""
    if not villages:
        raise ValueError("people need villages to live in")
    draw = _Draw(Random(seed))
    taken: set[str] = set()
    for at in range(n):
        home = draw.one(villages)
        sex = FEMALE if draw.chance(0.78) else MALE
        born = BORN_FROM + timedelta(days=draw.below(BORN_DAYS))
        yield {
            "generated": True,
            "name": draw.name(sex),
            "sex": sex,
            "birth_date": born,
            **_document(draw, taken, home, born, sex),
            "phone": f"+86154{(at * 7_919 + seed * 104_729) % 100_000_000:08d}",
            "home_division": home,
            "ethnicity": draw.weighted(words.ETHNICITIES),
            "education": draw.weighted(words.EDUCATIONS),
            "political_status": draw.weighted(words.POLITICAL_STATUSES),
            "languages": _languages(draw, home),
            "fields": draw.several(words.FIELDS, 3),
            "weekly_capacity": 2 + draw.below(9),
            **_employment(draw),
            **_standing(draw, born, at),
        }


class _Draw:
    """Choices from one stream of random(), whose values Python promises to keep."""

    def __init__(self, random: Random) -> None:
        self.random = random.random

    def chance(self, share: float) -> bool:
        return self.random() < share

    def below(self, limit: int) -> int:
        return int(self.random() * limit)

    def one(self, options: Sequence[str]) -> str:
        return options[int(self.random() * len(options))]

    def weighted(self, options: Sequence[tuple[str, float]]) -> str:
        left = self.random() * sum(weight for _, weight in options)
        for option, weight in options:
            left -= weight
            if left < 0:
                return option
        return options[-1][0]

    def several(self, options: Sequence[tuple[str, float]], most: int) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.weighted(options) for _ in range(1 + self.below(most))))

    def name(self, sex: str) -> str:
        if self.chance(0.0006):
            return self.one(words.RARE_NAMES)
        given = words.GIVEN_FEMALE if sex == FEMALE else words.GIVEN_MALE
        two = self.one(given) if self.chance(0.82) else ""
        return self.weighted(words.SURNAMES) + self.one(given) + two


def _document(draw: _Draw, taken: set[str], home: str, born: date, sex: str) -> dict[str, str]:
    """A document that agrees with birth and sex: a resident ID, seldom the residence permit of a Taiwan resident."""
    from_taiwan = draw.chance(0.002)
    region = "830000" if from_taiwan else words.REGION_BEFORE.get(home[:6], home[:6])
    while True:
        sequence = FIRST_SEQUENCE + draw.below(SEQUENCES // 2) * 2 + (sex == MALE)
        body = f"{region}{born:%Y%m%d}{sequence:03d}"
        if body not in taken:
            break
        if not draw.chance(0.9):
            region = draw.one(words.OTHER_REGIONS)
    taken.add(body)
    kind = "hmt_residence_permit" if from_taiwan else "resident_id"
    return {"document_kind": kind, "document_number": body + check_character(body)}


def _languages(draw: _Draw, home: str) -> tuple[str, ...]:
    """Mandarin, mostly the speech of the home county too, seldom another one or sign language."""
    local = words.LANGUAGE_OF_COUNTY.get(home[:6]) or words.LANGUAGE_OF_CITY.get(home[:4], "mandarin")
    spoken = ["mandarin"]
    if draw.chance(0.8):
        spoken.append(local)
    if draw.chance(0.08):
        spoken.append(draw.weighted(words.OTHER_LANGUAGES))
    return tuple(dict.fromkeys(spoken))


def _employment(draw: _Draw) -> dict[str, str]:
    kind = draw.weighted(words.EMPLOYER_KINDS)
    return {"employer_kind": kind, "post": words.POSTS[kind]}


def _standing(draw: _Draw, born: date, at: int) -> dict[str, Any]:
    """Level and certificate, or the other ground for being counted; `registered` says whether a period runs."""
    level = draw.weighted(words.LEVELS)
    if level == "none":
        basis = "degree" if draw.chance(0.4) else "trained"
        return {"level": level, "talent_basis": basis, "certificate": None, "registered": False}
    earliest = max(PASSED_FROM, date(born.year + 22, 9, 1))
    passed = earliest + timedelta(days=draw.below((PASSED_UNTIL - earliest).days))
    return {
        "level": level,
        "talent_basis": "certificate",
        "certificate": {"level": level, "number": f"GEN{at:011d}", "passed_on": passed},
        "registered": draw.chance(0.7),
    }
