"""The demo as its user runs it: a county does its main job over HTTP, keeps its promises, can be proved and stopped."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psutil
import pytest

from banyan.cli.laptop import ROOT, Laptop
from services.identity.domain.secrets import codes_of

RUN = "from banyan.cli import main; import sys; sys.exit(main())"
SEED = "7"
LINK = re.compile(r"(?:src|href)=[\"']([^\"']+)")
DEMO_S = 400  # a limit, not a promise


class Operator:
    """Somebody at a shell, with nothing named in the environment: the servers are the demo's own."""

    def __init__(self, folder: Path, keys: Path) -> None:
        own = {"PYTHONPATH": os.pathsep.join([str(ROOT / "libs"), str(ROOT)]), "BANYAN_KEYS": str(keys)}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("BANYAN_")}
        self.folder, self._environment = folder, {**inherited, **own, "PYTHONUTF8": "1", "COLUMNS": "200"}

    def banyan(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """One command of `banyan`."""
        command = [sys.executable, "-c", RUN, *arguments]
        env = {**self._environment, **environment}
        return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=DEMO_S)

    def here(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command for the demo's folder."""
        return self.banyan(*arguments, "--folder", str(self.folder))


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """Who has run `banyan demo` and has not stopped it yet."""
    folder = tmp_path_factory.mktemp("demo")
    found = Operator(folder / "run", folder / "keys")
    folder.chmod(0o755)
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(parent.stat().st_mode | 0o011)  # the servers' own users go through to their folders
    ended = found.here("demo", "--size", "county", "--seed", SEED)
    try:
        assert ended.returncode == 0, (ended.stdout + ended.stderr)[-4000:]
        yield found
    finally:
        found.here("down")


@pytest.fixture(scope="module")
def report(operator: Operator) -> dict[str, Any]:
    """What the demo says of itself."""
    found: dict[str, Any] = json.loads((operator.folder / "report.json").read_text("utf-8"))
    return found


def test_nobody_is_dropped_and_every_request_is_accounted_for(report: dict[str, Any]) -> None:
    assert (report["seed"], report["size"], report["requests"]) == (int(SEED), "county", 60)
    assert report["dropped"] == 0
    assert report["served"] + report["closed_with_reason"] + report["open"] == report["requests"]
    assert report["served"] > report["requests"] // 2
    assert report["served_after_decline"] >= 1 and report["escalated"] >= 1
    assert report["assigned"] == 60 and report["professionals"] > 300 and report["divisions"] > 100
    assert report["figures_agree"] is True


def test_every_stream_is_proved_and_replay_is_equal_also_after_an_erasure(report: dict[str, Any]) -> None:
    assert report["replay_equal"] is True and report["erased_replay_equal"] is True
    streams = {stream["name"]: stream for stream in report["streams"]}
    assert {"identity.reference", "registry.person", "registry.assignment", "matching.request"} <= set(streams)
    assert all(stream["verified"] for stream in streams.values())
    assert all(int(stream["head"]) >= int(stream["position"]) > 0 for stream in streams.values())


def test_a_run_sends_all_who_wait_at_once_and_its_certificate_is_served_to_whom_the_duty_allows(
    report: dict[str, Any],
) -> None:
    batch = report["batch"]
    assert batch["verified"] is True and batch["status"] == "optimal_all_pairs"
    assert batch["objective"] == batch["bound"] > 0
    assert report["requests"] > batch["requests"] >= batch["served"] >= batch["served_first_come"] * 9 // 10
    assert batch["served"] > report["requests"] // 2
    certificate = f"/v1/runs/{batch['run_id']}/certificate"
    with httpx.Client(base_url=report["urls"]["gateway"]) as http:
        login = http.post("/v1/token", json=report["login"]).json()["access_token"]
        refused = http.get(certificate, headers={"Authorization": f"Bearer {login}"})
        assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
        assert http.get(certificate).status_code == 401


def test_the_example_explains_every_term_and_why_not(report: dict[str, Any]) -> None:
    example = report["example"]
    ranked = example["ranking"]["items"]
    assert [item["score"] for item in ranked] == sorted((item["score"] for item in ranked), reverse=True)
    for item in ranked:
        assert item["score"] == sum(term["points"] for term in item["terms"]), "the terms are the whole score"
        assert all(term["title"] and term["facts"] for term in item["terms"])
    assert example["why_not"], "somebody named is told why not"
    assert any(not one["fits"] and one["broken"] for one in example["why_not"]), "and by which rule"


def test_the_page_is_self_contained(operator: Operator, report: dict[str, Any]) -> None:
    page = (operator.folder / "report.html").read_text("utf-8")
    assert f"{report['served']}" in page and "接案" in page and "闽侯县" in page
    outside = [address for address in LINK.findall(page) if not address.startswith(("#", "data:", "tel:"))]
    assert [a for a in outside if not a.startswith(report["urls"]["gateway"])] == [], "it loads nothing from elsewhere"


def test_the_platform_is_left_running_and_well(operator: Operator, report: dict[str, Any]) -> None:
    status = operator.here("status")
    assert status.returncode == 0, status.stdout
    assert "异常" not in status.stdout
    with httpx.Client(base_url=report["urls"]["gateway"]) as http:
        assert http.get("/readyz").json()["silent"] == []
        login = http.post("/v1/token", json=report["login"])
        assert login.status_code == 200, login.text
        bearer = {"Authorization": f"Bearer {login.json()['access_token']}"}
        people = http.post("/v1/registry/find_people", json={"limit": 5}, headers=bearer)
        assert len(people.json()["items"]) == 5
        assert http.post("/v1/registry/find_people", json={"limit": 5}).status_code == 401


def test_the_first_operator_logs_in_with_a_code_and_administers(operator: Operator, report: dict[str, Any]) -> None:
    said = operator.here("seed", "--username", "chief").stdout
    password, address = re.search(r"口令 (\S+)（", said)[1], re.search(r"otpauth://\S+", said)[0]  # type: ignore[index]
    assert "▀" in said, "a code to scan stands below"
    codes = parse_qs(urlsplit(address).query)["secret"][0]
    login = {"username": "chief", "password": password}
    opening = {"division": "350000000000", "issuer": "local", "subject": "second-operator"}
    with httpx.Client(base_url=report["urls"]["gateway"]) as http:

        def opened(**more: str) -> httpx.Response:
            token = http.post("/v1/token", json={**login, **more}).json()["access_token"]
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid.uuid4())}
            return http.post("/v1/identity/open_account", json=opening, headers=headers)

        assert opened().json()["code"] == "not_allowed", "the password alone carries no such duty"
        done = opened(code=codes_of(codes).generate(int(time.time())).decode())
        assert done.status_code == 200, done.text
    assert password not in (operator.folder / "serve.log").read_text("utf-8")
    assert codes not in (operator.folder / "serve.log").read_text("utf-8")


