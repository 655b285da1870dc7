"""The populations: professional, certified, registered, community worker, assigned; figures and the lists behind."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

from banyan.contracts.insight import ListPeople, People
from banyan.contracts.insight_shapes import DenominatorsView, Line, PeopleList, PeopleView, PersonLine
from banyan.kernel.context import Context
from banyan.kernel.refusal import Refused
from banyan.runtime.commands.store import Db, answers
from services.insight.domain.areas import child, covered, denominators, villages
from services.insight.store import ASSIGNMENT_AT, PERSON_AT, View, name_of, page, view

COUNTED = "state = any(%(counted)s) and merged_into is null"
POPULATIONS = {
    "professional": f"{COUNTED} and talent_basis <> 'none'",
    "certified": f"{COUNTED} and level <> 'none'",
    "registered": (
        "state = 'active' and merged_into is null and (registration_until is null or registration_until >= %(on)s)"
    ),
    "community_worker": f"{COUNTED} and community_worker",
    "certified_community_worker": f"{COUNTED} and community_worker and level <> 'none'",
}
ASSIGNED = "assigned"
SERVING = f"{ASSIGNMENT_AT} and state = 'open' and since <= %(on)s and (until is null or until >= %(on)s)"
LEVELS = ("assistant", "intermediate", "senior")
COLUMNS = "person_id, division, state, level, talent_basis, community_worker, registration_until"
NOTES = (
    "持证、人才、社区工作者计入经审核且未退出的记录；登记只计登记期内的人员。",
    "任职人数按人计，同一人在多处任职只计一次，下级之和可以大于合计。",
)


def figure_params(asked: View, context: Context) -> dict[str, Any]:
    """The parameters of the conditions above."""
    return asked.params | {"counted": list(context.figure("counted_states", on=asked.on))}


@answers(People)
def people(query: People, context: Context, db: Db) -> PeopleView:
    """All populations of an area and of each division directly below it."""
    asked = view(query, context, db)
    params = figure_params(asked, context)
    below = _below(asked, params, db)
    total = {name: sum(figures[name] for figures in below.values()) for name in POPULATIONS}
    levels = {level: sum(figures[level] for figures in below.values()) for level in LEVELS}
    counts = denominators(asked.tree, asked.division, asked.on)
    return PeopleView(
        **asked.answer,
        figures=total | {ASSIGNED: _assigned_in(asked, params, db)},
        levels=levels,
        denominators=DenominatorsView(**{name: getattr(counts, name) for name in counts.__struct_fields__}),
        villages_served=served(asked, asked.on, asked.as_of, context, db),
        below=tuple(_line(asked, code, figures) for code, figures in sorted(below.items())),
        notes=NOTES,
    )


def _line(asked: View, code: str, figures: dict[str, int]) -> Line:
    return Line(
        division=code,
        name=name_of(asked.tree, code, asked.on),
        figures={name: figures[name] for name in (*POPULATIONS, ASSIGNED)},
    )


def _below(asked: View, params: dict[str, Any], db: Db) -> dict[str, dict[str, int]]:
    """The figures of every division directly below, from one pass over the persons of the area."""
    counts = [f"count(*) filter (where {condition})" for condition in POPULATIONS.values()]
    counts += [f"count(*) filter (where {COUNTED} and level = '{level}')" for level in LEVELS]
    sql = f"select division, {', '.join(counts)} from person where {PERSON_AT} and {asked.area} group by division"
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for division, *numbers in db.rows(sql, params):
        line = found[child(asked.tree, asked.division, division, asked.on)]
        for name, number in zip((*POPULATIONS, *LEVELS), numbers, strict=True):
            line[name] += number
    persons: dict[str, set[str]] = defaultdict(set)
    sql = f"select distinct division, person_id from assignment where {SERVING} and {asked.area}"
    for division, person_id in db.rows(sql, params):
        persons[child(asked.tree, asked.division, division, asked.on)].add(person_id)
    for code, ids in persons.items():
        found[code][ASSIGNED] = len(ids)
    return found


def _assigned_in(asked: View, params: dict[str, Any], db: Db) -> int:
    sql = f"select count(distinct person_id) from assignment where {SERVING} and {asked.area}"
    return int(db.rows(sql, params)[0][0])


def count(population: str, asked: View, params: dict[str, Any], db: Db) -> int:
    """One population of an area; refuses `unknown_code` for another word."""
    if population == ASSIGNED:
        return _assigned_in(asked, params, db)
    sql = f"select count(*) from person where {PERSON_AT} and {asked.area} and {_condition(population)}"
    return int(db.rows(sql, params)[0][0])


def _condition(population: str) -> str:
    if population not in POPULATIONS:
        raise Refused("unknown_code", kind="population", value=population[:40])
    return POPULATIONS[population]


def served(asked: View, on: date, as_of: dict[str, int], context: Context, db: Db) -> int:
    """How many countable villages of the area an open assignment covers on a day, in a snapshot."""
    areas = [area for (area,) in db.rows(f"select distinct area from assignment where {SERVING}", asked.at(on, as_of))]
    codes = [code for code, _ in villages(asked.tree, asked.division, on)]
    return len(covered(codes, areas, context.figure("served_area_levels", on=on)))


@answers(ListPeople)
def list_people(query: ListPeople, context: Context, db: Db) -> PeopleList:
    """The persons behind a figure, by id. The condition is the figure's own, so both agree in one snapshot."""
    asked = view(query, context, db)
    params = figure_params(asked, context) | {"after": query.next or "", "limit": query.limit + 1}
    if query.population == ASSIGNED:
        serving = f"select person_id from assignment where {SERVING} and {asked.area} and person_id > %(after)s"
        sql = (
            f"select {COLUMNS} from (select distinct on (person_id) s.person_id, p.division, p.state, p.level,"
            f" p.talent_basis, p.community_worker, p.registration_until from ({serving}) s"
            f" left join (select * from person where {PERSON_AT}) p using (person_id) order by person_id) found"
            " order by person_id limit %(limit)s"
        )
    else:
        sql = (
            f"select {COLUMNS} from person where {PERSON_AT} and {asked.area} and {_condition(query.population)}"
            " and person_id > %(after)s order by person_id limit %(limit)s"
        )
    items, following = page([_person(row) for row in db.rows(sql, params)], query.limit, "person_id")
    return PeopleList(
        **asked.answer,
        population=query.population,
        total=count(query.population, asked, params, db),
        items=tuple(items),
        next=following,
    )


def _person(row: tuple[Any, ...]) -> PersonLine:
    """A line; an assignment whose person's record has not arrived yet has its id and nothing else."""
    person_id, division, state, level, basis, community, until = row
    return PersonLine(
        person_id=person_id,
        division=division or "",
        state=state or "",
        level=level or "none",
        talent_basis=basis or "none",
        community_worker=bool(community),
        registration_until=until,
    )
