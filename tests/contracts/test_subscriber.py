"""docs/subscriber.py, run as a partner runs it: it goes on after a break and after a power cut, and finds a gap."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from banyan.cli.verify import lines, verify
from tests.proofs import DOCS, PUBLIC_KEYS, WHOLE

STREAM = "registry.person"


class _Feed(BaseHTTPRequestHandler):
    """The feed's protocol over the first items of a sample, two a page; a busy gateway says so at first."""

    stands = 0
    missing = -1
    busy = 0

    def do_GET(self) -> None:
        if _Feed.busy:
            _Feed.busy -= 1
            self.send_error(503)
            return
        after = int(parse_qs(urlsplit(self.path).query)["after"][0])
        rows = [row for n, row in enumerate(WHOLE[: _Feed.stands], 1) if n > after and n != _Feed.missing]
        content = b"[" + b",".join(rows[:2]) + b"]"
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def host() -> Iterator[str]:
    _Feed.stands, _Feed.missing, _Feed.busy = 3, -1, 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Feed)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def follow(host: str, file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(DOCS / "subscriber.py"), host, STREAM, str(file), "--once"]
    environment = {**os.environ, "BANYAN_TOKEN": "t", "NO_PROXY": "*"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_it_goes_on_where_it_stood_and_what_it_kept_is_whole(host: str, tmp_path: Path) -> None:
    file = tmp_path / "stream.jsonl"
    assert follow(host, file).stdout == "from position 0\nup to position 3\n"
    _Feed.stands, _Feed.busy = len(WHOLE), 1
    assert follow(host, file).stdout == f"from position 3\nup to position {len(WHOLE)}\n"
    assert verify(lines(file), public_keys=PUBLIC_KEYS).position == len(WHOLE)


def test_half_a_line_is_cut_off_and_read_again(host: str, tmp_path: Path) -> None:
    file = tmp_path / "stream.jsonl"
    follow(host, file)
    file.write_bytes(file.read_bytes()[:-20])
    assert follow(host, file).stdout == "from position 2\nup to position 3\n"
    assert verify(lines(file), public_keys=PUBLIC_KEYS).whole


def test_a_gap_is_never_passed_over(host: str, tmp_path: Path) -> None:
    _Feed.missing = 2
    ended = follow(host, tmp_path / "stream.jsonl")
    assert ended.returncode == 1 and "position 2 expected, got 3" in ended.stderr
