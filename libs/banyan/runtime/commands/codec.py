"""Records and events to JSON and back: a Private is sealed on its way out and comes back closed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import msgspec

from banyan.kernel.message import Event
from banyan.kernel.personal import Private, private_fields

S = TypeVar("S", bound=msgspec.Struct)
Seal = Callable[[Private], None]  # sets `sealed` and `index`


def encode(value: Any, seal: Seal | None = None) -> str:
    """JSON text of a record; a Private that is still plain is sealed first."""

    def hook(part: Any) -> Any:
        if not isinstance(part, Private):
            raise TypeError(f"{type(part).__name__} cannot be kept")
        if part.sealed is None:
            if seal is None:
                raise TypeError("a private value without a person's key")
            seal(part)
        return {"s": part.sealed, "i": part.index, "k": part.kind}

    return msgspec.json.encode(value, enc_hook=hook).decode()


def _dec_hook(wanted: type, value: Any) -> Any:
    if wanted is Private:
        return Private(sealed=value["s"], index=tuple(value["i"]), kind=value["k"])
    raise TypeError(f"{wanted.__name__} cannot be read")


@cache
def decoder(kind: type[S]) -> msgspec.json.Decoder[S]:
    """The one decoder of a class; unknown fields of newer writers are passed over."""
    return msgspec.json.Decoder(kind, dec_hook=_dec_hook)


def decode(text: str | bytes, kind: type[S]) -> S:
    """A record from its stored body."""
    found: S = decoder(kind).decode(text)
    return found


@cache
def _private(kind: type[Event]) -> tuple[str, ...]:
    return private_fields(kind)


def split_event(event: Event) -> tuple[str, str | None]:
    """(data, personal): JSON of what all may read, and of what is sealed under the person's key before it is kept."""
    names = _private(type(event))
    if not names:
        return msgspec.json.encode(event).decode(), None
    whole = {name: getattr(event, name) for name in event.__struct_fields__}
    private = {name: whole.pop(name) for name in names}
    plain = {name: value.plain for name, value in private.items() if value is not None}
    return msgspec.json.encode(whole).decode(), msgspec.json.encode(plain).decode() if plain else None
