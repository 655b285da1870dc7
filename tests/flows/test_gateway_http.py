"""The gateway over HTTP: what comes in clearly goes through, what does not is refused clearly."""

from __future__ import annotations

import hashlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from banyan.testkit.detached import free_port
from tests.flows.gateway_processes import FREELY, TOKEN, StandIns, gateway, key, refusal, stand_ins
from tests.flows.rpc_processes import ROOT, environment, wait_until

APPROVE = "/v1/registry/approve_person"
FIGURES = "/v1/identity/find_figures"


@pytest.fixture(scope="module")
def house(rabbit: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StandIns, str, httpx.Client]]:
    folder = tmp_path_factory.mktemp("gateway")
    with stand_ins(rabbit, folder) as (services, url), gateway(url, folder) as http:
        yield services, url, http


@pytest.fixture
def services(house: tuple[StandIns, str, httpx.Client]) -> StandIns:
    return house[0]


@pytest.fixture
def http(house: tuple[StandIns, str, httpx.Client]) -> httpx.Client:
    return house[2]


def test_a_command_goes_through_with_its_key_trace_and_very_bytes(services: StandIns, http: httpx.Client) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {**key(), "traceparent": trace, "Content-Type": "application/json; charset=utf-8"}
    answer = http.post(APPROVE, content=b'{ "person_id":"p1"}', headers=headers)
    assert answer.status_code == 200 and answer.json() == {"id": "", "version": 0}
    service, method, given, passed, body = services.calls()[-1]
    assert (service, method, body) == ("registry", "approve_person", '{ "person_id":"p1"}')
    assert given == headers["Idempotency-Key"]
    assert passed is not None and passed[3:35] == trace[3:35] == answer.headers["traceparent"][3:35]


def test_a_hundred_callers_on_one_key_all_pass_that_key(services: StandIns, http: httpx.Client) -> None:
    one = key()
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: http.post(APPROVE, json={"person_id": "same"}, headers=one), range(100)))
    assert {answer.status_code for answer in answers} == {200}
    keys = [call[2] for call in services.calls() if json.loads(call[4]) == {"person_id": "same"}]
    assert keys == [one["Idempotency-Key"]] * 100


def test_a_command_without_a_key_is_refused_and_reaches_nobody(services: StandIns, http: httpx.Client) -> None:
    before = len(services.calls())
    refusal(http.post(APPROVE, json={"person_id": "p1"}), 400, "key_missing")
    long = {"Idempotency-Key": "k" * 201}
    refusal(http.post(APPROVE, json={"person_id": "p1"}, headers=long), 422, "bad_input")
    assert len(services.calls()) == before


def test_an_unknown_field_is_the_services_refusal_passed_through(http: httpx.Client) -> None:
    answer = http.post(APPROVE, json={"person_id": "p1", "persn": 1}, headers=key())
    assert "persn" in refusal(answer, 422, "bad_input")["facts"]["detail"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("unauthenticated", 401), ("not_allowed", 403), ("not_found", 404), ("wrong_state", 409),
        ("stale_version", 409), ("document_taken", 409), ("part_uploaded", 422), ("document_checksum", 422),
        ("audit_unsealed", 503), ("deadline_past", 504), ("never_heard_of", 422),
    ],
)  # fmt: skip
def test_each_refusal_of_a_service_has_its_status_and_keeps_its_facts(
    code: str, status: int, http: httpx.Client
) -> None:
    answer = http.post(FIGURES, json={"name": f'refuse:{code} {{"on": "甲", "n": 3}}'})
    assert refusal(answer, status, code)["facts"] == {"on": "甲", "n": 3}


