"""Proves a stream or an audit log whole, or names the first bad position; the rules are docs/proof.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from banyan.kernel.refusal import Refused
from banyan.vault.sign import head_fault
from banyan.wire.canonical import Unprovable, decode_page
from banyan.wire.chain import Head, genesis, hash_of, link
from banyan.wire.cloudevents import Sealed, parse

FAULTS = {
    "not_json": "不是合法的 JSON",
    "not_an_object": "不是 JSON 对象",
    "not_unicode": "含有不合法的字符",
    "float": "含有小数，规范形式不允许",
    "integer_too_large": "整数超出 2^53 - 1",
    "key_twice": "同一对象中有重复的键",
    "not_json_type": "含有规范形式不允许的类型",
    "stream": "属于另一事件流",
    "position": "位置编号不合格式",
    "missing": "此位置缺失",
    "repeated": "位置重复或顺序颠倒",
    "salt": "盐值不合格式",
    "salts": "字段的盐值不合格式",
    "leaves": "字段的叶值不合格式",
    "data": "data 不是对象，或其中有名为 personal 的字段",
    "fields": "所示字段缺少盐值",
    "digest": "摘要不符：内容被改动",
    "chain": "链值不符：链在此处断开",
    "redacted_form": "遮蔽条目的形式不符",
    "redacted": "内容被遮蔽，而此处应当完整",
    "partial": "部分字段被遮蔽，而此处应当完整",
    "head_stream": "签名头属于另一事件流",
    "head_position": "签名头的位置不合格式",
    "head_key_unknown": "签名头所用的公钥未知",
    "head_signature": "签名头的签名不符",
    "head_algorithm": "签名头所用的算法当前不可用",
    "head_chain": "链值与签名头不符：此位置及以前的内容被整体改写",
    "head_before_start": "签名头早于起点",
}


class Bad(msgspec.Struct, frozen=True):
    """The first bad position and what is wrong there; `what` is a key of FAULTS."""

    position: int
    what: str

    @property
    def sentence(self) -> str:
        """What a person reads."""
        return f"第 {self.position} 条：{FAULTS[self.what]}"


class Report(msgspec.Struct, frozen=True):
    """What was proved: whole up to `position`, signed up to `signed_to` (None: no head).

    Of these items, `partial` showed some of their fields and `redacted` only their digests."""

    stream: str
    position: int
    chain: str
    partial: int
    redacted: int
    signed_to: int | None
    bad: Bad | None

    @property
    def whole(self) -> bool:
        """Nothing bad was found."""
        return self.bad is None

    @property
    def sentence(self) -> str:
        """What a person reads."""
        if self.bad is not None:
            return f"不完整　{self.stream}　{self.bad.sentence}"
        signed = "没有签名头，只证明各条彼此相合" if self.signed_to is None else f"签名至第 {self.signed_to} 条"
        kinds = ((self.partial, "条仅示部分字段"), (self.redacted, "条仅有摘要"))
        seen = "，".join(f"{count} {kind}" for count, kind in kinds if count)
        return f"完整　{self.stream}　共至第 {self.position} 条{seen and f'，其中 {seen}'}；{signed}；链值 {self.chain}"


class _Walk:
    """How far the proof has come; each step either holds or says in one word why not."""

    def __init__(self, stream: str, alg: str, since: Head | None) -> None:
        self.stream, self.alg = stream, alg
        self.seen = {"whole": 0, "partial": 0, "redacted": 0}
        self.position = int(since.position) if since else 0
        self.chain = bytes.fromhex(since.chain) if since else genesis(stream, alg)

    def step(self, item: Any, *, complete: bool) -> str | None:
        """Rules 2-6 for the item that should be next; goes on only if they hold."""
        if not isinstance(item, Mapping):
            return "not_an_object"
        fault = self._place(item)
        if fault:
            return fault
        try:
            sealed = parse(item, self.alg)
        except Unprovable as unprovable:
            return unprovable.what
        return self._closes(sealed, complete)

    def _place(self, item: Mapping[str, Any]) -> str | None:
        if item.get("stream") != self.stream:
            return "stream"
        found = whole_number(item.get("streamposition"))
        if found is None:
            return "position"
        expected = self.position + 1
        return "missing" if found > expected else "repeated" if found < expected else None

    def _closes(self, sealed: Sealed, complete: bool) -> str | None:
        if complete and sealed.seen != "whole":
            return sealed.seen
        if sealed.found is not None and sealed.found != sealed.digest:
            return "digest"
        if link(self.chain, sealed.digest, self.alg) != sealed.chain:
            return "chain"
        self.seen[sealed.seen] += 1
        self.position, self.chain = self.position + 1, sealed.chain
        return None


def verify(
    source: Iterable[Any],
    *,
    public_keys: Mapping[str, bytes],
    head: Head | None = None,
    since: Head | None = None,
    stream: str | None = None,
    complete: bool = False,
) -> Report:
    """Proves items (lines or objects) from position 1, or after the trusted head `since`, up to `head` and beyond.

    Without a head only that the items fit each other; `complete` also refuses items that are not seen whole.
    """
    items = iter(source)
    first = _next(items)
    named = (head or since or Head("", "0", "", "sha-256", "", "", "")).stream or stream or _stream_of(first)
    fault = _head_fault(since, named, public_keys) or _head_fault(head, named, public_keys)
    if stream is not None and stream != named:
        fault = fault or Bad(0, "head_stream")
    if fault:
        return Report(named, 0, "", 0, 0, None, fault)
    walk = _Walk(named, head.hash_alg if head else since.hash_alg if since else "sha-256", since)
    bad = _walk(walk, first, items, head, complete)
    signed_to = int(head.position) if head and not bad else None
    seen = walk.seen
    return Report(named, walk.position, walk.chain.hex(), seen["partial"], seen["redacted"], signed_to, bad)


def _walk(walk: _Walk, item: Any, items: Iterator[Any], head: Head | None, complete: bool) -> Bad | None:
    """Goes to the end of the items and past the head, or stops at the first that does not hold."""
    until = int(head.position) if head else walk.position
    if head and until < walk.position:
        return Bad(until, "head_before_start")
    while True:
        if head and walk.position == until and walk.chain.hex() != head.chain:
            return Bad(until, "head_chain")
        if item is _END:
            return Bad(walk.position + 1, "missing") if walk.position < until else None
        fault = item.what if isinstance(item, Unprovable) else walk.step(item, complete=complete)
        if fault:
            return Bad(walk.position + 1, fault)
        item = _next(items)


_END = object()


def _next(items: Iterator[Any]) -> Any:
    """The next item read; what cannot be read stands in its place as the reason."""
    try:
        item = next(items, _END)
        return decode_page(item) if isinstance(item, str | bytes) else item
    except Unprovable as unprovable:
        return unprovable


def _stream_of(item: Any) -> str:
    return str(item.get("stream", "")) if isinstance(item, Mapping) else ""


def whole_number(text: Any) -> int | None:
    """A position as it must be written: decimal, without sign, space or leading zeros."""
    plain = isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) < 20
    return int(text) if plain and str(int(text)) == text else None


def _head_fault(head: Head | None, stream: str, public_keys: Mapping[str, bytes]) -> Bad | None:
    if head is None:
        return None
    position = whole_number(head.position)
    if position is None:
        return Bad(0, "head_position")
    if head.stream != stream:
        return Bad(position, "head_stream")
    try:
        hash_of(head.hash_alg)
        fault = head_fault(head, public_keys)
    except Refused:
        fault = "head_algorithm"
    return Bad(position, fault) if fault else None
