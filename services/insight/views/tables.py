"""Each table that can be exported as a question to insight and rows made of its answer, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from banyan.contracts import insight
from banyan.contracts.insight import About
from services.insight.domain.export import Export
from services.insight.domain.export_tables import TABLES

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Source:
    """What is asked, and the rows of the answer by their columns' names; `paged` questions take limit and next."""

    ask: type[About]
    rows: Callable[[Any], Iterable[dict[str, Any]]]
    also: Callable[[Export], dict[str, Any]] = lambda export: {}
    paged: bool = False

    def query(self, export: Export, following: str | None, limit: int) -> About:
        """The question for one page of an export."""
        page = {"limit": limit, "next": following} if self.paged else {}
        about = {"division": export.division, "on": export.on, "as_of": export.as_of}
        return self.ask(**about, **self.also(export), **page)

    def page(self, table: str, answer: Any) -> list[Row]:
        """The rows of an answer, each in the order of the table's columns."""
        names = [column.name for column in TABLES[table].columns]
        return [tuple(row[name] for name in names) for row in self.rows(answer)]


def not_shown(answer: Any) -> int:
    """How many protected cases the answer counts and does not list."""
    return int(getattr(answer, "not_shown", 0))


def _fields(item: Any) -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__struct_fields__}


def _items(answer: Any) -> Iterable[dict[str, Any]]:
    return (_fields(item) for item in answer.items)


def _lines(lines: Iterable[Any]) -> Iterable[dict[str, Any]]:
    return ({"division": line.division, "name": line.name, **line.figures} for line in lines)


def _groups(answer: Any) -> Iterable[dict[str, Any]]:
    groups = (answer.all, *answer.by_urgency, *answer.by_field, *answer.by_client_group)
    return ({"code": g.code, "name": g.name, **g.figures, **_fields(g.waits)} for g in groups)


def _targets(answer: Any) -> Iterable[dict[str, Any]]:
    for item in answer.items:
        frozen = item.frozen.count if item.frozen else None
        yield _fields(item) | _fields(item.now) | {"frozen": frozen}


def _flaws(answer: Any) -> Iterable[dict[str, Any]]:
    return (_fields(item) | {"kind": item.title} for item in answer.items)


def _of(export: Export) -> str | None:
    table = TABLES[export.asked.table]
    return export.asked.of or (table.of[0] if table.of_needed else None)


def _narrowed(export: Export) -> dict[str, Any]:
    names = ("since", "urgency", "field", "client_group", "ending")
    return {name: getattr(export.asked, name) for name in names} | {"figure": _of(export)}


SOURCES = {
    "people": Source(insight.People, lambda answer: _lines(answer.below)),
    "people_list": Source(insight.ListPeople, _items, lambda export: {"population": _of(export)}, paged=True),
    "requests": Source(insight.RequestFigures, _groups, lambda export: {"since": export.asked.since}),
    "request_list": Source(insight.ListRequests, _items, _narrowed, paged=True),
    "worker_list": Source(insight.ListWorkers, _items, paged=True),
    "targets": Source(insight.Targets, _targets),
    "trend": Source(
        insight.Trend,
        lambda answer: (_fields(point) for point in answer.points),
        lambda export: {"measure": _of(export), "since": export.asked.since},
    ),
    "bulletin": Source(insight.Bulletin, lambda answer: _lines(answer.rows)),
    "flaws": Source(insight.Flaws, _flaws, lambda export: {"kind": _of(export)}, paged=True),
}
