"""The samples in tests/contracts/proof are the promise to every verifier: the bytes of today, proved by both of ours.

After a change that is meant, write them anew: PYTHONPATH=libs:. python -m tests.contracts.test_proof_samples
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest

from banyan.cli.verify import Feed, lines, read_head, read_keys, verify
from banyan.vault.sign import jwks
from banyan.wire.canonical import canonical
from tests.proofs import PUBLIC_KEYS, audit_row, event, head_of, items, second_verifier

FOLDER = Path(__file__).parent / "proof"
COUNT = 12
HIDDEN, SHOWN = {2, 3, 7, COUNT}, {4: ("*",), 5: ("level", "person_id"), 6: ("personal",), 8: ()}
SECOND = second_verifier()
STREAMS = {"registry.person": event, "audit.registry": audit_row}
EXPORTS = ["registry.person", "registry.person.partner", "audit.registry"]


def samples() -> dict[str, bytes]:
    """Every sample file by its name."""
    files = {"jwks.json": canonical(jwks(PUBLIC_KEYS)) + b"\n"}
    for stream, made in STREAMS.items():
        rows = [made(number) for number in range(1, COUNT + 1)]
        files[f"{stream}.jsonl"] = b"\n".join(items(rows, stream)) + b"\n"
        files[f"{stream}.head.json"] = msgspec.json.encode(head_of(rows, stream)) + b"\n"
        if stream == "registry.person":
            files[f"{stream}.partner.jsonl"] = b"\n".join(items(rows, stream, HIDDEN, SHOWN)) + b"\n"
    return files


def head_file(export: str) -> Path:
    return FOLDER / f"{export.removesuffix('.partner')}.head.json"


@pytest.mark.parametrize("name", sorted(samples()))
def test_no_byte_of_a_sample_changes(name: str) -> None:
    assert (FOLDER / name).read_bytes() == samples()[name]


@pytest.mark.parametrize("export", EXPORTS)
def test_both_verifiers_prove_the_samples(export: str, capsys: pytest.CaptureFixture[str]) -> None:
    file, head, keys = FOLDER / f"{export}.jsonl", head_file(export), FOLDER / "jwks.json"
    public_keys = read_keys(keys.read_bytes())
    report = verify(lines(file), public_keys=public_keys, head=read_head(head.read_bytes()))
    assert report.whole and report.signed_to == COUNT
    assert (report.redacted, report.partial) == ((4, 4) if export.endswith("partner") else (0, 0))
    assert SECOND.main(str(file), str(head), str(keys)) == 0
    assert capsys.readouterr().out.startswith(f"whole: {COUNT} items")


class _Partner(BaseHTTPRequestHandler):
    """The feed's protocol over the samples, five items a page."""

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        stream = asked.path.removeprefix("/v1/streams/")
        if self.headers["Authorization"] != "Bearer partner-token":
            self.send_error(401)
        elif stream.endswith("/head"):
            self._answer((FOLDER / f"{stream.removesuffix('/head')}.head.json").read_bytes())
        elif asked.path == "/.well-known/jwks.json":
            self._answer((FOLDER / "jwks.json").read_bytes())
        else:
            after = int(parse_qs(asked.query)["after"][0])
            rows = (FOLDER / f"{stream}.jsonl").read_bytes().splitlines()
            self._answer(b"[" + b",".join(rows[after : after + 5]) + b"]")

    def _answer(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("BANYAN_TOKEN", "partner-token")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Partner)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_both_verifiers_prove_the_samples_over_http(address: str) -> None:
    place = f"{address}/v1/streams/registry.person"
    assert SECOND.main(place, f"{place}/head", f"{address}/.well-known/jwks.json") == 0
    with httpx.Client(base_url=address, headers={"Authorization": "Bearer partner-token"}, trust_env=False) as client:
        feed = Feed(client, "registry.person")
        head = feed.head()
        report = verify(feed.items(0, int(head.position)), public_keys=feed.public_keys(), head=head)
    assert report.whole and report.signed_to == COUNT


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for sample, content in samples().items():
        (FOLDER / sample).write_bytes(content)
