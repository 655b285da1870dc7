"""Between the rule and the wire: a rule's answer becomes what is written and what is replied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from banyan.kernel.context import Context
from banyan.kernel.decision import Aggregate, Decision
from banyan.kernel.message import Command, Done, Told
from banyan.kernel.personal import Private
from banyan.kernel.refusal import Refused
from banyan.runtime.commands.write import Change, Outcome


def same_version(record: Aggregate, command: Command, version: int) -> None:
    """Refuses a command that was made against another version, with both sides (the private fields left out)."""
    given = getattr(command, "version", None)
    if given is None or given == version:
        return
    stands = msgspec.to_builtins(record, enc_hook=lambda _: "***")
    asked = {f: getattr(command, f) for f in command.__struct_fields__ if f not in ("version",)}
    ordered = {k: v for k, v in msgspec.to_builtins(asked).items() if v is not None and k in stands}
    facts = {k: stands[k] for k in ordered}
    raise Refused("stale_version", given=given, current=version, stands=facts, ordered=_unsaid(record, ordered))


def _unsaid(record: Aggregate, ordered: dict[str, Any]) -> dict[str, Any]:
    return {k: "***" if isinstance(getattr(record, k, None), Private) else v for k, v in ordered.items()}


def collect(
    outcome: Outcome,
    decision: Decision,
    record: Aggregate | None,
    version: int | None,
    also: dict[str, Any],
    answer: Sequence[Any],
    context: Context,
) -> Done:
    """Turns a rule's answer into what is to be written, and into the reply."""
    after, *items = answer
    told = {name: fact for item in items if isinstance(item, Told) for name, fact in item.facts.items()}
    rest = [item for item in items if not isinstance(item, Told)]
    changed = after if isinstance(after, dict) else {"": after}
    known = {id(r): v for found in also.values() for r, v in _pairs(found)}
    versions = {(type(r), r.id): v for found in also.values() for r, v in _pairs(found)}
    main, others = None, []
    for name, value in changed.items():
        for one in value if isinstance(value, (tuple, list)) else (value,):
            if one is None or one is record or id(one) in known:
                continue
            if name == "":
                main = Change(one, version)
            else:
                others.append(Change(one, versions.get((type(one), one.id))))
    kept = main.record if main else record
    main_id = kept.id if kept is not None else ""
    outcome.add(main, main_id, others, rest)
    return Done(
        id=main_id,
        version=main.version if main else (version or 0),
        state=getattr(kept, "state", None),
        policy=context.policy.version,
        facts=told,
    )


def _pairs(found: Any) -> list[tuple[Aggregate, int]]:
    return found if isinstance(found, list) else [found] if found else []


def records_only(found: Any) -> Any:
    """What a rule gets of its other records: the record or None, or a tuple of them."""
    if isinstance(found, list):
        return tuple(record for record, _ in found)
    return found[0] if found else None
