"""A duty roster 值班表: who is called in a division, from when to when, in which order."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, ClassVar

from msgspec.structs import replace

from banyan.contracts.matching import OpenRoster, RosterSet, SetRoster
from banyan.contracts.matching_shapes import Turn
from banyan.kernel.context import Context
from banyan.kernel.decision import Aggregate, decides
from banyan.kernel.refusal import Refused


class Roster(Aggregate, frozen=True, kw_only=True):
    """The one roster of a division."""

    kind: ClassVar[str] = "roster"
    prefix: ClassVar[str] = "r"

    turns: tuple[Turn, ...]

    def on_duty(self, day: date) -> tuple[str, ...]:
        """The accounts on duty on a day, in the order they are called."""
        today = [turn for turn in self.turns if turn.since <= day <= turn.until]
        return tuple(dict.fromkeys(turn.account for turn in sorted(today, key=lambda t: (t.rank, t.since, t.account))))

    def next_change(self, day: date) -> date | None:
        """The next day after this one on which somebody else, or nobody, is on duty; None where it stays so for ever."""
        turns = {turn.since for turn in self.turns} | {turn.until + timedelta(days=1) for turn in self.turns}
        later = sorted(one for one in turns if one > day)
        return next((one for one in later if self.on_duty(one) != self.on_duty(day)), None)


def _sound(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """Refuses `bad_turn` for a turn of nobody, or one that ends before it begins."""
    for number, turn in enumerate(turns, 1):
        if not turn.account.strip() or turn.until < turn.since or turn.rank < 1:
            raise Refused("bad_turn", turn=number)
    return turns


def _set(roster: Roster) -> RosterSet:
    first = min((turn.since for turn in roster.turns), default=None)
    last = max((turn.until for turn in roster.turns), default=None)
    return RosterSet(
        roster_id=roster.id, division=roster.division, first_on=first, last_on=last, turns=len(roster.turns)
    )


@decides(OpenRoster, on=Roster)
def open_roster(_: None, command: OpenRoster, context: Context) -> tuple[Any, ...]:
    """A division's first roster; a second one is refused by the schema (`roster_exists`)."""
    roster = Roster(id=context.new_id(Roster.prefix), division=command.division, turns=_sound(command.turns))
    return roster, _set(roster)


@decides(SetRoster, on=Roster, key="roster_id")
def set_roster(roster: Roster, command: SetRoster, context: Context) -> tuple[Any, ...]:
    """The turns, as a whole, from now on."""
    after = replace(roster, turns=_sound(command.turns))
    return after, _set(after)