def test_a_worker_logs_in_and_accepts_as_the_guide_says(report: dict[str, Any]) -> None:
    with httpx.Client(base_url=report["urls"]["gateway"]) as http:
        bearer = {
            "Authorization": f"Bearer {http.post('/v1/token', json=report['worker_login']).json()['access_token']}"
        }
        (card,) = http.post("/v1/matching/my_offers", json={}, headers=bearer).json()["items"]
        one = {"request_id": card["request_id"]}
        assert http.post("/v1/matching/request_detail", json=one, headers=bearer).json()["client_name"] is None
        keyed = bearer | {"Idempotency-Key": "0b9f6c0e"}
        answers = [http.post("/v1/matching/accept_offer", json=one, headers=keyed).json() for _ in range(2)]
        assert answers[0]["state"] == "accepted" and answers[0] == answers[1]
        after = http.post("/v1/matching/request_detail", json=one, headers=bearer).json()
        assert (after["client_name"], after["hidden"]) == ("郑望海", [])


def test_a_person_gets_a_copy_a_correction_and_who_looked_over_http(report: dict[str, Any]) -> None:
    with httpx.Client(base_url=report["urls"]["gateway"]) as http:
        login = http.post("/v1/token", json=report["worker_login"]).json()
        bearer = {"Authorization": f"Bearer {login['access_token']}"}

        def asked(method: str, **body: Any) -> httpx.Response:
            return http.post(f"/v1/registry/{method}", json=body, headers=bearer | {"Idempotency-Key": method})

        copy = asked("get_own_copy").json()
        person = copy["person"]["id"]
        assert copy["person"]["document"] and copy["purposes"]["phone"]
        assert asked("correct_own_record", person_id=person, phone="13987654321").status_code == 200
        assert asked("get_own_copy").json()["person"]["phone"] == "+8613987654321"
        looks = asked("who_looked", person_id=person).json()["items"]
        own = [look for look in looks if look["actor"] == login["account_id"]]
        assert {"get_own_copy", "correct_own_record"} <= {look["method"] for look in own}
        assert any("phone" in look["fields"] for look in own), "which fields were opened is told"
        assert {look["actor"] for look in looks} - {login["account_id"]}, "officers who looked or decided are there too"
        assert asked("who_looked", person_id="p-somebody-else").json()["code"] == "not_found"


