"""What a contract says of a field about a person, and the box in which such a value travels and is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec


@dataclass(frozen=True)
class Personal:
    """Kind of the datum, why it is kept and how long after the record's end; from it come masking, copy and erasure."""

    kind: str
    purpose: str
    retention_days: int
    sensitive: bool = False


def personal(kind: str, purpose: str, retention_days: int, *, sensitive: bool = False) -> msgspec.Meta:
    """Declares a field about a person: Annotated[str, personal("phone", "联系服务对象", 1095)]."""
    return msgspec.Meta(extra={"personal": Personal(kind, purpose, retention_days, sensitive)})


class Private:
    """A value about a person: plain only in memory, sealed under the person's key wherever it is written.

    `sealed` is the ciphertext token; `index` holds the blind indexes of the normalised values in `search` (equal values
    of one kind have equal indexes), the first of them for equality. In JSON it is {"s": sealed, "i": [index, ...]}.
    It shows nothing in a repr; equal means the same plain value or the same ciphertext.
    """

    __slots__ = ("index", "kind", "plain", "sealed", "search")

    def __init__(
        self,
        plain: str | None = None,
        *,
        kind: str = "",
        search: tuple[str, ...] = (),
        sealed: str | None = None,
        index: tuple[str, ...] = (),
    ) -> None:
        self.plain, self.kind, self.sealed, self.index = plain, kind, sealed, index
        self.search = search

    def __repr__(self) -> str:
        return "Private(***)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Private):
            return NotImplemented
        if self.plain is not None and other.plain is not None:
            return self.plain == other.plain
        return self.index == other.index and self.sealed == other.sealed

    def __hash__(self) -> int:
        return hash((self.index, self.sealed))


def declared(struct: type) -> dict[str, Personal]:
    """The personal fields of a contract, by name."""
    found = {}
    for name, hint in get_type_hints(struct, include_extras=True).items():
        for meta in _metas(hint):
            if isinstance(meta, msgspec.Meta) and meta.extra and "personal" in meta.extra:
                found[name] = meta.extra["personal"]
    return found


def _metas(hint: Any) -> Iterator[Any]:
    if get_origin(hint) is Annotated:
        yield from get_args(hint)[1:]
    for part in get_args(hint):
        if part is not hint and not isinstance(part, msgspec.Meta):
            yield from _metas(part)


def private_fields(struct: type) -> tuple[str, ...]:
    """The names of the fields that hold a Private, optional ones included."""
    hints = get_type_hints(struct, include_extras=True)
    return tuple(name for name, hint in hints.items() if _holds_private(hint))


def _holds_private(hint: Any) -> bool:
    return hint is Private or any(_holds_private(part) for part in get_args(hint))
