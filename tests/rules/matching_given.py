"""Cases of matching: a small world in memory that decides commands by the rules alone, as the frame would."""

from __future__ import annotations

import datetime as dt
import pkgutil
from collections.abc import Callable, Generator, Iterator, Sequence
from importlib import import_module, resources
from typing import Any

from banyan.contracts import matching as m
from banyan.contracts.matching_shapes import Measure, Point, Supply, Turn
from banyan.kernel.context import Caller, Context, Grant
from banyan.kernel.decision import DECISIONS, Aggregate, Decision
from banyan.kernel.message import OWN_DUTIES, Command, Event, Notice
from banyan.kernel.policy import Figure, Policy, seed_figures
from banyan.kernel.refusal import Refused
from services.matching import domain
from services.matching.domain import pairing
from services.matching.domain.holding import ladder
from services.matching.domain.request import Request
from services.matching.domain.roster import Roster
from services.matching.domain.run import RUN, Run
from services.matching.domain.worker import Worker

for found in pkgutil.iter_modules(domain.__path__):  # each module registers its rules
    import_module(f"services.matching.domain.{found.name}")

NOW = dt.datetime(2026, 3, 2, 1, 0, tzinfo=dt.UTC)  # Monday, 9 in the morning in Shanghai
VILLAGE, TOWN, COUNTY = "350203001001", "350203001000", "350203000000"
CITY, PROVINCE = "350200000000", "350000000000"
HERE = Point(lon_udeg=118_100_000, lat_udeg=24_450_000, source="test")
GOOD, BETTER = (Measure(scale="gaf", points=40),), (Measure(scale="gaf", points=65),)


def caller(account: str, *grants: tuple[str, str], person: str | None = None) -> Caller:
    """Who calls, with duties at divisions."""
    return Caller(account=account, person=person, grants=tuple(Grant(duty=d, division=at) for d, at in grants))


LEAD = caller("acc-lead", ("station_lead", TOWN))
DUTY = caller("acc-duty", ("duty_officer", COUNTY))
RESIDENT = caller("acc-lin", ("resident", PROVINCE), person="p-lin")
SYSTEM = caller("system:matching", ("system", PROVINCE))
PROVINCIAL = caller("acc-province", ("duty_officer", PROVINCE))


def worker_caller(n: int) -> Caller:
    """The n-th worker."""
    return caller(f"acc-w{n}", ("worker", PROVINCE), person=f"p-w{n}")


def figures(**other: Any) -> Policy:
    """The seeded figures, some with other values."""
    text = resources.files("services.matching").joinpath("policy.toml").read_text("utf-8")
    changed = [Figure(name=n, since=NOW.date(), value=v, unit="", source="test") for n, v in other.items()]
    return Policy([*seed_figures(text), *changed])


