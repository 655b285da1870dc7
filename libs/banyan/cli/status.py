"""`banyan status`: each part of the platform, whether it is well, and the next step where it is not."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import psycopg
from rich.console import Console
from rich.table import Table

from banyan.cli.laptop import PROCESSES, Laptop
from banyan.cli.processes import SERVICES

Finding = tuple[str, bool, str, str]  # part, well, what was seen, next step
LAG_EVENTS, UNSEALED_S = 1000, 180
SAW = {
    "outbox": ("select count(*) from outbox", LAG_EVENTS, "事件待发布 {} 条", "查看 work.log；确认 RabbitMQ 正常"),
    "unpublished": (
        "select coalesce(sum(position - published), 0)::bigint from stream",
        LAG_EVENTS,
        "待确认 {} 条",
        "确认 RabbitMQ 正常；平台会自行补发",
    ),
    "parked": ("select count(*) from parked", 0, "暂停处理的事件 {} 条", "查看原因：parked；修正后会自动重试"),
    "unsealed": (
        "select coalesce(extract(epoch from now() - min(noted_at)), 0)::bigint from unsealed",
        UNSEALED_S,
        "审计未封存 {} 秒",
        "检查签名密钥是否可读；超过 900 秒将暂停写入",
    ),
    "partitions": ("select stray_rows()", 0, "缺省分区中有 {} 行", "见 docs/operators.md：rows in a default partition"),
    "notices": ("select count(*) from notice where state = 'failed'", 0, "未能送达的通知 {} 条", "由值班人员转告"),
}


def table(laptop: Laptop) -> list[Finding]:
    """Prints the findings and answers those that are not well."""
    shown = Table(title="榕 · 平台状况")
    for column in ("部分", "状况", "所见", "下一步"):
        shown.add_column(column, overflow="fold")
    sick: list[Finding] = []
    for part, well, seen, step in findings(laptop):
        shown.add_row(part, "正常" if well else "异常", seen, "" if well else step)
        if not well:
            sick.append((part, well, seen, step))
    Console().print(shown)
    return sick


def findings(laptop: Laptop) -> Iterator[Finding]:
    """Looks at each part by itself, so that one sick part does not hide the others."""
    for server in (laptop.postgres, laptop.rabbit):
        yield server.title, server.running, "运行中" if server.running else "未运行", "make demo 或 banyan up"
    for name in PROCESSES:
        process = laptop.process(name)
        seen = f"进程 {process.pid}，{process.memory_info().rss // 1_000_000} MB" if process else "未运行"
        yield name, process is not None, seen, f"banyan up；日志在 {laptop.folder / (name + '.log')}"
    if laptop.state.get("http_port"):
        yield _seen("HTTP 网关", lambda: _readiness(laptop.url), "查看 gateway.log 与 serve.log")
    if laptop.postgres.running:
        for service in SERVICES:
            yield from _database(laptop, service)


def _seen(part: str, look: Callable[[], tuple[bool, str]], step: str) -> Finding:
    try:
        well, seen = look()
    except (OSError, urllib.error.URLError, psycopg.Error) as error:
        return part, False, _said(error), step
    return part, well, seen, step


def _said(error: Exception) -> str:
    """What went wrong, in a line."""
    if isinstance(error, urllib.error.HTTPError):
        return f"未就绪（HTTP {error.code}）"
    if isinstance(error, urllib.error.URLError | psycopg.OperationalError):
        return "无法连接"
    return (str(error).splitlines() or [type(error).__name__])[0][:80]


def _readiness(url: str) -> tuple[bool, str]:
    with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
        silent = json.load(answer)["silent"]
        return not silent, f"无应答：{'、'.join(silent)}" if silent else url


def _database(laptop: Laptop, service: str) -> Iterator[Finding]:
    prefix = laptop.state["prefix"]
    try:
        with psycopg.connect(laptop.postgres.url_of(f"{prefix}{service}"), connect_timeout=3) as connection:
            for name, (query, limit, words, step) in SAW.items():
                value = connection.execute(query).fetchone()[0]  # type: ignore[index]
                if name == "outbox" or value > limit:
                    yield f"{service} · {name}", value <= limit, words.format(value), step
    except psycopg.Error as error:
        yield service, False, _said(error), "确认 PostgreSQL 正常，然后 banyan migrate"
