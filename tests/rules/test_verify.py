"""Both verifiers say the same: whole, or the same first bad position, whatever was done to a stream."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banyan.cli.verify import Report, lines, read_head, verify
from banyan.kernel.refusal import Refused
from banyan.vault.proof import FAULTS
from banyan.vault.sign import jwks
from banyan.wire.chain import Head
from tests.proofs import (
    COUNT,
    DOCS,
    HEAD,
    PUBLIC_KEYS,
    ROWS,
    SIGNED_AT,
    SIGNING,
    WHOLE,
    audit_row,
    event,
    head_of,
    items,
    second_verifier,
    text_of,
    what,
)

SECOND = second_verifier()
PLACES = st.integers(0, COUNT - 1)
PARTS = {3: ("level", "person_id"), 4: ("*",), 6: ("personal", "level")}


def first_bad(folder: Path, text: bytes, head: Head = HEAD) -> int | None:
    """The first bad position that both verifiers name, or None where both find all whole."""
    file = folder / "items.jsonl"
    file.write_bytes(text)
    report = verify(lines(file), public_keys=PUBLIC_KEYS, head=head)
    members = msgspec.to_builtins(head)
    position: int
    position, what = SECOND.prove(SECOND.feed(str(file), members), members)
    assert (report.bad is None) == (what is None), (report, what)
    if report.bad is None:
        assert report.position == position and report.signed_to == int(head.position)
        return None
    assert report.bad.position == position, (report, what)
    assert report.bad.what in FAULTS and report.bad.sentence.startswith(f"第 {position} 条")
    return position


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("proof")


def test_a_whole_stream_is_whole(folder: Path) -> None:
    assert first_bad(folder, text_of(WHOLE)) is None
    assert first_bad(folder, b"", head_of([])) is None


@given(st.integers(0, len(text_of(items(ROWS, shown=PARTS))) - 1), st.integers(1, 255))
@settings(max_examples=400, print_blob=True)
def test_any_byte_changed_is_found_at_its_item(folder: Path, place: int, change: int) -> None:
    text = text_of(items(ROWS, shown=PARTS))
    altered = text[:place] + bytes([text[place] ^ change]) + text[place + 1 :]
    same = says_the_same(altered, text)  # another way of writing the same JSON, as a line's end by CR
    assert first_bad(folder, altered) == (None if same else text[:place].count(b"\n") + 1)


def says_the_same(*texts: bytes) -> bool:
    try:
        one, other = ([json.loads(line) for line in text.splitlines()] for text in texts)
        return one == other
    except ValueError:
        return False


@given(st.data(), st.sampled_from(["drop", "swap", "copy", "cut", "null", "blank"]), st.sets(PLACES))
@settings(max_examples=300, print_blob=True)
def test_items_dropped_swapped_copied_cut_or_put_in_are_found(
    folder: Path, data: st.DataObject, kind: str, hidden: set[int]
) -> None:
    original = items(ROWS, hidden={place + 1 for place in hidden}, shown=PARTS)
    altered = list(original)
    one, other = data.draw(PLACES), data.draw(st.integers(0, COUNT))
    if kind == "drop":
        del altered[one]
    elif kind == "swap":
        other %= COUNT
        altered[one], altered[other] = altered[other], altered[one]
    elif kind == "copy":
        altered.insert(other, altered[one])
    elif kind == "cut":
        del altered[one:]
    else:
        altered.insert(other, b"null" if kind == "null" else b"")
    differing = (n for n in range(max(len(original), len(altered))) if original[n : n + 1] != altered[n : n + 1])
    expected = next((place + 1 for place in differing), None)
    assert first_bad(folder, text_of(altered)) == expected


@given(st.sets(PLACES))
@settings(max_examples=40, print_blob=True)
def test_a_chain_closes_over_what_the_reader_may_not_see(folder: Path, hidden: set[int]) -> None:
    positions = {place + 1 for place in hidden}
    travelled = items(ROWS, hidden=positions, shown=PARTS)
    assert first_bad(folder, text_of(travelled)) is None
    report = verify(travelled, public_keys=PUBLIC_KEYS, head=HEAD)
    assert (report.redacted, report.partial) == (len(positions), len(PARTS.keys() - positions))
    strict = verify(travelled, public_keys=PUBLIC_KEYS, head=HEAD, complete=True)
    assert what(strict)[0] == min(positions | PARTS.keys())


def changed(line: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    item = json.loads(line)
    change(item)
    return json.dumps(item, ensure_ascii=False).encode()


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "a value inside": lambda item: item["data"].update(level="高级"),
    "one more member": lambda item: item.update(extra=1),
    "one member less": lambda item: item.pop("aggregateversion"),
    "a position that says the same": lambda item: item.update(streamposition="03"),
    "a position as a number": lambda item: item.update(streamposition=3),
    "another stream": lambda item: item.update(stream="registry.other"),
    "salt gone": lambda item: item.pop("salt"),
    "digest gone": lambda item: item.pop("digest"),
    "chain null": lambda item: item.update(chain=None),
    "hex in capitals": lambda item: item.update(digest=item["digest"].upper()),
    "short digest": lambda item: item.update(digest=item["digest"][:-2]),
    "stray bits in the salt": lambda item: item.update(salt=item["salt"][:-3] + "/=="),
    "half redacted": lambda item: item.update(redacted=True),
    "a float": lambda item: item["data"].update(hours_served_min=180.0),
    "a large integer": lambda item: item["data"].update(hours_served_min=2**53),
    "a lone surrogate": lambda item: item["data"].update(level="\ud800"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_item_is_named(folder: Path, name: str) -> None:
    if name == "a lone surrogate":
        altered = WHOLE[2].replace("中级".encode(), b"\\ud800")
    else:
        altered = changed(WHOLE[2], CHANGES[name])
    assert first_bad(folder, text_of([*WHOLE[:2], altered, *WHOLE[3:]])) == 3


@pytest.mark.parametrize("put_in", [b'"level":"x",', b'"\\u006cevel":"x",', b'"level":"\xe4\xb8\xad\xe7\xba\xa7",'])
def test_a_key_given_twice_is_named_although_most_parsers_would_drop_one(folder: Path, put_in: bytes) -> None:
    altered = WHOLE[2].replace(b'"data":{', b'"data":{' + put_in)
    assert first_bad(folder, text_of([*WHOLE[:2], altered, *WHOLE[3:]])) == 3


def test_another_layout_of_the_same_json_is_still_whole(folder: Path) -> None:
    spaced = [json.dumps(json.loads(line), indent=None, sort_keys=False).encode() for line in WHOLE]
    assert spaced != WHOLE and first_bad(folder, text_of(spaced)) is None


@pytest.mark.parametrize("signed_to", [0, 3, COUNT])
def test_a_stream_rewritten_as_a_whole_does_not_meet_its_head(folder: Path, signed_to: int) -> None:
    forged = items([event(number, level="高级") for number in range(1, COUNT + 1)])
    expected = signed_to or None  # at position 0 nothing was promised yet
    assert first_bad(folder, text_of(forged), head_of(ROWS, position=signed_to)) == expected


def test_items_after_the_head_are_chained_too(folder: Path) -> None:
    head = head_of(ROWS, position=3)
    assert first_bad(folder, text_of(WHOLE), head) is None
    assert first_bad(folder, text_of([*WHOLE[:4], WHOLE[5]]), head) == 5


def test_from_a_trusted_head_on() -> None:
    since = head_of(ROWS, position=3)

    def later(travelled: list[bytes], start: Head = since, end: Head = HEAD) -> Report:
        return verify(travelled, public_keys=PUBLIC_KEYS, head=end, since=start)

    assert later(WHOLE[3:]).whole and later([], HEAD).whole
    assert what(later(WHOLE)) == (4, "repeated") and what(later(WHOLE[4:])) == (4, "missing")
    assert what(later(WHOLE[3:], end=head_of(ROWS, position=2))) == (2, "head_before_start")
    assert what(later(WHOLE[3:], SIGNING.head("registry.person", 3, bytes(32), SIGNED_AT))) == (4, "chain")
    assert what(later(WHOLE[3:], msgspec.structs.replace(since, position="2"))) == (2, "head_signature")


def test_without_a_head_only_that_the_items_fit_is_said() -> None:
    report = verify(WHOLE[:4], public_keys={})
    assert report.whole and report.signed_to is None and "没有签名头" in report.sentence
    assert what(verify(WHOLE[:4], public_keys={}, stream="registry.other")) == (1, "stream")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"position": "5"}, "head_signature"),
        ({"signed_at": "2026-03-02T00:00:00Z"}, "head_signature"),
        ({"signature": ""}, "head_signature"),
        ({"key_id": "0" * 16}, "head_key_unknown"),
        ({"hash_alg": "sm3"}, "head_algorithm"),
        ({"sign_alg": "sm2"}, "head_algorithm"),
        ({"position": "06"}, "head_position"),
        ({"position": "-1"}, "head_position"),
    ],
)
def test_a_head_that_was_not_signed_so_is_not_believed(change: dict[str, str], named: str) -> None:
    head = msgspec.structs.replace(HEAD, **change)
    assert what(verify(WHOLE, public_keys=PUBLIC_KEYS, head=head))[1] == named


HEAD_TEXT = msgspec.json.encode(HEAD)


@given(st.integers(0, len(HEAD_TEXT) - 1), st.integers(1, 255))
@settings(max_examples=60, print_blob=True, deadline=None)
def test_no_byte_of_a_head_can_change(folder: Path, place: int, change: int) -> None:
    altered = HEAD_TEXT[:place] + bytes([HEAD_TEXT[place] ^ change]) + HEAD_TEXT[place + 1 :]
    (folder / "altered").write_bytes(altered)
    (folder / "keys").write_text(json.dumps(jwks(PUBLIC_KEYS)))
    (folder / "whole").write_bytes(text_of(WHOLE))
    assert not believed_by_ours(altered)
    assert not believed_by_the_second(folder)


def believed_by_ours(head: bytes) -> bool:
    try:
        return verify(WHOLE, public_keys=PUBLIC_KEYS, head=read_head(head)).whole
    except Refused:
        return False


def believed_by_the_second(folder: Path) -> bool:
    try:
        return bool(SECOND.main(*(str(folder / name) for name in ("whole", "altered", "keys"))) == 0)
    except (ValueError, KeyError):
        return False


def test_an_audit_log_is_proved_by_the_same_rules(folder: Path) -> None:
    rows = [audit_row(number) for number in range(1, 5)]
    head = head_of(rows, "audit.registry")
    travelled = items(rows, "audit.registry")
    assert first_bad(folder, text_of(travelled), head) is None
    edited = travelled[1].replace(b'"actor":"acc-7"', b'"actor":"acc-8"')
    assert first_bad(folder, text_of([travelled[0], edited, *travelled[2:]]), head) == 2


def test_the_second_verifier_knows_nothing_of_ours_and_checks_the_signature(folder: Path) -> None:
    assert "banyan" not in [
        line.split()[1] for line in (DOCS / "verify.py").read_text().splitlines() if "import" in line
    ]
    (folder / "items").write_bytes(text_of(WHOLE))
    (folder / "jwks").write_text(json.dumps(jwks(PUBLIC_KEYS)))
    flipped = HEAD.signature.translate({ord("A"): "B", ord("B"): "A", ord("c"): "d"})
    assert flipped != HEAD.signature
    for head, code in ((HEAD, 0), (msgspec.structs.replace(HEAD, signature=flipped), 1)):
        (folder / "head").write_bytes(msgspec.json.encode(head))
        script = [sys.executable, "-I", str(DOCS / "verify.py"), "items", "head", "jwks"]
        ran = subprocess.run(script, cwd=folder, capture_output=True, text=True, check=False)
        assert ran.returncode == code, ran
        assert verify(WHOLE, public_keys=PUBLIC_KEYS, head=head).whole is (code == 0)
        assert ran.stdout.startswith("whole: 6 items" if code == 0 else "bad head at position 6"), ran


def test_the_second_verifier_stays_short() -> None:
    """The chain under 60 lines of code, the signature under 40."""
    before, after = (DOCS / "verify.py").read_text().split("# The chain ends here")
    code = before[before.index("import base64") :]
    signature = after[after.index("def signed") : after.index("def read")]
    assert sum(bool(line) for line in code.splitlines()) < 60 and signature.count("\n") <= 40
