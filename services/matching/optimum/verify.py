"""What `banyan verify matching` tells of a folder with the two files of a run, in 中文."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from banyan.kernel.refusal import Refused
from services.matching.optimum import certificate
from services.matching.optimum.check import OPTIMAL, WRONG, Verdict, check
from services.matching.optimum.problem import Problem
from services.matching.ranking import RULES

REASONS = {
    "digest": "输入文件与证书所写的摘要不符",
    "table": "证书所依据的规则与评分表不是本版本的",
    "shape": "证书的条数与输入不符，或派给了不存在的社工",
    "negative": "价格或盈余为负，或大得不可能",
    "capacity": "派给该社工的求助多于空闲名额",
    "rule": "所派的一对不合规则",
    "objective": "所派各对的分数相加，与证书所写的总分不符",
    "uncovered": "这一对的分数高于求助的盈余与社工的价格之和，证明不成立",
    "bound": "各项盈余与价格相加，与证书所写的上界不符",
    "status": "证书所写的状态与计算结果不符",
}


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence or a few, and whether the certificate holds for what it says."""

    sentence: str
    holds: bool


def verify(folder: Path) -> Told:
    """Adds up the certificate in a folder; refuses (certificate_unreadable) what is none."""
    try:
        problem, found = certificate.read(folder)
    except certificate.UNREADABLE as error:
        raise Refused("certificate_unreadable", reason=str(error)[:200]) from error
    verdict = check(problem, found)
    return Told(_sentence(problem, verdict), verdict.status != WRONG)


def _sentence(problem: Problem, verdict: Verdict) -> str:
    size = f"求助 {len(problem):,} 件，社工 {len(problem.workers):,} 人"
    if verdict.status == WRONG:
        rules = {rule.code: rule.title for rule in RULES}
        named = [
            f"{title} {value}"
            for title, value in (
                ("求助", verdict.request_id),
                ("社工", verdict.worker_id),
                ("规则", rules.get(verdict.rule, "")),
            )
            if value
        ]
        return f"证书不成立：{REASONS[verdict.code]}{'（' + '，'.join(named) + '）' if named else ''}。{size}。"
    counted = f"{size}；已核对全部 {verdict.pairs:,} 个可行配对：派出 {verdict.served:,} 件，总分 {verdict.objective:,}"
    if verdict.status == OPTIMAL:
        return f"OPTIMAL 已证明最优。{counted}，等于上界，任何派法都不会更好。"
    return f"BOUNDED 尚未证明最优。{counted}，上界 {verdict.bound:,}，最多相差 {verdict.gap:,} 分。"
