"""The ledger of erasures, kept outside of the databases: a restored backup must not bring an erased person back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

NEW = "select person_id from person_key where wrapped is null"


class Ledger:
    """One file a service, one person's id a line, appended and forced to the disk; ids tell nothing of the person."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, set[str]] = {}

    def persons(self, service: str) -> set[str]:
        """Everybody erased in a service so far."""
        if service not in self._known:
            file = self._file(service)
            self._known[service] = set(file.read_text("ascii").split()) if file.exists() else set()
        return self._known[service]

    def note(self, service: str, connection: Any) -> int:
        """Adds who was erased since; answers how many."""
        known = self.persons(service)
        new = sorted({row[0] for row in connection.execute(NEW).fetchall()} - known)
        if new:
            with self._file(service).open("a", encoding="ascii") as file:
                file.write("".join(f"{person}\n" for person in new))
                file.flush()
                os.fsync(file.fileno())
            known |= set(new)
        return len(new)

    def _file(self, service: str) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / f"{service}.erased"
