"""`banyan verify`: proves a feed or an audit log whole, or names the first bad position (docs/proof.md); `banyan verify
matching FOLDER` adds up a certificate of the matching (docs/optimum.md)."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import msgspec
import typer

from banyan.kernel.refusal import Refused, sentence
from banyan.vault.proof import Bad, Report, verify, whole_number
from banyan.vault.sign import from_jwks
from banyan.wire.canonical import Unprovable, decode, decode_page
from banyan.wire.chain import Head

__all__ = ["Bad", "Feed", "Report", "command", "lines", "read_head", "verify"]

MATCHING = "matching"
PAGE_ITEMS = 500
TIMEOUT_S = 30.0


class Feed:
    """A stream over HTTP: its newest head and its items by pages, under the reader's token."""

    def __init__(self, client: httpx.Client, stream: str) -> None:
        self._client, self._path = client, f"/v1/streams/{stream}"

    def head(self) -> Head:
        """The newest signed head."""
        return read_head(self._get(f"{self._path}/head"))

    def items(self, after: int, until: int) -> Iterator[Any]:
        """The items after a position, page by page, until one is reached or no more come."""
        while after < until:
            page = decode_page(self._get(self._path, after=after, limit=PAGE_ITEMS))
            if not isinstance(page, list):
                raise Unprovable("not_an_object")
            if not page:
                return
            yield from page
            after += len(page)

    def public_keys(self) -> dict[str, bytes]:
        """The keys that the server itself names: enough to find damage, not to find a dishonest server."""
        return read_keys(self._get("/.well-known/jwks.json"))

    def _get(self, path: str, **query: int) -> bytes:
        try:
            answer = self._client.get(path, params=query)
        except httpx.HTTPError as error:
            raise Refused("feed_unreachable", path=path, reason=type(error).__name__) from error
        if answer.status_code != httpx.codes.OK:
            raise Refused("feed_unreachable", path=path, status=answer.status_code)
        return answer.content


def lines(file: Path) -> Iterator[bytes]:
    """The lines of an export, one at a time, however long it is."""
    if not file.is_file():
        raise Refused("bad_input", field="source")
    with file.open("rb") as opened:
        for line in opened:
            yield from line.splitlines()


def read_head(text: bytes) -> Head:
    """A head from its JSON; refuses what is none."""
    try:
        return msgspec.convert(decode(text), Head)
    except (Unprovable, msgspec.ValidationError) as error:
        raise Refused("proof_unreadable", wanted="head") from error


def read_keys(text: bytes) -> dict[str, bytes]:
    """Public keys from a JWK set; refuses what is none."""
    try:
        return from_jwks(decode(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused("proof_unreadable", wanted="keys") from error


def command(
    source: Annotated[str, typer.Argument(help="JSON 行文件，或平台网址（配合 --stream），或 matching")],
    folder: Annotated[Path | None, typer.Argument(help="派单证书所在目录（仅用于 matching）")] = None,
    stream: Annotated[str | None, typer.Option(help="事件流名称，如 registry.person")] = None,
    head: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="签名头文件；网址缺省取最新")] = None,
    since: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="可信的较早签名头，从其后开始")
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="公钥文件（JWKS）；网址缺省取平台公布的")
    ] = None,
    complete: Annotated[bool, typer.Option("--complete", help="不接受仅有摘要或部分字段的条目（审计记录）")] = False,
) -> None:
    """证明事件流或审计记录完整、派单结果最优；否则指出第一处有误的位置，并以状态码 1 结束。令牌取自环境变量 BANYAN_TOKEN。"""
    try:
        if source == MATCHING:
            if folder is None:
                raise Refused("bad_input", field="folder")
            said, holds = verify_matching(folder)
            typer.echo(said)
            raise typer.Exit(0 if holds else 1)
        if folder:
            raise Refused("bad_input", field="folder")
        report = _verified(source, stream, head, since, keys, complete)
    except Refused as refused:
        title, remedy = sentence(refused.code)
        typer.echo(f"{title}。{remedy} {dict(refused.facts) or ''}", err=True)
        raise typer.Exit(2) from refused
    typer.echo(report.sentence)
    raise typer.Exit(0 if report.whole else 1)


def verify_matching(folder: Path) -> tuple[str, bool]:
    """What adding up a certificate came to in 中文, and whether it holds; the matching's own verifier is asked by name."""
    told = importlib.import_module("services.matching.optimum.verify").verify(folder)
    return told.sentence, told.holds


def _verified(
    source: str, stream: str | None, head: Path | None, since: Path | None, keys: Path | None, complete: bool
) -> Report:
    known = read_keys(keys.read_bytes()) if keys else {}
    start, end = (read_head(file.read_bytes()) if file else None for file in (since, head))
    if not source.startswith(("http://", "https://")):
        if (start or end) and not keys:
            raise Refused("bad_input", field="keys")
        return verify(lines(Path(source)), public_keys=known, head=end, since=start, stream=stream, complete=complete)
    if stream is None:
        raise Refused("bad_input", field="stream")
    token = os.environ.get("BANYAN_TOKEN", "")
    with httpx.Client(base_url=source, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_S) as client:
        feed = Feed(client, stream)
        end = end or feed.head()
        items = feed.items(int(start.position) if start else 0, whole_number(end.position) or 0)
        known = known or feed.public_keys()
        return verify(items, public_keys=known, head=end, since=start, stream=stream, complete=complete)
