"""`banyan verify` as a person runs it, and the feed over HTTP as it reads it."""

from __future__ import annotations

from pathlib import Path

import httpx
import msgspec
import pytest
import typer
from typer.testing import CliRunner

from banyan.cli.verify import Feed, command, verify
from banyan.kernel.refusal import Refused, catalogue
from banyan.vault.sign import jwks
from banyan.wire.canonical import canonical
from tests.proofs import HEAD, PUBLIC_KEYS, WHOLE, text_of, what


def app() -> typer.Typer:
    made = typer.Typer()
    made.command("verify")(command)
    return made


def test_the_command_says_in_words_and_by_its_exit_code(tmp_path: Path) -> None:
    for name, content in (("h", msgspec.json.encode(HEAD)), ("k", canonical(jwks(PUBLIC_KEYS))), ("i", text_of(WHOLE))):
        (tmp_path / name).write_bytes(content)
    signed = ["--head", str(tmp_path / "h"), "--keys", str(tmp_path / "k")]
    run = CliRunner()
    whole = run.invoke(app(), [str(tmp_path / "i"), *signed])
    assert whole.exit_code == 0 and "完整" in whole.output and "签名至第 6 条" in whole.output
    (tmp_path / "i").write_bytes(text_of([*WHOLE[:3], *WHOLE[4:]]))
    bad = run.invoke(app(), [str(tmp_path / "i"), *signed])
    assert bad.exit_code == 1 and "第 4 条：此位置缺失" in bad.output
    for wrong in ([str(tmp_path / "none"), *signed], [str(tmp_path / "i"), *signed[:2]], ["http://x"]):
        refused = run.invoke(app(), wrong)
        assert refused.exit_code == 2 and catalogue()["bad_input"]["title"] in refused.output
    without = run.invoke(app(), ["matching"])
    assert without.exit_code == 2 and "'field': 'folder'" in without.output
    (tmp_path / "h").write_text("{}")
    unread = run.invoke(app(), [str(tmp_path / "i"), *signed])
    assert unread.exit_code == 2 and catalogue()["proof_unreadable"]["title"] in unread.output


def test_the_feed_is_read_by_pages_up_to_its_head() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        if request.url.path.endswith("/head"):
            return httpx.Response(200, content=msgspec.json.encode(HEAD))
        after = int(request.url.params["after"])
        return httpx.Response(200, content=b"[" + b",".join(WHOLE[after : after + 4]) + b"]")

    feed = Feed(httpx.Client(base_url="http://feed", transport=httpx.MockTransport(answer)), "registry.person")
    head = feed.head()
    assert verify(feed.items(0, int(head.position)), public_keys=PUBLIC_KEYS, head=head).whole
    assert [url.partition("?")[2] for url in asked] == ["", "after=0&limit=500", "after=4&limit=500"]


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_feed_that_answers_no_is_not_an_end(status: int) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(status))
    feed = Feed(httpx.Client(base_url="http://feed", transport=transport), "registry.person")
    with pytest.raises(Refused) as refused:
        verify(feed.items(0, 6), public_keys=PUBLIC_KEYS, head=HEAD)
    assert refused.value.code == "feed_unreachable" and refused.value.facts["status"] == status


def test_a_page_with_a_fault_names_the_item_that_has_it() -> None:
    twice = WHOLE[2].replace(b'"data":{', b'"data":{"level":"x",')
    for page, named in (
        (b"[" + b",".join([*WHOLE[:2], twice, *WHOLE[3:]]) + b"]", (3, "key_twice")),
        (b"[" + WHOLE[0], (1, "not_json")),
        (b"{}", (1, "not_an_object")),
        (b"[]", (1, "missing")),
    ):
        transport = httpx.MockTransport(lambda request, page=page: httpx.Response(200, content=page))
        feed = Feed(httpx.Client(base_url="http://feed", transport=transport), "registry.person")
        assert what(verify(feed.items(0, 6), public_keys=PUBLIC_KEYS, head=HEAD)) == named
