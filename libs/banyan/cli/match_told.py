"""A matching run 批量派单 as `banyan match` tells it, in 中文: a sentence, and the figures by which an officer confirms or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from banyan.kernel.codes import CODES
from banyan.kernel.context import SHANGHAI
from banyan.kernel.refusal import sentence

STATES = {
    "computing": "计算中",
    "computed": "已算出，待确认",
    "confirmed": "已确认，派出中",
    "applied": "已派出",
    "cancelled": "已取消",
    "failed": "未完成",
}
AWAY = "平台暂无应答，继续等待"
OPTIONS = {"bands": "负荷分档", "floor": "各县下限"}
SHARES = {"county": "按县（市、区），少的在前", "urgency": "按紧急程度", "client_group": "按服务对象"}
CODED = {"urgency": "urgency", "client_group": "client_group"}  # kinds of shares whose keys are codes of a table
COUNTIES_MOST = 10
Named = Callable[[str], str]
"""A division's name by its code."""


def now(view: Mapping[str, Any]) -> str:
    """What a run is doing, for who waits for it; that its last attempt came to nothing, too."""
    return STATES[view["state"]] + ("（上次未成，将重试）" if view.get("trouble") else "")


def told(view: Mapping[str, Any]) -> str:
    """A run in a sentence or two."""
    text = f"{view['id']} {STATES[view['state']]}"
    summary = view.get("summary")
    if summary:
        sent = "派出" if view["state"] == "applied" else "可派出"
        text += (
            f"：需求 {summary['requests']:,} 件，{sent} {summary['served']:,} 件"
            f"（{_first_come(summary)}）；得分 {summary['objective']:,}，"
            f"上界 {summary['bound']:,}（{_proved(summary)}），用时 {summary['took_ms']} 毫秒"
        )
        if summary["moved"]:
            text += f"；其中改派 {summary['moved']:,} 件"
    return text + _ended(view)


def _first_come(summary: Mapping[str, Any]) -> str:
    """What the same requests would have come to one after another, where there was time to tell."""
    served = summary["served_first_come"]
    return "先到先得：时限内未及比较" if served is None else f"先到先得 {served:,} 件"


def _proved(summary: Mapping[str, Any]) -> str:
    """The status with what it means; a heuristic or a bound is never said to be optimal."""
    gap = summary["bound"] - summary["objective"]
    return f"{summary['status']}，{'已证明最优' if gap == 0 else f'时限已到，尚未证明最优，最多相差 {gap:,} 分'}"


def _ended(view: Mapping[str, Any]) -> str:
    reason = view.get("ended_reason")
    if not reason:
        return ""
    return (
        f"（{reason}：{sentence(reason)[0]}；未派出任何一件，可重新发起）"
        if view["state"] == "failed"
        else f"（{reason}）"
    )


def line(view: Mapping[str, Any], named: Named) -> str:
    """A run in a list: when and where it was ordered, why, and what it came to."""
    at = datetime.fromisoformat(view["started_at"]).astimezone(SHANGHAI)
    return f"{at:%Y-%m-%d %H:%M} {named(view['division'])} {view['reason']}\n  {told(view)}"


def figures(view: Mapping[str, Any], named: Named) -> Iterator[str]:
    """What people decide by: who is served and how long they waited, how full workers are, what each option cost."""
    summary = view.get("summary")
    if view.get("trouble"):
        yield f"上次未成：{view['trouble']}"
    if not summary:
        if view.get("total"):
            yield f"已就位 {view['done']} / {view['total']} 件"
        return
    if summary["left_out"]:
        yield f"另有 {summary['left_out']} 件不参加（危机、特别保护、位置不明），须由人逐件办理"
    for kind, title in SHARES.items():
        yield f"{title}："
        yield from (f"  {_share(each, named)}" for each in _listed(summary["shares"], kind))
    loads = "，".join(f"{each['percent']}% {each['workers']} 人" for each in summary["loads"])
    yield f"派出后社工名额已用：{loads}"
    for option in summary["options"]:
        yield _option(option, named)


def _listed(shares: list[Any], kind: str) -> list[Any]:
    """The shares of a kind; of counties those least served."""
    of = [each for each in shares if each["kind"] == kind]
    return sorted(of, key=lambda each: each["served"] / each["requests"])[:COUNTIES_MOST] if kind == "county" else of


def _share(share: Mapping[str, Any], named: Named) -> str:
    kind, key = share["kind"], share["key"]
    name = CODES[CODED[kind]].name(key) if kind in CODED else named(key)
    rate = f"{100 * share['served'] // share['requests']}%"
    waited = f"等待中位 {share['wait_days_p50']} 日，最长 {share['wait_days_most']} 日"
    return f"{name} {share['served']}/{share['requests']}（{rate}），{waited}"


def _option(option: Mapping[str, Any], named: Named) -> str:
    text = (
        f"{OPTIONS.get(option['name'], option['name'])}：少 {option['points_cost']} 分；派出 {option['served']} 件"
        f"（不设时 {option['served_plain']}），名额用尽 {option['full_workers']} 人（不设时 {option['full_workers_plain']}）"
    )
    if option["raised"]:
        text += f"；加分的县：{'、'.join(map(named, option['raised']))}"
    return text + (f"；仍低于下限：{'、'.join(map(named, option['below']))}" if option["below"] else "")


def decision(request_id: str, found: Mapping[str, Any]) -> Iterator[str]:
    """Why a request was given this worker or nobody, and of a worker asked after why not."""
    able, chosen, asked = found["able"], found.get("chosen"), found.get("asked")
    yield f"{request_id}：满足的价值 {found['serving']} 分，盈余 {found['surplus']} 分；合规且有名额的社工 {able} 人"
    if chosen:
        yield _choice("所派社工", chosen)
    else:
        yield f"  没有派给任何人：{'名额对别的需求更有价值' if able else '没有合规且有名额的社工'}"
    if asked:
        yield _choice("所问社工", asked)


def _choice(title: str, choice: Mapping[str, Any]) -> str:
    if choice["broken"]:
        rules = "、".join(rule["title"] or rule["rule"] for rule in choice["broken"])
        return f"  {title} {choice['worker_id']}：不合规则（{rules}）"
    terms = " + ".join(f"{term['title'] or term['name']} {term['points']}" for term in choice["terms"])
    price = f"名额价格 {choice['price']}，所得 {choice['gain']}"
    return f"  {title} {choice['worker_id']}：评分 {choice['score']} = {terms}；{price}"
