"""A matching run as an operator does it: `banyan match` through the gateway, to a real serve and work; and its files over HTTP."""

from __future__ import annotations

import io
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import msgspec
import pytest
from typer.testing import CliRunner

from banyan.cli import match
from banyan.contracts import matching as m
from banyan.kernel.context import Caller
from banyan.kernel.message import Command, Query
from banyan.kernel.refusal import Refused
from banyan.runtime.host.app import system_token
from banyan.testkit.owned import create_database, create_vhost, drop_database, drop_vhost, lent
from services.matching.optimum.certificate import Certificate, arrays_of
from tests.flows.gateway_processes import gateway
from tests.instance import Instance, instance
from tests.rules.matching_given import COUNTY, DUTY, LEAD, SYSTEM, TOWN, call_for_help, caller, keep

WAIT_S = 30.0
ANALYST = caller("acc-analyst", ("analyst", COUNTY))


@dataclass
class Office:
    """Matching behind its gateway; whoever calls has a token of their own."""

    running: Instance
    http: httpx.Client

    def token(self, who: Caller) -> str:
        """A token of ten minutes."""
        return system_token(self.running.keys, who)

    def call(self, who: Caller, message: Command | Query) -> dict[str, Any]:
        """One RPC call."""
        body, key = msgspec.json.encode(message), str(uuid.uuid4())
        answer = self.running.client.call("matching", message.method(), body, token=self.token(who), key=key)
        found: dict[str, Any] = msgspec.json.decode(answer)
        return found

    def waiting(self) -> str:
        """A call for help, assessed; answers its id."""
        taken = call_for_help()
        id = str(self.call(LEAD, taken)["id"])
        same = {name: getattr(taken, name) for name in ("field", "functions")}
        self.call(LEAD, m.TriageRequest(request_id=id, urgency=1, **same))
        return id

    def state(self, id: str) -> str:
        """The request's state."""
        return str(self.call(LEAD, m.RequestDetail(request_id=id))["state"])

    def match(self, *arguments: str, ends: int = 0) -> str:
        """`banyan match …` as the duty officer; answers what it says."""
        done = self._match(arguments, {})
        assert done.exit_code == ends, (done.output, done.exception)
        return done.output

    def refused(self, *arguments: str, **env: str) -> Refused:
        """The same, of what is refused; `env` beside token and address, or instead of them."""
        done = self._match(arguments, env)
        assert isinstance(done.exception, Refused), (done.output, done.exception)
        return done.exception

    def _match(self, arguments: Sequence[str], env: Mapping[str, str]) -> Any:
        own = {"BANYAN_TOKEN": self.token(DUTY), "BANYAN_URL": str(self.http.base_url)}
        return CliRunner().invoke(match.app, list(arguments), env=own | env)

    def file(self, who: Caller | None, run_id: str, name: str, **headers: str) -> httpx.Response:
        """A file of a run over HTTP."""
        bearer = {"Authorization": f"Bearer {self.token(who)}"} if who else {"Authorization": ""}
        return self.http.get(f"/v1/runs/{run_id}/{name}", headers=bearer | headers)


