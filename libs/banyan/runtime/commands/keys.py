"""The keys of persons, wrapped, one row each: to destroy the row's content is to erase the person."""

from __future__ import annotations

from typing import Any

from banyan.kernel.personal import Private
from banyan.kernel.refusal import Refused
from banyan.vault.fields import Vault


class PersonKeys:
    """The plain keys that one transaction has used; new ones wait in `made` until they are written with the records."""

    def __init__(self, connection: Any, vault: Vault) -> None:
        self._connection, self._vault = connection, vault
        self._plain: dict[str, bytes] = {}
        self.made: dict[str, bytes] = {}

    def of(self, person_id: str, *, new: bool = False) -> bytes:
        """The person's key, made where there is none (`new`: that is known already). Refuses `person_erased`."""
        if person_id not in self._plain:
            row = None if new else self._row(person_id)
            if row is None:
                self._plain[person_id], self.made[person_id] = self._vault.new_person_key()
            elif row[0] is None:
                raise Refused("person_erased", id=person_id)
            else:
                self._plain[person_id] = self._vault.unwrap(bytes(row[0]))
        return self._plain[person_id]

    def _row(self, person_id: str) -> Any:
        sql = "select wrapped from person_key where person_id = %s"
        return self._connection.execute(sql, (person_id,)).fetchone()

    def seal(self, person_id: str, value: Private, *, new: bool = False) -> None:
        """Seals a plain value under the person's key and gives it its blind indexes."""
        key = self.of(person_id, new=new)
        value.sealed = self._vault.seal(key, value.plain or "", kind=value.kind, person_id=person_id)
        value.index = tuple(self._vault.blind_index(value.kind, word) for word in value.search)

    def seal_text(self, person_id: str, text: str) -> str:
        """Seals the personal part of an event."""
        return self._vault.seal(self.of(person_id), text, kind="event", person_id=person_id)

    def open(self, person_id: str, value: Private) -> str:
        """The plain text of a sealed value."""
        if value.plain is None:
            value.plain = self._vault.open(self.of(person_id), value.sealed or "", kind=value.kind, person_id=person_id)
        return value.plain
