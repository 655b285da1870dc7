"""The demo's page: it says every figure of its report, leans on no outside address, and lets no data speak as markup."""

from __future__ import annotations

import html as escaping
import re
from itertools import pairwise
from typing import Any

import pytest

from banyan.demo import page, words
from banyan.demo.report import html

EVIL = "</script><script>alert(1)</script>"
AREA, TOWN = "350121000000", "350121105000"


class Figures:
    """Numbers that occur once each, so that one missing from the page is seen."""

    def __init__(self) -> None:
        self.given: list[int] = []

    def __call__(self) -> int:
        self.given.append(7_001 + 13 * len(self.given))
        return self.given[-1]


def scored(id: str, figure: Figures, **more: Any) -> dict[str, Any]:
    facts = {"distance_m": figure(), "limit_m": figure(), "nearest_points": figure()}
    term = {"name": "distance", "title": "距离远近", "points": figure(), "facts": facts}
    return {"worker_id": id, "rank": 1, "score": figure(), "terms": [term], **more}


def listed(id: str, figure: Figures) -> dict[str, Any]:
    """One of a list: its points are shown, the facts behind them only where the pair is explained."""
    term = {"name": "distance", "title": "距离远近", "points": figure(), "facts": {"distance_m": 0}}
    return {"worker_id": id, "rank": 1, "score": figure(), "terms": [term]}


def offered(id: str, figure: Figures, answer: str, minute: int) -> dict[str, Any]:
    made, said = (f"2026-11-24T16:{at:02d}:00.000000Z" for at in (minute, minute + 1))
    more = {"answer": answer, "reason": EVIL if answer == "declined" else None, "table": "t1", "policy": "p1"}
    times = {"made_at": made, "delivered_at": made, "expires_at": "2026-11-25T16:00:00.000000Z", "answered_at": said}
    return scored(id, figure, **more, **times)


def case(figure: Figures) -> dict[str, Any]:
    view = {
        "id": "q-1", "state": "followed_up", "division": TOWN, "urgency": 1, "field": "family", "client_group": "homeless",
        "functions": ["relationship_adjustment"], "confidentiality": "ordinary", "overrides": figure(),
        "taken_at": "2026-11-24T16:00:00.000000Z", "ending": "completed", "client_name": EVIL, "story": EVIL,
        "contacts": [{"relation": "本人", "phone": "138****1234"}], "candidates": [listed("a-1", figure)],
        "offers": [offered("a-1", figure, "declined", 1), offered("a-2", figure, "accepted", 3)],
    }  # fmt: skip
    broken = {"rule": "field", "title": "具备所需服务领域的能力", "facts": {"proficiency": figure()}}
    unfit = scored("a-3", figure, fits=False, broken=[broken], ahead=[])
    behind = listed("a-4", figure) | {"fits": True, "broken": [], "ahead": [listed("a-2", figure)]}
    looks = [
        look("2026-11-24T16:00:00.000000Z", "w-1", "take_request"),
        look("2026-11-24T17:00:00.000000Z", "w-2", "start_service"),
    ]
    return {"view": view, "ranking": {"items": [listed("a-1", figure)]}, "why_not": [unfit, behind], "looks": looks}


def look(at: str, actor: str, method: str) -> dict[str, Any]:
    return {"at": at, "actor": actor, "method": method, "outcome": "done", "fields": ["client_name"], "reason": None}


def groups(figure: Figures, code: str, name: str) -> dict[str, Any]:
    waits = {"count": figure(), "p50": figure(), "p90": figure(), "longest": figure()}
    figures = {key: figure() for key in words.REQUESTS}
    return {"code": code, "name": name, "figures": figures, "waits": waits, "served_per_thousand": figure()}


