"""Setting the stage: reference data, officers, professionals by import, assignments, duty rosters."""

from __future__ import annotations

import datetime as dt
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from banyan.cli.laptop import Laptop
from banyan.cli.processes import SERVICES
from banyan.cli.seed import Seeder
from banyan.contracts.identity import LinkPerson
from banyan.demo.api import Actor, Api
from banyan.demo.world import PROVINCE, World, as_csv, assignment
from banyan.kernel.context import SHANGHAI, Grant
from banyan.runtime.host import clock

BULK = 500
LEADS = ("station_lead",)
Progress = Callable[[str, int, int], None]  # step, done, of


@dataclass
class Stage:
    """Everybody who acts, and the people as the platform knows them."""

    world: World
    api: Api
    progress: Progress
    actors: dict[str, Actor] = field(default_factory=dict)
    people: list[dict[str, Any]] = field(default_factory=list)
    workers: dict[str, Actor] = field(default_factory=dict)  # assignment id → who answers for it
    places: dict[str, int] = field(default_factory=dict)  # assignment id → requests at once
    seconds: dict[str, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Actor:
        return self.actors[name]


def set_up(laptop: Laptop, stage: Stage, say: Callable[[str], object]) -> None:
    """All of it, in the order in which a province would do it."""
    say("载入区划、工作日、政策数据与公钥，开立经办人员账户……")
    seeder = Seeder(laptop.settings())
    seeder.reference(SERVICES)
    _accounts(seeder, stage)
    password, address = seeder.operator("operator")
    say(f"系统管理员 operator，口令 {password}；登录还须动态口令，验证器地址 {address}")
    seeder.close()
    _wait_for_reference(stage)
    say(f"批量录入 {stage.world.professionals} 名社会工作专业人才（由种子 {stage.world.seed} 生成，非真实人员）……")
    _import(stage)
    _approve(stage)
    _assign(stage)
    _wait_for_workers(stage)
    _rosters(stage)


def _accounts(seeder: Seeder, stage: Stage) -> None:
    """Officers log in over HTTP with passwords of their own; duties lie apart where the rules want them apart."""
    area, city = stage.world.area, stage.world.area[:4] + "00000000"
    city = city if stage.world.size == "county" else PROVINCE
    wanted = {
        "registrar": ("县登记审核员", ("registrar",), area),
        "lead": ("社工站站长", ("station_lead",), area),
        "desk": ("求助热线（服务账户）", ("service_account",), area),
        "duty1": ("县值班员甲", ("duty_officer",), area),
        "duty2": ("县值班员乙", ("duty_officer",), area),
        "city1": ("市值班员甲", ("duty_officer",), city),
        "city2": ("市值班员乙", ("duty_officer",), city),
        "province1": ("省值班员甲", ("duty_officer",), PROVINCE),
        "province2": ("省值班员乙", ("duty_officer",), PROVINCE),
        "analyst": ("统计分析员", ("analyst",), PROVINCE),
    }
    for username, (title, duties, division) in wanted.items():
        account, password = seeder.account(username, duties, division)
        grants = tuple(Grant(duty=duty, division=division) for duty in duties)
        stage.actors[username] = Actor(account, title, grants, username=username, password=password)
    account, password = seeder.partner("partner", SERVICES)
    grants = (Grant(duty="partner", division=PROVINCE),)
    stage.actors["partner"] = Actor(account, "订阅方系统", grants, username="partner", password=password)
    apart = {"auditor": ("审计管理员", "audit_admin"), "privacy": ("个人信息保护负责人", "privacy_officer")}
    for username, (title, duty) in apart.items():
        stage.actors[username] = Actor(f"a-demo-{username}", title, (Grant(duty=duty, division=PROVINCE),))


def log_in(laptop: Laptop, stage: Stage, worker_id: str) -> Actor:
    """A worker with an account and a password of their own, as on a mini-program."""
    worker = stage.workers[worker_id]
    seeder = Seeder(laptop.settings())
    account, password = seeder.account("lin.worker", ("worker",), stage.world.area)
    seeder.run((f"demo:person:{account}", LinkPerson(account_id=account, person_id=str(worker.person))))
    seeder.close()
    return Actor(account, worker.title, worker.grants, worker.person, "lin.worker", password)


def _wait_for_reference(stage: Stage) -> None:
    """Until every service has its copy of divisions and figures, which come by event."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = stage.api.ask(stage["lead"], "matching", "requests", limit=1)
        people = stage.api.ask(stage["analyst"], "insight", "people", division=stage.world.area)
        if "items" in found and people["denominators"]["villages"]:
            return
        time.sleep(0.5)


def _import(stage: Stage) -> None:
    """One CSV file, uploaded in parts and taken in by a resumable job; then everybody's id is read back."""
    registrar, api = stage["registrar"], stage.api
    rows = stage.world.rows()
    content = as_csv(rows)
    uploaded = api.upload(registrar, "people.csv", content, stage.world.area)
    started = time.monotonic()
    job = api.command(
        registrar,
        "registry",
        "start_import",
        division=stage.world.area,
        digest=uploaded["digest"],
        format="csv",
        submit=True,
    )
    while True:
        view = api.ask(registrar, "registry", "get_import", import_id=job["id"])
        stage.progress("批量录入", view["done"], max(len(rows), 1))
        if view["state"] != "waiting":
            break
        time.sleep(0.3)
    stage.seconds["import"] = round(time.monotonic() - started)
    if view["state"] == "failed" or view["refused"]:
        raise RuntimeError(f"录入未能全部完成：{view}")


def _submitted(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    page: dict[str, Any] = {}
    while page.get("next") or not page:
        more = {"next": page["next"]} if page else {}
        page = stage.api.ask(stage["registrar"], "registry", "find_people", state="submitted", limit=500, **more)
        found += page["items"]
        stage.progress("读取待审核人员", len(found), stage.world.professionals)
    return found


def _approve(stage: Stage) -> None:
    """The county approves everybody whose evidence it has seen, 500 at a time; each gets an answer of its own."""
    people = _submitted(stage)
    chunks = [people[n : n + BULK] for n in range(0, len(people), BULK)]

    def approve(chunk: list[dict[str, Any]]) -> list[dict[str, Any]]:
        items = [{"person_id": person["id"]} for person in chunk]
        answers = stage.api.command(stage["registrar"], "registry", "approve_people", items=items)["items"]
        return [p for p, answer in zip(chunk, answers, strict=True) if "done" in answer]

    for done in stage.api.all_of([partial(approve, chunk) for chunk in chunks], threads=2):
        stage.people += done
        stage.progress("审核", len(stage.people), len(people))


def _assign(stage: Stage) -> None:
    """Stations order assignments for some of them, which confirms these; matching learns it by event."""
    draw = random.Random(stage.world.seed + 1)
    chosen = draw.sample(stage.people, stage.world.assigned)
    items = [assignment(stage.world, draw, person) for person in chosen]
    for start in range(0, len(items), BULK):
        chunk = items[start : start + BULK]
        answers = stage.api.command(stage["lead"], "registry", "open_assignments", items=chunk)["items"]
        for item, answer in zip(chunk, answers, strict=True):
            if "done" not in answer:
                raise RuntimeError(f"服务任职未能开始：{answer}")
            person = item["person_id"]
            grants = (Grant(duty="worker", division=item["area"]),)
            id = answer["done"]["id"]
            stage.workers[id] = Actor(f"w-{person}", "社会工作者", grants, person=person)
            stage.places[id] = item["weekly_capacity"]
        stage.progress("服务任职", min(start + BULK, len(items)), len(items))


def _wait_for_workers(stage: Stage) -> None:
    """Until matching has learnt every assignment, which comes by event, and insight has counted them."""
    until = time.monotonic() + 120
    known = 0
    while known < stage.world.assigned and time.monotonic() < until:
        known = stage.api.ask(stage["analyst"], "insight", "loads", division=stage.world.area)["workers"]
        stage.progress("供需对接得知的社工", known, stage.world.assigned)
        time.sleep(0.3)


def _rosters(stage: Stage) -> None:
    """Who is on duty at each tier; a tier without a roster is passed over at once."""
    today = clock.utc_now().astimezone(SHANGHAI).date()
    until = today + dt.timedelta(days=60)
    tiers = [(stage.world.area, ("duty1", "duty2"))]
    if stage.world.size == "county":
        tiers.append((stage.world.area[:4] + "00000000", ("city1", "city2")))
        tiers.append((PROVINCE, ("province1", "province2")))
    for division, names in tiers:
        turns = [
            {"account": stage[name].account, "since": str(today), "until": str(until), "rank": rank}
            for rank, name in enumerate(names, 1)
        ]
        officer = stage[names[0]]
        stage.api.command(officer, "matching", "open_roster", division=division, turns=turns)