class World:
    """Records by id, a clock that the test moves, and all that was said."""

    def __init__(self, **other_figures: Any) -> None:
        self.now, self.policy = NOW, figures(**other_figures)
        self.records: dict[str, Aggregate] = {}
        self.events: list[Event] = []
        self.notices: list[Notice] = []
        self._seed = 0
        self.meanwhile: Callable[[], Any] = lambda: None

    def context(self, who: Caller, command: type[Command] | None = None) -> Context:
        """What a rule would be given now."""
        self._seed += 1
        may = command.may if command else ()
        return Context(caller=who, now=self.now, policy=self.policy, seed=str(self._seed).encode(), may=may)

    def pass_time(self, **span: float) -> None:
        """Moves the clock."""
        self.now += dt.timedelta(**span)

    def do(self, who: Caller, command: Command) -> Any:
        """Decides a command and keeps what it changed; answers the record."""
        decision = DECISIONS[type(command)]
        context = self.context(who, type(command))
        record = self.records.get(getattr(command, decision.key)) if decision.key else None
        if decision.key and record is None:
            raise Refused("not_found")
        division = record.division if record else getattr(command, "division", "")
        self._reach(context, type(command), division)
        also = {name: self._also(source, record, command) for name, (_, source) in decision.also.items()}
        facts = {name: getattr(self, f"fact_{name}")(record, command, context) for name in decision.facts}
        answer = decision.decide(record, command, context, **also, **self._parts(decision, record, command), **facts)
        answers = list(_answers(answer)) if decision.portions else [answer]
        for after, *said in answers:
            changed = after if isinstance(after, dict) else {"": after}
            many = (each if isinstance(each, tuple) else (each,) for each in changed.values())
            self.records |= {each.id: each for group in many for each in group if each is not None}
            self.events += [s for s in said if isinstance(s, Event)]
            self.notices += [s for s in said if isinstance(s, Notice)]
        return next(iter(changed.values()), None)

    def _parts(self, decision: Decision, record: Any, command: Command) -> dict[str, Any]:
        """Portions of a single record each, and records that are locked last."""
        wanted = ((name, source(record, command)) for name, (_, source) in decision.portions.items())
        parts = {name: ({id: self.records.get(id)} for id in sorted(ids)) for name, ids in wanted}
        return parts | {name: LateRecords(self, source(record, command)) for name, (_, source) in decision.late.items()}

    def _reach(self, context: Context, command: type[Command], division: str) -> None:
        held = context.caller.duties() & set(command.may)
        if not held:
            raise Refused("not_allowed")
        if not context.holds(held - OWN_DUTIES, division):
            if not held & OWN_DUTIES:
                raise Refused("not_found")
            context.own_only = True

    def _also(self, source: Any, record: Any, command: Command) -> Any:
        wanted = getattr(command, source) if isinstance(source, str) else source(record, command)
        if isinstance(wanted, tuple):
            return tuple(self.records[id] for id in wanted if id in self.records)
        return self.records.get(wanted) if wanted else None

    def fact_on_duty(self, record: Any, command: Any, context: Context) -> list[tuple[str, tuple[str, ...]]]:
        """Who is on duty on the ladder above the place."""
        place = record.division if record else command.division
        rosters = {r.division: r for r in self.records.values() if isinstance(r, Roster)}
        return [(t, rosters[t].on_duty(context.today)) for t in ladder(place, context) if t in rosters]

    def fact_runs_beside(self, record: Any, command: m.StartRun, context: Context) -> list[Run]:
        """Runs that have not ended over the very place."""
        runs = (r for r in self.records.values() if isinstance(r, Run) and r.division == command.division)
        return [run for run in runs if run.state not in RUN.ends]

    def fact_ranked(self, record: Request, command: Any, context: Context) -> list[Any]:
        """All workers for whom every rule holds, best first, as the index in memory answers."""
        workers = [w for w in self.records.values() if isinstance(w, Worker)]
        fit = [w for w in workers if not pairing.broken(w, record, context)]
        scored = sorted((pairing.explain(w, record, context) for w in fit), key=lambda e: (-e.score, e.worker_id))
        return [pairing.as_ranked(e, n) for n, e in enumerate(scored[:10], 1)]

    # -- what most cases begin with
    def workers(self, many: int, **supply: Any) -> list[Worker]:
        """Workers a-w0 … one kilometre further away each."""
        return [self.do(SYSTEM, keep(n, **supply)) for n in range(many)]

    def on_duty(self, division: str, *accounts: str) -> None:
        """A roster of a division for the month."""
        until = NOW.date() + dt.timedelta(days=30)
        turns = tuple(Turn(account=a, since=NOW.date(), until=until, rank=n) for n, a in enumerate(accounts, 1))
        self.do(PROVINCIAL, m.OpenRoster(division=division, turns=turns))

    def taken(self, who: Caller = LEAD, **other: Any) -> Request:
        """A request for help, taken."""
        return self.do(who, call_for_help(**other))

    def triaged(self, **other: Any) -> Request:
        """A request taken and assessed by the station lead."""
        request = self.taken(**other)
        return self.do(LEAD, assess(request))

    def offered(self, **other: Any) -> Request:
        """A request whose first candidate was asked, and was told."""
        request = self.triaged(**other)
        self.do(LEAD, m.ProposeWorkers(request_id=request.id))
        request = self.do(LEAD, m.DispatchNext(request_id=request.id))
        worker = request.offer.worker_id
        return self.do(SYSTEM, m.ConfirmDelivery(request_id=request.id, worker_id=worker, receipt="ok"))

    def accepted(self, **other: Any) -> Request:
        """A request that its first candidate took."""
        request = self.offered(**other)
        return self.do(by(request.offer.worker_id), m.AcceptOffer(request_id=request.id))