def figures_of(figure: Figures) -> dict[str, Any]:
    positions = {"matching.request": figure()}
    people = {
        "on": "2026-12-07", "notes": [EVIL], "as_of": positions, "figures": {key: figure() for key in words.PEOPLE},
        "levels": {"assistant": figure()}, "denominators": {"villages": figure()}, "villages_served": figure(),
    }  # fmt: skip
    requests = {
        "on": "2026-12-07", "notes": [], "as_of": positions, "all": groups(figure, "all", "全部"),
        "by_urgency": [groups(figure, "1", "较急")], "by_field": [groups(figure, "family", "婚姻家庭")],
        "by_client_group": [groups(figure, "child", "儿童")], "endings": {"completed": figure()},
        "crises_acknowledged_s": {"count": figure(), "p50": figure(), "p90": figure(), "longest": figure()},
    }  # fmt: skip
    loads = {"on": "2026-12-07", "by_load": {"0": figure(), "3": figure()}, **{key: figure() for key in words.LOADS}}
    return {"people": people, "requests": requests, "loads": loads}


def place(figure: Figures, division: str, name: str, spot: tuple[int, int] | None = None) -> dict[str, Any]:
    lon, lat = spot or (None, None)
    requests, people = ({key: figure() for key in keys} for keys in (words.REQUESTS, words.PEOPLE))
    return {
        "division": division,
        "name": name,
        "lon_udeg": lon,
        "lat_udeg": lat,
        "requests": requests,
        "people": people,
    }


def scenes() -> list[dict[str, Any]]:
    card = {
        "area": TOWN, "cell": "119156451,26136038", "field": "family", "client_group": "homeless", "urgency": 1,
        "functions": ["relationship_adjustment"], "languages": [], "sex_wanted": None, "slots": [0, 20],
        "distance_km": 3, "expires_at": "2026-11-25T16:00:00.000000Z",
    }  # fmt: skip
    holder = {"duty": "duty_officer", "division": TOWN, "account": None, "worker_id": None}
    return [
        {"scene": "普通个案·退单", "request_id": "q-1", "worker": "a-1", "card": card},
        {"scene": "危机·已确认", "request_id": "q-2", "call_first": ["110", "120", "12356"]},
        {"scene": "危机·逐级呼叫后确认", "request_id": "q-3", "by": "省值班员甲"},
        {"scene": "受保护个案", "request_id": "q-4", "not_shown": 6, "refused_before": "not_found", "looks": []},
        {"scene": "无合适社工", "request_id": "q-5", "holder": holder, "state": "unmatched"},
    ]  # fmt: skip


@pytest.fixture
def figure() -> Figures:
    return Figures()


@pytest.fixture
def found(figure: Figures) -> dict[str, Any]:
    """A small report; every number in it is another."""
    counts = (
        "requests", "served", "closed_with_reason", "served_after_decline", "escalated", "dropped", "open",
        "wait_minutes_p50", "divisions", "professionals", "assigned", "seconds",
    )  # fmt: skip
    return {
        "seed": 7, "size": "county", "area": {"code": AREA, "name": "闽侯县"}, **{name: figure() for name in counts},
        "batch": {
            **{name: figure() for name in ("requests", "served", "served_first_come", "places", "objective", "bound", "took_ms")},
            "verified": True, "status": "optimal_all_pairs", "said": EVIL, "run_id": "mr-1",
        },
        "example": case(figure), "scenes": scenes(), "figures": figures_of(figure), "figures_agree": True,
        "places": [place(figure, AREA, "闽侯县"), place(figure, TOWN, EVIL)], "names": {TOWN: "青口镇"}, "actors": {},
        "calls": {"http": figure(), "repeated": figure(), "refused": {"worker_unfit": figure()}},
        "rss_mb": {"serve": figure()}, "step_seconds": {"import": figure()}, "ready_seconds": 2.3,
        "urls": {"gateway": "http://127.0.0.1:56709", "report": ""}, "login": {"username": "registrar", "password": "秘密"},
        "rabbit_down_seconds": 3.9, "replay_equal": True, "erased_replay_equal": False,
        "streams": [{"name": "matching.request", "position": "419", "head": "418", "verified": False, "said": EVIL}],
    }  # fmt: skip