def _auditor(operator: Operator) -> str:
    made = operator.here("token", "auditor", "audit_admin")
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def test_a_stream_is_verified_over_http_as_its_reader_does_it(operator: Operator, report: dict[str, Any]) -> None:
    gateway, token = report["urls"]["gateway"], _auditor(operator)
    proved = operator.banyan("verify", gateway, "--stream", "matching.request", BANYAN_TOKEN=token)
    assert proved.returncode == 0, proved.stdout + proved.stderr
    assert "完整" in proved.stdout
    refused = operator.banyan("verify", gateway, "--stream", "matching.request", BANYAN_TOKEN="not-a-token")
    assert refused.returncode == 2


def test_a_backup_is_restored_beside_data_moved_aside_and_who_was_erased_since_stays_erased(
    operator: Operator, report: dict[str, Any], tmp_path: Path
) -> None:
    def asked(method: str, duty: str, **body: Any) -> dict[str, Any]:
        token = operator.here("token", "restorer", duty).stdout.strip()
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid.uuid4())}
        answer = httpx.post(f"{report['urls']['gateway']}/v1/registry/{method}", json=body, headers=headers, timeout=30)
        found: dict[str, Any] = answer.json()
        return found

    assert operator.here("backup", str(tmp_path / "kept")).returncode == 0
    first, second = (line["id"] for line in asked("find_people", "registrar", limit=2)["items"])
    assert asked("erase_person", "privacy_officer", person_id=first, reason="本人请求")["state"] == "erased"
    time.sleep(3)  # the ledger is written each second
    assert operator.here("down").returncode == 0
    for server in ("postgres", "rabbit"):
        (operator.folder / server).rename(operator.folder / f"{server}.aside")
    restored = operator.here("restore", str(tmp_path / "kept"))
    assert restored.returncode == 0, restored.stdout + restored.stderr
    assert operator.here("up").returncode == 0
    until = time.monotonic() + 30
    while "items" not in (page := asked("find_people", "registrar", limit=1)) and time.monotonic() < until:
        time.sleep(0.5)
    assert [line["id"] for line in page["items"]] == [second]
    assert operator.here("status").returncode == 0


def test_down_leaves_nothing_running(operator: Operator, report: dict[str, Any]) -> None:
    laptop = Laptop(operator.folder)
    running = [laptop.process(name) for name in laptop.processes]
    ports = [laptop.postgres.port, laptop.rabbit.port, urlsplit(report["urls"]["gateway"]).port]
    assert all(running) and all(_open(port) for port in ports)
    assert operator.here("down").returncode == 0
    assert not any(process.is_running() for process in running if process is not None)
    assert not any(_open(port) for port in ports)
    left = [p.info for p in psutil.process_iter(["pid", "cmdline"]) if str(operator.folder) in str(p.info["cmdline"])]
    assert left == []
    assert (operator.folder / "report.json").exists(), "no data is deleted"


def _open(port: int | None) -> bool:
    with socket.socket() as tried:
        tried.settimeout(2)
        return tried.connect_ex(("127.0.0.1", port or 0)) == 0
