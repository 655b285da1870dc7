"""Duplicates 重复与合并: one person is one record; who decides it, how two become one and two again; erasure."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from banyan.contracts.registry import (
    DuplicateDismissed,
    ErasePerson,
    MergePersons,
    PersonErased,
    PersonMerged,
    PersonUnmerged,
    SettleDuplicate,
    UnmergePersons,
)
from banyan.kernel.context import Context
from banyan.kernel.decision import decides
from banyan.kernel.message import DestroyKey
from banyan.kernel.personal import Private
from banyan.kernel.refusal import Refused
from services.registry.domain.person import Alias, Person, Step, moved, said, standing


@decides(SettleDuplicate, on=Person, key="person_id", also={"other": (Person, "other_id")})
def settle_duplicate(
    person: Person, command: SettleDuplicate, context: Context, *, other: Person | None
) -> tuple[Any, ...]:
    """An officer who saw both records decides: two persons, or one, and then which record goes on."""
    if other is None or command.other_id not in standing(person, context).suspected:
        raise Refused("not_suspected", other_id=command.other_id)
    person = _unsuspected(person, other.id)
    if not command.same:
        person = replace(person, steps=(*person.steps, _step("dismiss_duplicate", person, command.reason, context)))
        return person, said(DuplicateDismissed, person, other_id=other.id)
    if command.survivor_id not in (person.id, other.id):
        raise Refused("survivor_missing", possible=[person.id, other.id])
    absorbed, survivor = (other, person) if command.survivor_id == person.id else (person, other)
    absorbed, survivor, event = _merged(absorbed, survivor, command.reason, context)
    main, beside = (survivor, absorbed) if survivor.id == person.id else (absorbed, survivor)
    return {"": main, "other": beside}, event


@decides(MergePersons, on=Person, key="absorbed_id", also={"survivor": (Person, "survivor_id")})
def merge_persons(
    absorbed: Person, command: MergePersons, context: Context, *, survivor: Person | None
) -> tuple[Any, ...]:
    """Makes one record an alias of another from now on; facts stay under the id they were written for."""
    if survivor is None or survivor.id == absorbed.id:
        raise Refused("survivor_missing")
    after, beside, event = _merged(absorbed, survivor, command.reason, context)
    return {"": after, "survivor": beside}, event


def _merged(absorbed: Person, survivor: Person, reason: str, context: Context) -> tuple[Person, Person, PersonMerged]:
    """Both records after the merge. Refuses where either is itself an alias, erased, or out of the officer's reach."""
    standing(absorbed, context)
    _require_reach(survivor, context)
    standing(survivor, context)
    alias = Alias(absorbed_id=absorbed.id, since=context.now)
    absorbed = replace(
        _unsuspected(absorbed, survivor.id),
        merged_into=survivor.id,
        steps=(*absorbed.steps, _step("merge", absorbed, reason, context)),
    )
    survivor = _unsuspected(replace(survivor, absorbed=(*survivor.absorbed, alias)), absorbed.id)
    return absorbed, survivor, said(PersonMerged, absorbed, absorbed_id=absorbed.id, survivor_id=survivor.id)


@decides(
    UnmergePersons,
    on=Person,
    key="absorbed_id",
    also={"survivor": (Person, lambda absorbed, command: absorbed.merged_into)},
)
def unmerge_persons(
    absorbed: Person, command: UnmergePersons, context: Context, *, survivor: Person | None
) -> tuple[Any, ...]:
    """Closes the alias: the record stands for itself again; what came since stays with the survivor."""
    if absorbed.merged_into is None or survivor is None:
        raise Refused("not_merged")
    _require_reach(survivor, context)
    closed = tuple(
        replace(alias, until=context.now) if alias.absorbed_id == absorbed.id and alias.until is None else alias
        for alias in survivor.absorbed
    )
    step = _step("unmerge", absorbed, command.reason, context)
    absorbed = replace(absorbed, merged_into=None, steps=(*absorbed.steps, step))
    event = said(PersonUnmerged, absorbed, absorbed_id=absorbed.id, survivor_id=survivor.id)
    return {"": absorbed, "survivor": replace(survivor, absorbed=closed)}, event


@decides(ErasePerson, on=Person, key="person_id")
def erase_person(person: Person, command: ErasePerson, context: Context) -> tuple[Any, ...]:
    """Takes everything personal out of the record and destroys the person's key; the figures keep codes and dates."""
    person = moved(person, "erase", context)
    person = replace(
        person,
        name=None,
        sort_key="",
        document=None,
        document_expires_on=None,
        document_warnings=(),
        sex=None,
        birth_date=None,
        phone=None,
        home_division=None,
        education=None,
        political_status=None,
        post="",
        languages=(),
        talent_evidence="",
        certificates=(),
        learnings=(),
        account=None,
        suspected=(),
        wrong=(),
        statement=None,
        steps=tuple(replace(step, why=None) for step in person.steps),
    )
    return person, said(PersonErased, person), DestroyKey(person_id=person.id)


def _unsuspected(person: Person, other_id: str) -> Person:
    return replace(person, suspected=tuple(id for id in person.suspected if id != other_id))


def _step(move: str, person: Person, reason: str, context: Context) -> Step:
    why = Private(reason, kind="reason")
    return Step(move=move, state=person.state, by=context.actor, at=context.now, why=why)


def _require_reach(person: Person, context: Context) -> None:
    """The frame checked the one record; the other must lie within the officer's duty too. Refuses `not_found`."""
    if not context.holds(context.may, person.division):
        raise Refused("not_found")