def told(found: dict[str, Any]) -> str:
    """What a person reads of the page, without its marks."""
    body = re.sub(r"(?s)<(style|script)>.*?</\1>", "", html(found))
    return escaping.unescape(re.sub(r"<[^>]+>", " ", body))


def test_every_figure_of_the_report_is_said(found: dict[str, Any], figure: Figures) -> None:
    text = told(found)
    missing = [number for number in figure.given if f"{number:,}" not in text and str(number) not in text]
    assert len(figure.given) > 100 and not missing


def test_nothing_outside_is_asked_for(found: dict[str, Any]) -> None:
    text = html(found)
    assert set(re.findall(r"(?:https?:)?//[a-z0-9][^\s\"'<)]*", re.sub(r"(?m)^// .*$", "", text))) <= {
        "http://127.0.0.1:56709", "//127.0.0.1:56709",
    }  # fmt: skip
    assert not re.search(r"(?i)\b(src|srcset|@import)\b\s*[=\"']|url\(", text)


def test_data_never_becomes_markup(found: dict[str, Any]) -> None:
    text = html(found)
    assert "alert(1)" in text and EVIL not in text
    assert text.count("<script>") == text.count("</script>") == 1


def test_the_password_stays_with_the_terminal(found: dict[str, Any]) -> None:
    assert found["login"]["password"] not in html(found)


def test_no_code_is_left_where_a_name_is_known(found: dict[str, Any]) -> None:
    text = told(found)
    assert "婚姻家庭" in text and "流浪乞讨人员" in text and "关系调适" in text and "福州" not in text
    assert not re.search(r"\b(family|homeless|relationship_adjustment|followed_up|duty_officer|unmatched|None)\b", text)


def test_the_case_is_told_in_the_order_of_its_clock(found: dict[str, Any]) -> None:
    steps = list(page.timeline(found["example"]))
    assert [step["title"] for step in steps] == ["接案", "派单", "退单", "改派", "接单", "服务"]
    assert words.instant(steps[0]["at"]) == "2026-11-25 00:00:00", "instants are shown in Asia/Shanghai"


def test_headings_come_in_order_and_every_anchor_is_there(found: dict[str, Any]) -> None:
    text = html(found)
    levels = [int(level) for level in re.findall(r"<h([1-6])", text)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(re.findall(r'id="([^"]+)"', text))


def test_places_with_centres_are_drawn_and_no_two_labels_lie_on_each_other(figure: Figures) -> None:
    near = [place(figure, f"3501{n:02d}000000", "某区", (119_000_000 + n * 1000, 26_000_000 + n)) for n in range(1, 8)]
    far = place(figure, "350200000000", "厦门市", (118_000_000, 24_500_000))
    circles = (page.bubbles([*near, far]) or {})["circles"]
    spots = [(circle["x"], circle["label_y"]) for circle in circles]
    assert len(circles) == 8
    assert all(
        abs(a[0] - b[0]) >= page.GLYPH * 5 or abs(a[1] - b[1]) >= page.LABEL_HEIGHT * 2
        for n, a in enumerate(spots) for b in spots[:n]
    )  # fmt: skip
    assert page.bubbles([*near, place(figure, TOWN, "青口镇")]) is None, "one without a centre: a grid instead"


def test_equal_lines_of_the_trail_that_follow_each_other_are_told_once() -> None:
    looks = [look(f"2026-11-24T16:0{n}:00.000000Z", actor, "request_detail") for n, actor in enumerate("xxyx")]
    assert [(run["actor"], run["times"]) for run in page.runs(looks)] == [("x", 2), ("y", 1), ("x", 1)]


@pytest.mark.parametrize(
    ("count", "said"),
    [(None, "—"), (0, "0 分钟"), (59, "59 分钟"), (1560, "1,560 分钟（1 天 2 小时）"), (61, "61 分钟（1 小时 1 分）")],
)
def test_minutes_are_said_with_their_unit(count: int | None, said: str) -> None:
    assert words.minutes(count) == said
