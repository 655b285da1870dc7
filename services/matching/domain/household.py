"""A household 家庭: who belongs together and where they live. What is known of a member stays with the member."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from msgspec.structs import replace

from banyan.contracts.matching import (
    ChangeHousehold,
    ForgetMember,
    HouseholdChanged,
    HouseholdRegistered,
    RegisterHousehold,
)
from banyan.contracts.matching_shapes import Point
from banyan.kernel.context import Context
from banyan.kernel.decision import Aggregate, decides
from banyan.kernel.message import DestroyKey
from banyan.kernel.personal import Private
from banyan.kernel.refusal import Refused
from services.matching.domain import place


class Household(Aggregate, frozen=True, kw_only=True):
    """A household; members are ids of persons, the head among them. `subject_id`, the member whose key seals the
    address, is its head when the address was given; nobody once no member is left."""

    kind: ClassVar[str] = "household"
    prefix: ClassVar[str] = "h"
    subject: ClassVar[str | None] = "subject_id"

    subject_id: str
    head_id: str
    member_ids: tuple[str, ...]
    address: Private | None = None
    spot: Private | None = None  # JSON of the point as given
    point: Point | None = None
    legal_basis: str
    notice_version: str
    registered_on: date


def _members(head_id: str, member_ids: tuple[str, ...]) -> tuple[str, ...]:
    """All members once, the head first."""
    if not head_id:
        raise Refused("bad_input", field="head_id", detail="a household has a head")
    return tuple(dict.fromkeys((head_id, *member_ids)))


@decides(RegisterHousehold, on=Household)
def register_household(_: None, command: RegisterHousehold, context: Context) -> tuple[Any, ...]:
    """Writes a household down; asking for help needs none."""
    household = Household(
        id=context.new_id(Household.prefix),
        division=command.division,
        subject_id=command.head_id,
        head_id=command.head_id,
        member_ids=_members(command.head_id, command.member_ids),
        address=Private(command.address, kind="address") if command.address else None,
        **place.kept(command.point),
        legal_basis=command.legal_basis,
        notice_version=command.notice_version,
        registered_on=context.today,
    )
    members = len(household.member_ids)
    return household, HouseholdRegistered(household_id=household.id, division=household.division, members=members)


@decides(ChangeHousehold, on=Household, key="household_id")
def change_household(household: Household, command: ChangeHousehold, context: Context) -> tuple[Any, ...]:
    """Members come and go, a household moves. An address that is not given stays, unless whose key seals it leaves."""
    members = _members(command.head_id, command.member_ids)
    stays = household if household.subject_id in members else _unsealed(household, command.head_id)
    after = replace(stays, division=command.division, head_id=command.head_id, member_ids=members)
    if command.address:
        after = replace(after, address=Private(command.address, kind="address"))
    if command.point:
        after = replace(after, **place.kept(command.point))
    return after, _changed(after)


@decides(ForgetMember, on=Household, key="household_id")
def forget_member(household: Household, command: ForgetMember, context: Context) -> tuple[Any, ...]:
    """An erased person is no member any more; where the address was sealed under their key, it goes with them."""
    left = tuple(id for id in household.member_ids if id != command.person_id)
    head = household.head_id if household.head_id in left else next(iter(left), "")
    stays = household if household.subject_id in left else _unsealed(household, head)
    after = replace(stays, head_id=head, member_ids=left)
    return after, _changed(after), DestroyKey(person_id=command.person_id)


def _unsealed(household: Household, subject_id: str) -> Household:
    """Without what its former subject's key seals."""
    return replace(household, subject_id=subject_id, address=None, spot=None, point=None)


def _changed(after: Household) -> HouseholdChanged:
    return HouseholdChanged(household_id=after.id, division=after.division, members=len(after.member_ids))
