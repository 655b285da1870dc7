"""`banyan match run` follows a run to its end, also past a platform that does not answer for a while."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from banyan.cli import match
from banyan.kernel.refusal import Refused

PROBLEM = {"title": "", "remedy": "", "facts": {}}
COMPUTED = {"id": "mr-1", "state": "computed", "done": 3, "total": 3}
COMPUTING = COMPUTED | {"state": "computing", "done": 0, "total": None, "trouble": "RuntimeError('…')"}


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks again at once."""
    monkeypatch.setattr(match, "LOOK_S", 0.0)


def platform(*answers: httpx.Response | httpx.HTTPError) -> match.Platform:
    """A gateway that gives these answers, one after another."""
    left: Iterator[httpx.Response | httpx.HTTPError] = iter(answers)

    def answer(_: httpx.Request) -> httpx.Response:
        given = next(left)
        if isinstance(given, httpx.HTTPError):
            raise given
        return given

    found = match.Platform("http://platform")
    found._http = httpx.Client(base_url="http://platform", transport=httpx.MockTransport(answer))
    return found


def test_a_platform_that_is_away_for_a_while_is_waited_for() -> None:
    away = [httpx.Response(status, json=PROBLEM | {"code": "unavailable"}) for status in (502, 503, 504)]
    asked = platform(
        httpx.Response(200, json=COMPUTING), *away, httpx.ConnectError("gone"), httpx.Response(200, json=COMPUTED)
    )
    assert match.followed(asked, "mr-1", ("computing",)) == COMPUTED


def test_a_platform_that_stays_away_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match, "AWAY_S", 0.0)
    with pytest.raises(Refused) as refused:
        match.followed(platform(*[httpx.ConnectError("gone")] * 2), "mr-1", ("computing",))
    assert refused.value.code == "gateway_unreachable"


def test_a_refusal_ends_it_at_once() -> None:
    with pytest.raises(Refused) as refused:
        match.followed(
            platform(httpx.Response(401, json=PROBLEM | {"code": "unauthenticated"})), "mr-1", ("computing",)
        )
    assert refused.value.code == "unauthenticated"


def test_a_division_is_named_where_somebody_tells_its_name() -> None:
    asked = platform(
        httpx.Response(200, json={"items": [{"name": "思明区"}]}),
        httpx.Response(503, json=PROBLEM | {"code": "unavailable"}),
    )
    assert [asked.division(code) for code in ("350203000000", "350203000000", "350205000000")] == [
        "思明区 350203000000",
        "思明区 350203000000",
        "350205000000",
    ]
