"""What a service is: all that its modules declare, found by `build(__package__)`; nothing else is written by hand."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from sqlalchemy import MetaData

from banyan.contracts import frame
from banyan.kernel.context import Caller, Grant
from banyan.kernel.decision import DECISIONS, Decision
from banyan.kernel.message import SYSTEM, Ask, Bulk, Command, Event, Query, contracts
from banyan.kernel.policy import Figure, seed_figures
from banyan.runtime.commands.store import ANSWERS, FACTS
from banyan.runtime.events.declare import PROJECTIONS, REACTIONS
from banyan.runtime.host.schedule import SCHEDULES, Schedule

PROVINCE = "350000000000"
MODULES = ("tables", "store", "views", "reactions", "projections", "schedules", "notices", "jobs")


@dataclass
class Service:
    """One service: its contracts, rules, views, and what it does with time and with others' events."""

    name: str
    package: str
    asks: dict[str, type[Ask]]
    events: dict[str, type[Event]]
    decisions: dict[type[Command], Decision]
    answers: dict[type[Query], Callable[..., Any]]
    facts: dict[str, Callable[..., Any]]
    reactions: dict[type[Event], Callable[..., Any]]
    projections: dict[str, Callable[..., Any]]
    schedules: list[Schedule]
    metadata: MetaData
    figures: list[Figure] = field(default_factory=list)

    @property
    def system_caller(self) -> Caller:
        """As whom reactions and schedules act: system:<service>, everywhere in the province."""
        grant = Grant(duty=SYSTEM, division=PROVINCE)
        return Caller(account=f"system:{self.name}", grants=(grant,))


def build(package: str, contracts_module: str = "") -> Service:
    """Imports a service's modules and gathers what they declared; every contract must be decided or answered."""
    name = package.rsplit(".", 1)[-1]
    words = importlib.import_module(contracts_module or f"banyan.contracts.{name}")
    _import_all(package)
    asks: dict[str, type[Ask]] = {c.method(): c for kind in (Command, Query) for c in contracts(words, kind)}
    asks.update({q.method(): q for q in contracts(frame, Query)})
    decisions = {c: d for c, d in DECISIONS.items() if _of(d.decide, package)}
    answers = {q: v for q, v in ANSWERS.items() if _of(v, package) or q.__module__ == frame.__name__}
    _whole(package, asks, decisions, answers)
    tables = importlib.import_module(f"{package}.tables")
    return Service(
        name=name,
        package=package,
        asks=asks,
        events={e.type_name(): e for e in contracts(words, Event)},
        decisions=decisions,
        answers=answers,
        facts={fact: reader for (place, fact), reader in FACTS.items() if place == package},
        reactions={e: r for (place, e), r in REACTIONS.items() if place == package},
        projections={s: p for (place, s), p in PROJECTIONS.items() if place == package},
        schedules=[s for s in SCHEDULES if s.service == package],
        metadata=tables.METADATA,
        figures=_figures(package),
    )


def _import_all(package: str) -> None:
    importlib.import_module("banyan.runtime.commands.frame_views")
    if importlib.util.find_spec(f"{package}.domain"):
        domain = importlib.import_module(f"{package}.domain")
        for found in pkgutil.iter_modules(domain.__path__):
            importlib.import_module(f"{package}.domain.{found.name}")
    for module in MODULES:
        if importlib.util.find_spec(f"{package}.{module}"):
            importlib.import_module(f"{package}.{module}")


def _of(function: Callable[..., Any], package: str) -> bool:
    return function.__module__.startswith(f"{package}.")


def _whole(package: str, asks: Any, decisions: Any, answers: Any) -> None:
    """Stops the start where a contract has no rule or view: nobody should find that out by calling it."""
    for ask in asks.values():
        if issubclass(ask, Bulk):
            continue
        if (issubclass(ask, Command) and ask not in decisions) or (issubclass(ask, Query) and ask not in answers):
            raise RuntimeError(f"{package}: nothing decides or answers {ask.__name__}")
    for decision in decisions.values():
        missing = [fact for fact in decision.facts if (package, fact) not in FACTS]
        if missing:
            raise RuntimeError(f"{package}: {decision.command.__name__} needs unknown facts {missing}")


def _figures(package: str) -> list[Figure]:
    file = resources.files(package).joinpath("policy.toml")
    return seed_figures(file.read_text("utf-8")) if file.is_file() else []
