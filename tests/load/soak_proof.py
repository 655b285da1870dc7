"""What the soak proves once all is quiet: each order stands once, the figures agree with the services and the callers,
replay is equal, every stream and audit trail is whole, nobody is without a holder, and everything runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import psycopg

from banyan.cli.laptop import Laptop
from banyan.cli.processes import SERVICES
from banyan.cli.replay import rebuilt
from banyan.cli.status import findings
from banyan.cli.verify import verify
from banyan.contracts import matching, registry
from banyan.demo import proof
from banyan.demo.stage import Stage
from banyan.vault.keys import KeyFolder
from tests.load.soak_callers import EVENTS, Ledger
from tests.load.soak_readers import STREAM, Reader, caught_up

QUIET_S, LOOK_S, STILL = 180.0, 1.0, 3
TOLD = (
    "select type, subject, count(*) from (select type, convert_from(body, 'UTF8')::jsonb ->> 'subject' as subject from log)"
    " events where type = any(%s) group by type, subject"
)
UNDONE = (
    "select (select count(*) from outbox), (select coalesce(sum(position - published), 0) from stream),"
    " (select count(*) from parked), (select count(*) from unsealed)"
)
COUNTS = (
    "select count(*), count(*) filter (where body #>> '{accepted_at}' is not null), count(*) filter (where holder is null"
    " and ending is null) from request"
)
PROFESSIONAL = (
    "select count(*) from person where state in ('approved', 'active', 'lapsed', 'suspended')"
    " and body #>> '{talent_basis}' <> 'none' and body #>> '{merged_into}' is null"
)
AUDIT_PAGE = 200


def differences(told: Counter[tuple[str, str]], stands: Counter[tuple[str, str]]) -> Iterator[str]:
    """What was answered positively and stands nowhere, or stands more often than it was answered; by event and record."""
    for what, difference in (("丢失", told - stands), ("多出", stands - told)):
        for (name, record), count in sorted(difference.items()):
            yield f"{what} {count} 个 {name}：{record}"


class Proof:
    """One instance, before and after. `before` is what stood when the callers began."""

    def __init__(self, laptop: Laptop, stage: Stage, ledger: Ledger) -> None:
        self._laptop, self._stage, self._ledger = laptop, stage, ledger
        self._before = self._events()
        self._professionals = self._rows("registry", PROFESSIONAL)[0][0]

    def wrong(self, readers: Sequence[Reader], say: Callable[[str], object]) -> list[str]:
        """Every sentence names something that is not as it must be."""
        found = [f"callers: {each}" for each in self._ledger.strange]
        steps: tuple[tuple[str, Callable[[], Iterator[str]]], ...] = (
            ("等待一切平息", self._unquiet),
            ("逐条核对指令与事件", self._orders),
            ("核对统计、各库与客户端三方数字", self._figures),
            ("重放统计表", self._replay),
            ("核验全部事件流", self._streams),
            ("核验审计记录", self._audits),
            ("核对各读者", lambda: self._readers(readers)),
            ("平台各部分的状况", self._parts),
        )
        for title, step in steps:
            say(f"{title}……")
            found += step()
        return found

    def _rows(self, service: str, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        url = self._laptop.postgres.url_of(f"{self._laptop.state['prefix']}{service}")
        with psycopg.connect(url) as connection:
            return connection.execute(sql, parameters or None).fetchall()

    def _events(self) -> Counter[tuple[str, str]]:
        """How often each event of ours stands in the logs, by record."""
        types = [event.type_name() for event in EVENTS.values()]
        found: Counter[tuple[str, str]] = Counter()
        for service in ("registry", "matching"):
            found.update({(name, record): n for name, record, n in self._rows(service, TOLD, types)})
        return found

    def _stands(self) -> Any:
        """Positions, cursors and what is still to be done, which stand still once all is quiet."""
        logs = [self._rows(service, "select name, position from stream order by name") for service in SERVICES]
        cursors = self._rows("insight", "select stream, position from cursor order by stream, subscription")
        return logs, cursors, [self._rows(service, UNDONE)[0] for service in SERVICES]

    def _unquiet(self) -> Iterator[str]:
        until, still, before = time.monotonic() + QUIET_S, 0, None
        while still < STILL and time.monotonic() < until:
            now = self._stands()
            still = still + 1 if now == before and not any(map(any, now[2])) else 0
            before = now
            time.sleep(LOOK_S)
        if still < STILL:
            yield f"{QUIET_S:.0f} 秒内未平息：（发件箱、待确认、搁置、未封存）{before[2] if before else ''}"

    def _orders(self) -> Iterator[str]:
        """Each positive answer has its event once, and no event is without an order."""
        yield from differences(self._ledger.events, self._events() - self._before)

    def _figures(self) -> Iterator[str]:
        """insight, the services' databases and the callers count the same."""
        api, analyst, area = self._stage.api, self._stage["analyst"], self._stage.world.area
        told = api.ask(analyst, "insight", "request_figures", division=area)["all"]["figures"]
        people = api.ask(analyst, "insight", "people", division=area)["figures"]["professional"]
        taken, _, lost = self._rows("matching", COUNTS)[0]
        ours = {
            "taken": len(self._ledger.records(matching.RequestTaken)),
            "accepted": len(self._ledger.records(matching.OfferAccepted)),
            "served": len(self._ledger.records(matching.ServiceStarted)),
            "declined": len(self._ledger.records(matching.OfferDeclined)),
            "ended": len(
                self._ledger.records(matching.RequestClosed) | self._ledger.records(matching.RequestFollowedUp)
            ),
        }
        yield from (f"{name}：统计 {told[name]}，客户端 {mine}" for name, mine in ours.items() if told[name] != mine)
        if taken != ours["taken"]:
            yield f"受理：库中 {taken}，客户端 {ours['taken']}"
        if lost:
            yield f"{lost} 件既无经办人也无理由"
        stand = self._rows("registry", PROFESSIONAL)[0][0]
        approved = self._professionals + len(self._ledger.records(registry.PersonApproved))
        if not stand == people == approved:
            yield f"人才：库中 {stand}，统计 {people}，客户端 {approved}"

    def _replay(self) -> Iterator[str]:
        report = rebuilt(self._laptop, "insight", lambda *_: None)
        yield from (f"重放不一致：{difference}" for difference in report.differences)

    def _streams(self) -> Iterator[str]:
        for stream in proof.streams(self._stage, KeyFolder(self._laptop.key_folder)):
            if not stream["verified"] or int(stream["head"]) < int(stream["position"]):
                yield f"事件流 {stream['name']}：{stream['said']}"

    def _audits(self) -> Iterator[str]:
        public = KeyFolder(self._laptop.key_folder).public_keys()
        for service in SERVICES:
            rows = self._rows(service, "select count(*) from seal")[0][0]
            report = verify(self._audit(service), public_keys=public, complete=True)
            if not report.whole or report.position < rows:
                yield f"审计记录 {service}：{report.sentence}（共 {rows} 行）"

    def _audit(self, service: str) -> Iterator[bytes]:
        after = 0
        while True:
            query: dict[str, Any] = {"after": after, "limit": AUDIT_PAGE}
            answer = self._stage.api.get(self._stage["auditor"], f"/v1/audit/{service}", **query)
            page = msgspec.json.decode(answer.content, type=list[msgspec.Raw])
            if not page:
                return
            yield from map(bytes, page)
            after += len(page)

    def _readers(self, readers: Sequence[Reader]) -> Iterator[str]:
        position = self._rows("matching", "select position from stream where name = %s", STREAM)[0][0]
        yield from caught_up(readers, position, time.monotonic() + QUIET_S)
        public = KeyFolder(self._laptop.key_folder).public_keys()
        for reader in readers:
            reader.stopped.set()
            report = verify(list(reader.items), public_keys=public)
            if not report.whole:
                yield f"{reader.name}：{report.sentence}"

    def _parts(self) -> Iterator[str]:
        yield from (f"{part}：{seen}" for part, well, seen, _ in findings(self._laptop) if not well)
