"""What became of a client's id elsewhere: merged, taken apart again, or erased. Requests follow one by one."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from msgspec.structs import replace

from banyan.contracts.matching import NoteClient
from banyan.kernel.context import Context
from banyan.kernel.decision import Aggregate, decides
from banyan.kernel.message import DestroyKey
from banyan.kernel.refusal import Refused

UNREGISTERED = "c"  # how the ids of clients begin whom the registry does not know


class Client(Aggregate, frozen=True, kw_only=True):
    """A client's id with the alias in force, under the person's own id; only where there is something to say."""

    kind: ClassVar[str] = "client"
    prefix: ClassVar[str] = "p"

    alias_of: str | None = None
    erased_on: date | None = None


def require_current(client: Client | None) -> None:
    """Refuses `merged` with the survivor, and `person_erased`: nothing new is written under such an id."""
    if client is not None and client.erased_on:
        raise Refused("person_erased", id=client.id)
    if client is not None and client.alias_of:
        raise Refused("merged", survivor=client.alias_of)


@decides(NoteClient, on=Client, also={"held": (Client, "person_id")})
def note_client(_: None, command: NoteClient, context: Context, *, held: Client | None) -> tuple[Any, ...]:
    """Keeps the alias or the erasure; an erasure destroys the key at once and is never taken back."""
    known = held or Client(id=command.person_id, division=command.division)
    erased_on = known.erased_on or (context.today if command.erased else None)
    after = replace(known, alias_of=command.alias_of, erased_on=erased_on)
    destroyed = (DestroyKey(person_id=command.person_id),) if command.erased else ()
    return {"held" if held else "": after}, *destroyed