def test_tokens_that_are_missing_forged_or_no_bearer(http: httpx.Client) -> None:
    anonymous = httpx.Client(base_url=http.base_url, trust_env=False)
    for given in ({}, {"Authorization": "Bearer forged"}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer"}):
        answer = anonymous.post(FIGURES, json={}, headers=given)
        refusal(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert anonymous.get("/.well-known/jwks.json").json() == {"keys": []}


def test_addresses_methods_types_and_deadlines_that_do_not_fit(http: httpx.Client) -> None:
    refusal(http.get("/nothing"), 404, "unknown_address")
    refusal(http.post("/v1/registry/do_magic", json={}), 404, "unknown_command")
    refusal(http.post("/v1/amq/gen", json={}), 404, "unknown_command")
    wrong = http.get(APPROVE)
    assert refusal(wrong, 405, "wrong_method") and wrong.headers["allow"] == "POST"
    refusal(http.post(FIGURES, content=b"{}", headers={"Content-Type": "text/plain"}), 415, "wrong_content_type")
    for given in ("0", "30001", "-1", "1.5", "soon", "１０"):
        headers = [(b"Request-Timeout-Ms", given.encode()), (b"Content-Type", b"application/json")]
        refusal(http.post(FIGURES, content=b"{}", headers=headers), 422, "bad_input")


def test_a_batch_answers_item_by_item_and_takes_no_commands(http: httpx.Client) -> None:
    reads = [
        {"service": "identity", "method": "find_duties"},
        {"service": "identity", "method": "find_figures", "body": {"name": "refuse:not_allowed"}},
        {"service": "registry", "method": "approve_person", "body": {"person_id": "p1"}},
        {"service": "registry", "method": "nothing"},
    ]
    items = http.post("/v1/batch", json={"reads": reads}).json()["items"]
    assert items[0] == {"answer": {"items": []}}
    assert [item["problem"]["code"] for item in items[1:]] == ["not_allowed", "only_queries", "unknown_command"]
    for wrong in ({"reads": []}, {"reads": reads * 6}, {"read": reads}):
        refusal(http.post("/v1/batch", json=wrong), 422, "bad_input")


def test_a_token_by_password_by_client_secret_and_by_refresh(services: StandIns, http: httpx.Client) -> None:
    answer = http.post("/v1/token", json={"username": "li", "password": "right"})
    told = answer.json()
    session, _, secret = told["refresh_token"].partition(".")
    assert (told["access_token"], told["token_type"], session) == ("good", "Bearer", "s1")
    assert told["expires_in"] > 0 and answer.headers["cache-control"] == "no-store"
    logged_in = json.loads(services.calls()[-2][4])
    assert (logged_in["secret"], len(secret)) == (secret, 43)
    assert http.post("/v1/token", json={"client_id": "a2", "client_secret": "right"}).status_code == 200
    assert http.post("/v1/token", json={"refresh_token": f"s9.{'x' * 43}"}).json()["refresh_token"].startswith("s9.")
    refusal(http.post("/v1/token", json={"username": "li", "password": "wrong"}), 401, "unauthenticated")
    for wrong in ({}, {"username": "li"}, {"username": "li", "password": "right", "refresh_token": "s.x"}):
        refusal(http.post("/v1/token", json=wrong), 422, "bad_input")


def test_an_upload_reaches_the_registry_in_parts_under_one_digest(services: StandIns, http: httpx.Client) -> None:
    content = b"\x00\xff" * 350_000
    before = len(services.calls())
    sent = {"files": {"file": ("a.csv", content, "text/csv")}, "data": {"division": "350211000000"}}
    answer = http.post("/v1/uploads", headers=key(), **sent)  # type: ignore[arg-type]
    digest = hashlib.sha256(content).hexdigest()
    assert answer.json() == {"digest": digest, "size": 700_000, "content_type": "text/csv"}
    who, *parts = services.calls()[before:]
    assert who[1] == "who_am_i" and {part[1] for part in parts} == {"add_upload"}
    bodies = [json.loads(part[4]) for part in parts]
    assert [body["part"] for body in bodies] == [0, 1]
    assert {(body["digest"], body["parts"], body["division"]) for body in bodies} == {(digest, 2, "350211000000")}


def test_uploads_of_strangers_too_large_or_no_form(services: StandIns, http: httpx.Client) -> None:
    before = len(services.calls())
    form = {"data": {"division": "350211000000"}}
    small, large = {"file": ("a.csv", b"x")}, {"file": ("a.csv", b"x" * 20_000_001)}
    stranger = httpx.Client(base_url=http.base_url, trust_env=False, headers=key())
    refusal(stranger.post("/v1/uploads", files=small, **form), 401, "unauthenticated")
    refusal(http.post("/v1/uploads", files=large, headers=key(), **form), 413, "too_large")
    refusal(http.post("/v1/uploads", files=small, headers=key()), 422, "bad_input")
    refusal(http.post("/v1/uploads", json={}, headers=key()), 415, "wrong_content_type")
    headers = {**key(), "Content-Type": "multipart/form-data; boundary=b"}
    for body in (b"", b"nothing of the kind", b"--b\r\nContent-Disposition: form-data; name=file\r\n\r\ncut off"):
        refusal(http.post("/v1/uploads", content=body, headers=headers), 422, "bad_input")
    assert "add_upload" not in [call[1] for call in services.calls()[before:]]


def test_who_asks_too_often_waits_and_nobody_else_does(
    house: tuple[StandIns, str, httpx.Client], tmp_path: Any
) -> None:
    rates = {**FREELY, "http_account_rate": 1, "http_account_burst": 3}
    token = "e30.eyJzdWIiOiJhMSJ9.x"  # {"sub":"a1"}
    with gateway(house[1], tmp_path, rates) as http:
        first, *_, last = [http.get("/", headers={"Authorization": f"Bearer {token}"}) for _ in range(4)]
        assert first.status_code == 200
        assert int(last.headers["retry-after"]) >= 1 and refusal(last, 429, "rate_limited")
        assert http.get("/").status_code == 200 and http.get("/healthz").status_code == 200


def test_the_page_health_and_figures(http: httpx.Client) -> None:
    page = http.get("/")
    assert 'lang="zh-CN"' in page.text and "http://" not in page.text and "https://" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert http.get("/healthz").json() == {"alive": True}
    ready = http.get("/readyz")
    assert ready.status_code == 200 and set(ready.json()["services"].values()) == {"ok"}
    refusal(http.get("/metrics"), 404, "unknown_address")


def test_without_services_it_is_alive_not_ready_and_says_which(vhost: str, tmp_path: Any) -> None:
    with gateway(vhost, tmp_path) as http:
        assert http.get("/healthz").status_code == 200
        ready = http.get("/readyz")
        assert ready.status_code == 503 and ready.json()["services"]["registry"] == "unknown_service"
        assert ready.json()["ready"] is False
        answer = http.post(FIGURES, json={}, headers=TOKEN)
        assert refusal(answer, 503, "unknown_service") and answer.headers["retry-after"]


def test_the_process_serves_and_ends_on_sigterm(house: tuple[StandIns, str, httpx.Client], tmp_path: Any) -> None:
    port = free_port()
    environ = {**environment(), "BANYAN_MODE": "test", "BANYAN_AMQP_URL": house[1], "BANYAN_RUN": str(tmp_path)}
    environ["BANYAN_HTTP_PORT"], environ["BANYAN_METRICS_PORT"] = str(port), (figures := str(free_port()))
    code = "from banyan.cli.processes import gateway; gateway()"
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-c", code], env=environ, cwd=ROOT, stdout=out, stderr=out)
    try:
        wait_until(lambda: process.poll() is not None or _listens(port), "gateway process")
        answer = httpx.post(f"http://127.0.0.1:{port}{FIGURES}", json={}, headers=TOKEN, trust_env=False)
        assert answer.status_code == 200, log.read_text()
        seen = httpx.get(f"http://127.0.0.1:{figures}/metrics", trust_env=False).text
        assert 'banyan_http_requests_total{route="identity.find_figures",status="200"} 1.0' in seen
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.wait()
    lines = [json.loads(line) for line in log.read_text().splitlines() if '"http"' in line]
    assert [(line["route"], line["status"]) for line in lines] == [("identity.find_figures", 200)]
    assert lines[0]["trace_id"] == answer.headers["traceparent"][3:35]


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def test_a_file_is_downloaded_whole_or_from_where_it_broke_off(services: StandIns, http: httpx.Client) -> None:
    content = bytes(range(256)) * 6000  # three parts
    services.append("x-1", content[:-1])
    content, digest = content[:-1] + b"\n", hashlib.sha256(content[:-1] + b"\n").hexdigest()
    whole = http.get("/v1/exports/x-1")
    assert (whole.status_code, whole.content == content) == (200, True)
    assert whole.headers["content-type"].startswith("application/vnd.openxmlformats")
    assert whole.headers["content-disposition"].endswith(
        "filename*=UTF-8''%E6%9C%8D%E5%8A%A1%E9%9C%80%E6%B1%82%E6%B8%85%E5%8D%95-%E7%A6%8F%E5%BB%BA%E7%9C%81.xlsx"
    )
    assert (whole.headers["etag"], whole.headers["accept-ranges"]) == (f'"{digest}"', "bytes")
    for start, end in ((0, 10), (599_999, 600_001), (700_000, len(content)), (len(content) - 1, len(content))):
        ask = f"bytes={start}-" + (str(end - 1) if end < len(content) else "")
        part = http.get("/v1/exports/x-1", headers={"Range": ask, "If-Range": whole.headers["etag"]})
        assert (part.status_code, part.content == content[start:end]) == (206, True), ask
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{len(content)}"
    changed = http.get("/v1/exports/x-1", headers={"Range": "bytes=700000-", "If-Range": '"other"'})
    assert (changed.status_code, changed.content == content) == (200, True)
    for ask in (f"bytes={len(content)}-", "bytes=9999999-"):
        answer = http.get("/v1/exports/x-1", headers={"Range": ask})
        refusal(answer, 416, "past_the_end")
        assert answer.headers["content-range"] == f"bytes */{len(content)}"
    head = http.head("/v1/exports/x-1")
    assert (head.headers["content-length"], head.content) == (str(len(content)), b"")
    refusal(http.get("/v1/exports/x-2"), 404, "not_found")
    refusal(httpx.get(f"{http.base_url}/v1/exports/x-1", trust_env=False), 401, "unauthenticated")