@pytest.fixture(scope="module")
def office(postgres: Any, rabbit: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Two workers of one place each, and nobody who has called yet."""
    tmp_path = tmp_path_factory.mktemp("office")
    with (
        lent(partial(create_database, postgres.url), partial(drop_database, postgres.url)) as database,
        lent(partial(create_vhost, rabbit.url, rabbit.admin_url), partial(drop_vhost, rabbit.admin_url)) as vhost,
        instance(tmp_path, database, vhost, ("services.matching",)) as running,
        gateway(vhost, tmp_path) as http,
    ):
        found = Office(running, http)
        for n in range(2):
            found.call(SYSTEM, keep(n, weekly_capacity=1))
        yield found


def until(true: Callable[[], bool]) -> None:
    """Polls; fails after half a minute."""
    ends = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.05)


def id_in(said: str) -> str:
    """The first run that is named."""
    return next(word for word in said.replace("；", " ").split() if word.startswith("mr-"))


def test_an_officer_orders_looks_at_verifies_and_confirms_a_run_from_a_shell(office: Office) -> None:
    ids = [office.waiting() for _ in range(3)]
    until(lambda: [office.state(id) for id in ids] == ["proposed"] * 3)
    said = office.match("run", "--division", COUNTY, "--reason", "台风过后集中派单")
    assert "已算出，待确认：需求 3 件，可派出 2 件（先到先得 2 件）" in said and "optimal_all_pairs" in said
    run_id = id_in(said)
    assert "最优" in office.match("verify", run_id)
    assert office.refused("explain", run_id, ids[0], "--worker", "a-w9").code == "not_in_run"
    told = [office.match("explain", run_id, id, "--worker", "a-w0") for id in ids]
    assert sum("没有派给任何人" in each for each in told) == 1 and all("a-w0" in each for each in told)
    assert [office.state(id) for id in ids] == ["proposed"] * 3, "nothing is sent before it is confirmed"
    figures = office.match("runs", run_id)
    assert "按县（市、区），少的在前：\n  350203000000 2/3（66%）" in figures and "较急 2/3（66%）" in figures
    assert "派出后社工名额已用：100% 2 人" in figures
    assert "已派出" in office.match("confirm", run_id)
    assert sorted(office.state(id) for id in ids) == ["dispatched", "dispatched", "proposed"]

    whole = office.file(DUTY, run_id, "certificate")
    proof = Certificate.from_arrays(arrays_of(io.BytesIO(whole.content)))
    assert (whole.status_code, proof.status, proof.objective == proof.bound) == (200, "optimal_all_pairs", True)
    part = office.file(DUTY, run_id, "certificate", Range="bytes=4-9")
    assert (part.status_code, part.content) == (206, whole.content[4:10])
    for who, status, code in (
        (LEAD, 403, "not_allowed"),
        (ANALYST, 403, "not_allowed"),
        (caller("acc-far", ("duty_officer", "350100000000")), 404, "not_found"),
        (None, 401, "unauthenticated"),
    ):
        for name in ("inputs", "certificate"):
            refused = office.file(who, run_id, name)
            assert (refused.status_code, refused.json()["code"]) == (status, code), (who, name)
    assert office.file(caller("acc-audit", ("audit_admin", TOWN[:6] + "000000")), run_id, "inputs").status_code == 200


def test_runs_are_found_again_after_the_window_was_closed_and_one_is_given_up_with_its_reason(office: Office) -> None:
    office.waiting()
    first = id_in(office.match("run", "--division", COUNTY, "--reason", "先试一次", "--deadline", "1"))
    overlapping = office.refused("run", "--division", TOWN, "--reason", "再试一次")
    assert (overlapping.code, overlapping.facts["run_id"]) == ("run_overlaps", first)
    assert f"{first} 已取消：需求 2 件" in office.match("cancel", first, "--reason", "改范围")
    second = id_in(office.match("run", "--division", TOWN, "--reason", "再试一次"))
    listed = office.match("runs")
    assert listed.index(second) < listed.index(first) and "先试一次" in listed and "（改范围）" in listed
    assert first not in office.match("runs", "--last", "1")
    with pytest.MonkeyPatch.context() as patch:  # another run's files, proved in themselves, are no proof of this one
        sent = next(line.split()[0] for line in listed.splitlines() if "已派出" in line)
        patch.setattr(match.Platform, "file", lambda _, __, name: office.file(DUTY, sent, name).content)
        assert "摘要不符" in office.match("verify", second, ends=1)
    assert office.refused("cancel", first, "--reason", "又一次").code == "wrong_state"
    assert office.refused("confirm", first).facts["state"] == "cancelled"
    assert "（试毕）" in office.match("cancel", second, "--reason", "试毕")


def test_who_asks_wrongly_is_told_so_in_a_sentence(office: Office) -> None:
    none = "mr-01a219dd603c6529c0381e793575da88"
    for words in (("runs", none), ("confirm", none), ("cancel", none, "--reason", "错"), ("verify", none)):
        assert office.refused(*words).code == "not_found", words
    run = ("run", "--division", COUNTY, "--reason")
    for words, code in (
        (("runs", "垃圾"), "not_found"),
        ((*run, " "), "reason_missing"),
        ((*run, "时限", "--deadline", "0"), "bad_deadline"),
        (("run", "--division", "350299000000", "--reason", "试"), "not_found"),
        (("run", "--division", "x", "--reason", "试"), "malformed_division"),
        (("run", "--division", "350100000000", "--reason", "试"), "not_found"),
    ):
        assert office.refused(*words).code == code, words
    assert office.refused("runs", BANYAN_TOKEN=office.token(LEAD)).code == "not_allowed"
    assert office.refused("runs", BANYAN_TOKEN="").code == "unauthenticated"
    for url in ("http://127.0.0.1:9", f"{office.http.base_url}/v1/nowhere", "地址"):
        assert office.refused("runs", BANYAN_URL=url).code in ("gateway_unreachable", "unknown_address"), url
