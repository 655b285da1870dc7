"""The words of the demo's page: 中文 for each code, instants as Asia/Shanghai shows them, facts as a person reads them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from banyan.kernel.codes import CODES
from banyan.kernel.context import SHANGHAI

STATES = {
    "submitted": "待预估", "triaged": "已预估", "proposed": "已推荐，待派单", "unmatched": "暂无合适社工", "dispatched": "已派单，待答复",
    "accepted": "已接单", "in_service": "服务中", "completed": "服务结束，待回访", "followed_up": "已回访，结案", "closed": "已结束",
}  # fmt: skip
ANSWERS = {
    "accepted": "接单",
    "declined": "退单",
    "expired": "逾期未答复",
    "recalled": "被撤回",
    "closed": "随个案结束",
}
DUTIES = {"duty_officer": "值班人员", "station_lead": "社工站站长", "registrar": "登记审核员"}
METHODS = {
    "take_request": "接案：提出服务需求", "triage_request": "预估", "propose_workers": "推荐社工", "confirm_dispatch": "派单",
    "dispatch_next": "派给下一名", "override_dispatch": "人工改派", "confirm_delivery": "派单通知送达", "accept_offer": "接单",
    "decline_offer": "退单", "expire_offer": "逾期，转下一名", "start_service": "开始服务", "complete_service": "服务结束（结案评估）",
    "follow_up": "回访", "refer_request": "转介", "close_request": "结束", "acknowledge_crisis": "确认接手危机",
    "break_glass": "紧急调阅", "request_detail": "查看个案详情", "rank_workers": "查看推荐名单", "why_not": "询问为何未推荐",
    "my_offers": "查看待答复的派单", "my_work": "查看手上的个案", "my_requests": "查看自己的需求", "requests": "查看个案列表",
    "crisis_board": "查看危机看板", "hand_over": "移交", "climb_request": "到期未办，上移一级", "climb_crisis": "无人确认，呼叫上一级",
}  # fmt: skip
OUTCOMES = {"done": "已办理", "seen": "已查看", "not_found": "拒绝：不可见"}
OPENED = {
    "client_name": "姓名", "contacts": "联系方式", "story": "情况说明", "address": "住址", "spot": "准确位置", "client_id": "编号",
    "household_id": "家庭编号", "guardian": "监护人", "outcome": "评估分",
}  # fmt: skip
PEOPLE = {
    "professional": "社会工作专业人才", "certified": "持证", "registered": "登记", "community_worker": "社区工作者",
    "certified_community_worker": "持证社区工作者", "assigned": "有服务任职",
}  # fmt: skip
REQUESTS = {
    "taken": "受理", "open": "未结", "waiting": "待接单", "accepted": "接单", "served": "得到服务", "ended": "结束", "declined": "曾被退单",
    "escalated": "曾逐级上报", "offers": "派单次数", "declines": "退单次数", "expired": "逾期次数", "overrides": "人工改派次数",
    "escalations": "上报次数", "minutes_served": "服务分钟",
}  # fmt: skip
LOADS = {
    "workers": "在岗社工（人）", "suspended": "暂停派单（人）", "places": "每周名额", "offered": "待答复派单", "accepted": "手上个案",
    "idle": "空闲（人）", "full": "满额（人）", "p50": "负荷中位数（件）", "p90": "负荷九成位数（件）", "highest": "最高负荷（件）",
}  # fmt: skip
DENOMINATORS = {
    "villages": "村（社区）",
    "subdistrict_communities": "街道所辖社区",
    "all_communities": "全部社区（居委会）",
}
PROCESSES = {"serve": "服务进程 serve", "work": "后台进程 work", "gateway": "网关进程 gateway"}
STREAMS = {
    "identity.account": "账户与职责", "identity.reference": "参考数据", "matching.request": "服务需求", "matching.roster": "值班表",
    "matching.worker": "可派社工", "matching.household": "家庭", "registry.assignment": "服务任职", "registry.import": "批量录入",
    "registry.person": "专业人才",
}  # fmt: skip
REFUSALS = {"worker_unfit": "该社工已不合适（如名额已满）", "not_found": "不可见", "stale_version": "他人已先办理"}
FACTS = {
    "proficiency": ("熟练程度", "级"), "proficiency_1_points": ("1 级得", "分"), "proficiency_2_points": ("2 级得", "分"),
    "proficiency_3_points": ("3 级得", "分"), "distance_m": ("相距", "米"), "limit_m": ("服务距离", "米"),
    "nearest_points": ("距离为 0 得", "分"), "free": ("空余", "个名额"), "capacity": ("每周", "个名额"),
    "all_free_points": ("全空得", "分"), "earlier_points": ("曾服务过得", "分"), "asked_language_points": ("会说得", "分"),
    "exact_level_points": ("恰好相符得", "分"),
    "overlap_slots": ("共同", "个时段"), "slot_points": ("每个时段得", "分"), "slots_most_points": ("最多", "分"),
    "slots_wanted": ("所提时段", "个"),
}  # fmt: skip
BITS = {"languages": "会说", "languages_needed": "必须会说", "languages_wished": "希望会说"}
TRUTHS = {
    "earlier": "曾服务过", "registered": "已登记", "registration_needed": "须登记", "conflict": "有利益冲突", "excluded": "已退回或被排除",
    "inside": "服务区域覆盖", "cross_area": "愿意跨区", "cross_area_allowed": "允许跨区",
}  # fmt: skip
LEVELS = {"level": "职业水平", "min_level": "要求水平"}
DAYS, PARTS = "一二三四五六日", ("上午", "下午", "晚上")


def code(kind: str, value: Any) -> str:
    """The 中文 name of a code of a kernel table; what is not in it is shown as it came."""
    return CODES[kind].get(str(value), str(value))


def instant(text: str | None) -> str:
    """An instant as Asia/Shanghai shows it, to the second; a dash for none."""
    if not text:
        return "—"
    return dt.datetime.fromisoformat(text).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def minutes(count: int | None) -> str:
    """Whole minutes with their unit, and from an hour on as days and hours too; a dash for none."""
    if count is None:
        return "—"
    hours, rest = divmod(count, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{many} {unit}" for many, unit in ((days, "天"), (hours, "小时"), (rest, "分")) if many]
    return f"{count:,} 分钟" + (f"（{' '.join(parts)}）" if count >= 60 else "")


def number(value: Any) -> str:
    """A whole number with its thousands apart; a dash for none."""
    return "—" if value is None else f"{value:,}"


def change(value: int) -> str:
    """A difference with its sign; none for 0."""
    return f"{value:+,}" if value else "0"


def yes(true: Any) -> str:
    """是 or 否, with a sign that needs no colour."""
    return "✓ 是" if true else "✗ 否"


def fact(name: str, value: Any) -> str:
    """One fact of a rule or term. Languages are a bit set and shown as how many; levels are none, 助理, 中级, 高级."""
    if name in BITS:
        return f"{BITS[name]} {int(value).bit_count()} 种语言或方言"
    if name in TRUTHS:
        return f"{TRUTHS[name]}：{'是' if value else '否'}"
    if name in LEVELS:
        levels = ("无", *CODES["level"].values())
        return f"{LEVELS[name]}：{levels[value] if 0 <= value < len(levels) else value}"
    title, unit = FACTS.get(name, (name, ""))
    return f"{title} {number(value)} {unit}".strip()


def facts(found: Mapping[str, Any]) -> str:
    """All facts of a rule or term, those of the pair first, the figures that weigh them after."""
    names = sorted(found, key=lambda name: (name.endswith("_points"), list(FACTS).index(name) if name in FACTS else 0))
    return "；".join(fact(name, found[name]) for name in names)


def minutes_between(start: str, end: str) -> int:
    """Whole minutes from one instant to another."""
    return int((dt.datetime.fromisoformat(end) - dt.datetime.fromisoformat(start)).total_seconds()) // 60


def cell(text: str | None) -> str:
    """The centre of a 1 km cell, given as micro-degrees, in degrees."""
    if not text:
        return "—"
    lon, lat = (int(part) / 1e6 for part in text.split(","))
    return f"东经 {lon:.2f}°，北纬 {lat:.2f}° 附近"


def actor(look: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """Who stands in a line of the audit trail: by title; the platform itself; or the end of the account."""
    account = str(look["actor"])
    if account in titles:
        return titles[account]
    return "平台自动" if account.startswith("system:") else f"账户 …{account[-6:]}"


def slot(at: int) -> str:
    """One of the 21 parts of a week, from Monday morning: 周一上午."""
    return f"周{DAYS[at // 3]}{PARTS[at % 3]}"


def place(names: Mapping[str, str], division: str) -> str:
    """A division by the names from its city down, as far as they are known; else its code."""
    line = [division[:at].ljust(12, "0") for at in (4, 6, 9, 12)]
    known = [names[above] for above in dict.fromkeys(line) if above in names]
    return "".join(known) if division in names else division


def looked(fields: list[str]) -> str:
    """Which fields about a person were opened."""
    return "、".join(OPENED.get(name, name) for name in fields) or "—"
