"""What code deletes its database role may delete: a right that nobody declared would fail only where it runs."""

from __future__ import annotations

import re

from banyan.cli.processes import SERVICES
from banyan.runtime.host import roles
from banyan.runtime.host.migrate import declared_rights
from tests.tidy.tree import files, shown, text, under

DELETES = re.compile(r"\bdelete from (\w+)")


def test_what_is_deleted_may_be_deleted() -> None:
    declared = {name: declared_rights(f"services.{name}") for name in SERVICES}
    found = set()
    for path in files(".py"):
        if under(path, "libs/banyan/runtime", "services"):
            service = shown(path).split("/")[1]
            for table in DELETES.findall(text(path)):
                found.add(table)
                assert "delete" in roles.rights_on("public", table, declared.get(service, {})), (
                    f"{shown(path)}: {table}"
                )
    assert {"outbox", "unsealed", "worker_change"} <= found
