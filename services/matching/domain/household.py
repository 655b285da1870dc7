"""A household 家庭: who belongs together and where they live. What is known of a member stays with the member."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from msgspec.structs import replace

from banyan.contracts.matching import ChangeHousehold, HouseholdChanged, HouseholdRegistered, RegisterHousehold
from banyan.contracts.matching_shapes import Point
from banyan.kernel.context import Context
from banyan.kernel.decision import Aggregate, decides
from banyan.kernel.personal import Private
from banyan.kernel.refusal import Refused
from services.matching.domain import place


class Household(Aggregate, frozen=True, kw_only=True):
    """A household under its head's key; members are ids of persons, the head among them."""

    kind: ClassVar[str] = "household"
    prefix: ClassVar[str] = "h"
    subject: ClassVar[str | None] = "subject_id"

    subject_id: str
    head_id: str
    member_ids: tuple[str, ...]
    address: Private | None = None
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
        point=place.check(command.point),
        legal_basis=command.legal_basis,
        notice_version=command.notice_version,
        registered_on=context.today,
    )
    members = len(household.member_ids)
    return household, HouseholdRegistered(household_id=household.id, division=household.division, members=members)


@decides(ChangeHousehold, on=Household, key="household_id")
def change_household(household: Household, command: ChangeHousehold, context: Context) -> tuple[Any, ...]:
    """Members come and go, a household moves; an address that is not given stays."""
    after = replace(
        household,
        division=command.division,
        head_id=command.head_id,
        member_ids=_members(command.head_id, command.member_ids),
        address=Private(command.address, kind="address") if command.address else household.address,
        point=place.check(command.point) or household.point,
    )
    return after, HouseholdChanged(household_id=after.id, division=after.division, members=len(after.member_ids))
