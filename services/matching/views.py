"""Questions to matching about single requests and rankings, and a person's own."""

from __future__ import annotations

from banyan.contracts import matching as m
from banyan.contracts import matching_shapes as shapes
from banyan.kernel.context import Context
from banyan.kernel.refusal import Refused
from banyan.runtime.commands.store import Db, answers
from services.matching import board, lists, run_views, sight  # noqa: F401 - they answer the other questions
from services.matching.domain import pairing, place, said
from services.matching.domain.household import Household
from services.matching.domain.request import HELD_BY_WORKER, Request
from services.matching.domain.worker import Worker
from services.matching.index_state import index_of
from services.matching.store import best

METRES_A_KM = 1000
MINE = "account = %(account)s or person_id = %(person)s"


@answers(m.RankWorkers)
def rank_workers(query: m.RankWorkers, context: Context, db: Db) -> shapes.Ranking:
    """The best workers now, with every term; advice, for the hard rules are asked again when one is sent."""
    request = sight.known_request(db, query.request_id, context)
    items = best(db, request, context, query.k)
    as_of, table = index_of(db).as_of, pairing.table_version()
    return shapes.Ranking(items=items, as_of=as_of, table=table, policy=context.policy.version)


@answers(m.WhyNot)
def why_not(query: m.WhyNot, context: Context, db: Db) -> shapes.Reasons:
    """Which hard rules keep a worker away; or the score term by term, and who stands ahead."""
    request = sight.known_request(db, query.request_id, context)
    worker = db.record(Worker, query.worker_id)
    if worker is None:
        raise Refused("not_found", id=query.worker_id)
    broken = pairing.broken(worker, request, context)
    explained = pairing.as_ranked(pairing.explain(worker, request, context), 0)
    ahead = () if broken else best(db, request, context)
    rank = next((each.rank for each in ahead if each.worker_id == worker.id), None)
    return shapes.Reasons(
        worker_id=worker.id,
        fits=not broken,
        broken=broken,
        rank=rank,
        score=explained.score,
        terms=explained.terms,
        ahead=ahead[: rank - 1] if rank else ahead,
        as_of=index_of(db).as_of,
        table=pairing.table_version(),
    )


@answers(m.RequestDetail)
def request_detail(query: m.RequestDetail, context: Context, db: Db) -> shapes.RequestView:
    """A request as the reader's role and its state allow; to a stranger there is none."""
    found = db.versioned(Request, query.request_id)
    if found is None:
        raise Refused("not_found", id=query.request_id)
    request, version = found
    bound = request.offer.worker_id if request.offer else request.worker_id
    worker = db.record(Worker, bound) if bound else None
    role = sight.role_of(request, worker, context)
    if role is None:
        raise Refused("not_found", id=query.request_id)
    return sight.view(db, request, version, role, context)


def _mine(db: Db, context: Context) -> list[Worker]:
    """The caller's own assignments."""
    return db.records(Worker, MINE, {"account": context.actor, "person": context.caller.person})


@answers(m.MyOffers)
def my_offers(query: m.MyOffers, context: Context, db: Db) -> shapes.Offers:
    """The offers that wait for the caller: the need and roughly where, never who."""
    mine = {worker.id: worker for worker in _mine(db, context)}
    asked = db.records(Request, "state = 'dispatched' and asked = any(%(ids)s) order by due_at", {"ids": list(mine)})
    return shapes.Offers(items=tuple(_card(request, mine[str(_asked(request))], context) for request in asked))


def _asked(request: Request) -> str | None:
    return request.offer.worker_id if request.offer else None


def _card(request: Request, worker: Worker, context: Context) -> shapes.OfferCard:
    explained = pairing.explain(worker, request, context)
    distance = next(term.facts["distance_m"] for term in explained.terms if term.code == "distance")
    return shapes.OfferCard(
        request_id=request.id,
        area=said.area_said(request),
        cell=sight.cell(request),
        field=request.field,
        client_group=request.client_group,
        functions=request.functions,
        urgency=request.urgency,
        languages=request.languages,
        sex_wanted=request.sex_wanted,
        slots=request.slots,
        distance_km=None if request.protected else distance // METRES_A_KM,
        expires_at=request.offer.expires_at if request.offer else None,
    )


@answers(m.MyWork)
def my_work(query: m.MyWork, context: Context, db: Db) -> shapes.Work:
    """The cases in the caller's hands, with what is needed to serve them."""
    ids = [worker.id for worker in _mine(db, context)]
    where = "worker_id = any(%(ids)s) and state = any(%(states)s) order by due_at limit 500"
    cases = db.records(Request, where, {"ids": ids, "states": list(HELD_BY_WORKER)})
    return shapes.Work(items=tuple(_whole(db, case, sight.Role.WORKER, context) for case in cases))


def _whole(db: Db, request: Request, role: sight.Role, context: Context) -> shapes.RequestView:
    version = db.rows("select version from request where id = %(id)s", {"id": request.id})[0][0]
    return sight.view(db, request, version, role, context)


@answers(m.MyRequests)
def my_requests(query: m.MyRequests, context: Context, db: Db) -> shapes.RequestPage:
    """What the caller asked for, for themself or for somebody else, newest first."""
    where = "taken_by = %(account)s or client_id = %(person)s order by taken_at desc limit 500"
    mine = db.records(Request, where, {"account": context.actor, "person": context.caller.person})
    return shapes.RequestPage(items=tuple(sight.line(request) for request in mine))


@answers(m.MyCopy)
def my_copy(query: m.MyCopy, context: Context, db: Db) -> shapes.Copy:
    """Everything that matching keeps about the caller."""
    person = context.caller.person
    if person is None:
        return shapes.Copy(requests=(), households=())
    where = "subject_id = %(person)s or client_id = %(person)s order by taken_at"
    about_me = db.records(Request, where, {"person": person})
    homes = db.records(Household, "body -> 'member_ids' ? %(person)s order by id", {"person": person})
    workers = _mine(db, context)
    return shapes.Copy(
        requests=tuple(_whole(db, request, sight.Role.CLIENT, context) for request in about_me),
        households=tuple(home.id for home in homes),
        worker=workers[0].supply if workers else None,
        homes=tuple(_home(db, home, person) for home in homes),
    )


def _home(db: Db, home: Household, person: str) -> shapes.Home:
    return shapes.Home(
        id=home.id,
        division=home.division,
        head=home.head_id == person,
        members=len(home.member_ids),
        address=db.open(home, "address"),
        point=place.opened(db.open(home, "spot")) or home.point,
    )