class LateRecords:
    """Records as they stand now, and once more when they are locked; between the two a test may do anything."""

    def __init__(self, world: World, ids: tuple[str, ...]) -> None:
        self.seen: dict[str, Any] = {id: world.records[id] for id in ids if id in world.records}
        self.world = world

    def lock(self, ids: Sequence[str]) -> dict[str, Any]:
        """What has changed by now is another record."""
        self.world.meanwhile()
        return {id: self.world.records[id] for id in ids if id in self.world.records}


def _answers(rule: Generator[Any, None, Any]) -> Iterator[Any]:
    """What a rule over portions yields, and what it returns."""
    yield (yield from rule)


def by(worker_id: str) -> Caller:
    """The worker of an id such as a-w3."""
    return worker_caller(int(worker_id.removeprefix("a-w")))


def keep(n: int, **other: Any) -> m.KeepWorker:
    """The n-th worker's assignment, n kilometres east."""
    supply = {
        "person_id": f"p-w{n}",
        "account": f"acc-w{n}",
        "area": COUNTY,
        "fields": {"family": 2, "mental_health": 1},
        "lon_udeg": HERE.lon_udeg + 10_000 * n,
        "lat_udeg": HERE.lat_udeg,
        "weekly_capacity": 3,
        "since": dt.date(2026, 1, 1),
        "languages": ("mandarin", "minnan"),
        "sex": "2" if n % 2 else "1",
        "level": "assistant",
        "registered": True,
        "slots": (0, 3, 6),
    }
    return m.KeepWorker(worker_id=f"a-w{n}", division=TOWN, supply=Supply(**{**supply, **other}))


def call_for_help(**other: Any) -> m.TakeRequest:
    """An ordinary call for help with a family matter."""
    given = {
        "division": VILLAGE,
        "purpose": "提供社会工作服务",
        "legal_basis": "consent",
        "consent": "sha256:1",
        "notice_version": "2026-01",
        "client_group": "older",
        "field": "family",
        "functions": ("emotional_relief",),
        "asked_by": "officer",
        "client_id": "p-lin",
        "client_name": "林阿妹",
        "point": HERE,
    }
    return m.TakeRequest(**{**given, **other})


def assess(request: Request, **other: Any) -> m.TriageRequest:
    """An assessment that leaves all as it was given."""
    names = ("urgency", "field", "functions", "confidentiality", "protected_kind")
    given = {name: getattr(request, name) for name in names}
    return m.TriageRequest(request_id=request.id, **{**given, **other})


def said(world: World, kind: type) -> Any:
    """The last event of a kind."""
    return next(e for e in reversed(world.events) if isinstance(e, kind))


def told(world: World, template: str) -> list[str]:
    """To whom a notice went."""
    return [n.to for n in world.notices if n.template == template]


def served(world: World, **other: Any) -> Any:
    """A request served to its close."""
    request = world.accepted(**other)
    worker = by(request.worker_id)
    world.do(worker, m.StartService(request_id=request.id, outcome=GOOD))
    return world.do(worker, m.CompleteService(request_id=request.id, outcome=BETTER, minutes_served=60))


def household(head: str, *members: str, **other: Any) -> m.RegisterHousehold:
    """A household at 学院路."""
    given = {"division": VILLAGE, "legal_basis": "consent", "notice_version": "2026-01", "address": "学院路1号"}
    return m.RegisterHousehold(**{**given, "head_id": head, "member_ids": members, **other})
