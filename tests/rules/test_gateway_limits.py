"""The token bucket, and whose it is; statuses; what is read from headers."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from starlette.requests import Request

from banyan.kernel.refusal import Refused, catalogue
from banyan.runtime.host.settings import Settings, load
from banyan.runtime.host.telemetry import Span
from services.gateway import limits, reading
from services.gateway.feed import Feed
from services.gateway.health import Health
from services.gateway.problems import STATUSES, status_of


class Clock:
    """Seconds that the test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def request(headers: dict[str, str] | None = None, address: str = "10.0.0.1", query: str = "", **more: Any) -> Request:
    raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    scope = {"type": "http", "headers": raw, "client": (address, 1), "query_string": query.encode(), **more}

    async def gone() -> dict[str, str]:
        return {"type": "http.disconnect"}

    return Request(scope, gone)


def token(account: str) -> dict[str, str]:
    claims = base64.urlsafe_b64encode(json.dumps({"sub": account}).encode()).decode().rstrip("=")
    return {"Authorization": f"Bearer e30.{claims}.x"}


def refused(limiter: limits.Limiter, one: Request) -> Refused | None:
    try:
        limiter.take(one)
    except Refused as no:
        return no
    return None


def limiter(clock: Clock, **rates: int) -> limits.Limiter:
    names = ("account_rate", "account_burst", "address_rate", "address_burst")
    given = {f"http_{name}": rates.get(name, 1000) for name in names}
    return limits.Limiter(Settings(**given), clock)  # type: ignore[arg-type]


def test_a_burst_then_the_rate_and_the_wait_that_is_said_is_enough() -> None:
    clock = Clock()
    one = limiter(clock, account_rate=2, account_burst=3)
    asking = request(token("a1"))
    assert [refused(one, asking) for _ in range(3)] == [None] * 3
    no = refused(one, asking)
    assert no is not None and no.code == "rate_limited"
    clock.now_s += no.facts["retry_after"]
    assert [refused(one, asking) for _ in range(3)].count(None) == 2


def test_one_account_uses_up_neither_anothers_nor_its_own_elsewhere() -> None:
    one = limiter(Clock(), account_burst=1)
    assert refused(one, request(token("a1"))) is None
    assert refused(one, request(token("a1"))) is not None
    assert refused(one, request(token("a2"))) is None
    assert refused(one, request(token("a1"), "10.0.0.2")) is None


def test_an_address_is_limited_whatever_accounts_it_claims() -> None:
    one = limiter(Clock(), address_burst=3)
    answers = [refused(one, request(token(f"a{number}"))) for number in range(5)]
    assert [answer is None for answer in answers] == [True] * 3 + [False] * 2


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer a.b", "Bearer a.!!.c", "Bearer a.bm8.c", "Bearer e30.WzFd.x"])
def test_a_token_that_cannot_be_read_claims_no_account(given: str) -> None:
    assert limits.claimed_account(given) == ""


def test_the_buckets_kept_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REMEMBERED", 10)
    buckets = limits.Buckets(1, 1, Clock())
    for number in range(100):
        buckets.take(str(number))
    assert len(buckets._kept) == 10


def test_a_wrong_rate_stops_the_start_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BANYAN_HTTP_ACCOUNT_RATE", "many")
    with pytest.raises(Refused) as caught:
        load()
    assert list(caught.value.facts["settings"]) == ["http_account_rate"]


def test_statuses_are_of_codes_that_exist() -> None:
    assert set(STATUSES) <= set(catalogue())
    assert (status_of("account_taken"), status_of("learning_short")) == (409, 422)


@pytest.mark.parametrize("given", ["x" * 201, "ключ", "a\tb", "a b", "a\x7fb"])
def test_a_key_is_a_short_ascii_word(given: str) -> None:
    scope = request()
    scope.scope["headers"] = [(b"idempotency-key", given.encode())]
    with pytest.raises(Refused) as caught:
        reading.key_of(Request(scope.scope))
    assert caught.value.code == "bad_input"


def test_a_reader_that_went_away_is_not_waited_for() -> None:
    class Empty:
        looks = 0

        async def call(self, service: str, method: str, body: Any, **options: Any) -> bytes:
            self.looks += 1
            return b'{"items":[],"head":"7"}'

    client = Empty()
    asking = request(query="after=7&wait=30", path_params={"stream": "registry.person"})
    answer = asyncio.run(Feed(client).events(asking, Span(None, "")))
    assert (answer.body, client.looks) == (b"[]", 1)


@pytest.mark.parametrize(("silent", "status"), [([], 200), (["registry"], 200), (["identity", "insight", "matching", "registry"], 503)])
def test_a_silent_service_is_named_and_only_all_of_them_take_a_gateway_out(silent: list[str], status: int) -> None:
    class Some:
        async def call(self, service: str, method: str, body: Any, **options: Any) -> bytes:
            if service in silent:
                raise Refused("unknown_service", service=service)
            return b"{}"

    answer = asyncio.run(Health(Some()).ready(request(), Span(None, "")))
    told = json.loads(answer.body)
    assert (answer.status_code, told["ready"], sorted(told["silent"])) == (status, status == 200, silent)
