"""Echo RPC, ours against stock nameko: `python tests/load/bench_rpc.py [--json out.json] [--rounds 5]`.

Server and callers are processes of their own on one private RabbitMQ; the rounds of all peers are interleaved and
medians compared. Stock is tuned first (prefetch, kind of client), for 2.14.1 and 3.0.0rc11 alike, and the faster one is
the peer. `StockEcho` is for other benchmarks that stand beside a stock echo.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "libs"), str(ROOT)]

from banyan.testkit.owned import claim_vhost  # noqa: E402
from banyan.testkit.servers import PrivateRabbit  # noqa: E402

CALLERS, ROUNDS = 20, 5
CALLS = {"rate": 4000, "p50": 400, "tune": 1000, "warm": 200}
PREFETCHES, STYLES = (10, 20, 50), ("standalone", "inside")
STOCK_VENV = ROOT / ".run" / "stock-venv"


def stock_python() -> Path:
    """The interpreter of the older stock nameko, its venv made from tests/load/stock.lock when it is missing or old."""
    python, lock = STOCK_VENV / "bin" / "python", HERE / "stock.lock"
    stamp, digest = STOCK_VENV / "lock.sha256", hashlib.sha256(lock.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(STOCK_VENV)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(lock)]
        subprocess.run(pip, check=True)
        stamp.write_text(digest)
    return python


@dataclass
class Process:
    """One role of a peer in a process of its own, spoken to in lines."""

    command: list[str]
    child: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'libs'}:{ROOT}", "PYTHONWARNINGS": "ignore"}
        self.child = subprocess.Popen(
            self.command, env=environment, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            self.hear("ready")
        except BaseException:
            self.end()
            raise

    def hear(self, wanted: str = "") -> str:
        """The next line; the process's end is a failure."""
        assert self.child.stdout is not None
        line = self.child.stdout.readline().strip()
        if not line or (wanted and line != wanted):
            raise RuntimeError(f"{self.command}: {line or 'ended'}")
        return line

    def ask(self, line: str) -> float:
        """The number that answers a command."""
        assert self.child.stdin is not None
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()
        return float(self.hear())

    def end(self) -> None:
        """Ends the process."""
        self.child.terminate()
        try:
            self.child.wait(5)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


class Peer:
    """A server and its callers. `rate` is in calls a second, `p50` in ms."""

    def __init__(self, python: Path | str, program: str, url: str, *, prefetch: int = CALLERS, style: str = "") -> None:
        start = [str(python), str(HERE / program)]
        self.server = Process([*start, "server", url, str(prefetch)])
        self.chosen = {"prefetch": prefetch, "client": style or "shared"}
        try:
            self.callers = Process([*start, "caller", url, style or "shared"])
        except BaseException:
            self.server.end()
            raise
        try:
            self.rate(CALLS["warm"])
        except BaseException:
            self.end()
            raise

    def rate(self, calls: int = CALLS["rate"]) -> float:
        """Calls a second by 20 callers."""
        return self.callers.ask(f"rate {CALLERS} {calls}")

    def p50(self, calls: int = CALLS["p50"]) -> float:
        """The median of one caller's calls, in ms."""
        return self.callers.ask(f"p50 {calls}")

    def end(self) -> None:
        """Ends both processes."""
        self.callers.end()
        self.server.end()


def stocks() -> dict[str, Path | str]:
    """The interpreters of both stock versions."""
    return {"3.0.0rc11": sys.executable, "2.14.1": stock_python()}


def tuned(python: Path | str, url: str) -> list[dict[str, Any]]:
    """All arrangements of a stock version that answer, each with its rate and its p50; one whose calls fail is no peer."""
    tried: list[dict[str, Any]] = []
    for style in STYLES:
        for prefetch in PREFETCHES:
            try:
                peer = Peer(python, "rpc_stock_peer.py", url, prefetch=prefetch, style=style)
            except RuntimeError as error:
                print(f"{style}, prefetch {prefetch}: {error}", file=sys.stderr)
                continue
            try:
                rate = statistics.median(peer.rate(CALLS["tune"]) for _ in range(3))
                p50_ms = statistics.median(peer.p50(CALLS["warm"]) for _ in range(3))
                tried.append({"prefetch": prefetch, "style": style, "rate": rate, "p50_ms": p50_ms})
            except RuntimeError as error:
                print(f"{style}, prefetch {prefetch}: {error}", file=sys.stderr)
            finally:
                peer.end()
    return tried


def stock_peer(python: Path | str, url: str, chosen: dict[str, Any]) -> Peer:
    """A stock peer in the arrangement that was chosen."""
    return Peer(python, "rpc_stock_peer.py", url, prefetch=chosen["prefetch"], style=chosen["style"])


class StockEcho:
    """The faster stock nameko, tuned, kept running: `with StockEcho(url) as stock: stock.rate()`, round by round.

    Each version is tried alone, then the faster one stays.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def __enter__(self) -> Self:
        found = {version: max(tuned(python, self.url), key=by_rate) for version, python in stocks().items()}
        self.version = max(found, key=lambda version: by_rate(found[version]))
        self.peer = stock_peer(stocks()[self.version], self.url, found[self.version])
        return self

    def __exit__(self, *_: object) -> None:
        self.peer.end()

    def rate(self) -> float:
        """Echo calls a second by 20 callers."""
        return self.peer.rate()


def stock_echo_rate(url: str) -> float:
    """The median rate of the faster, tuned stock echo, 20 callers, over five rounds on this broker."""
    with StockEcho(url) as stock:
        return statistics.median(stock.rate() for _ in range(ROUNDS))


def by_rate(one: dict[str, Any]) -> float:
    """An arrangement's calls a second."""
    return float(one["rate"])


def measure(rabbit: PrivateRabbit, rounds: int) -> dict[str, Any]:
    """All peers in turn within each round, each on a vhost of its own; stock in its best arrangement for each figure."""
    ours = Peer(sys.executable, "rpc_our_peer.py", vhost(rabbit, "ours"))
    peers: dict[str, tuple[Peer, Peer]] = {"ours": (ours, ours)}
    raw: dict[str, Any] = {"rates": {}, "p50s_ms": {}, "tuning": {}}
    try:
        for version, python in stocks().items():
            tried = raw["tuning"][version] = tuned(python, vhost(rabbit, f"{version}-tuning"))
            best_rate, best_p50 = max(tried, key=by_rate), min(tried, key=lambda one: float(one["p50_ms"]))
            fast = stock_peer(python, vhost(rabbit, f"{version}-rate"), best_rate)
            peers[version] = (fast, stock_peer(python, vhost(rabbit, f"{version}-p50"), best_p50))
        for turn in range(rounds):
            order = list(peers.items())
            for name, (fast, quick) in order[turn % len(order) :] + order[: turn % len(order)]:
                raw["rates"].setdefault(name, []).append(fast.rate())
                raw["p50s_ms"].setdefault(name, []).append(quick.p50())
    finally:
        for peer in {id(one): one for pair in peers.values() for one in pair}.values():
            peer.end()
    chosen = {name: {"rate": fast.chosen, "p50": quick.chosen} for name, (fast, quick) in peers.items()}
    return summary(raw) | {"chosen": chosen, "rounds": rounds, **raw}


def vhost(rabbit: PrivateRabbit, name: str) -> str:
    """A fresh vhost's address."""
    url = rabbit.url_of(f"bench-{name}")
    claim_vhost(url, rabbit.admin_url, "test")
    return url


def summary(raw: dict[str, Any]) -> dict[str, Any]:
    """The two ratios: ours to the faster stock, of medians."""
    rates = {name: statistics.median(values) for name, values in raw["rates"].items()}
    p50s = {name: statistics.median(values) for name, values in raw["p50s_ms"].items()}
    ours, our_p50 = rates.pop("ours"), p50s.pop("ours")
    return {
        "rpc_throughput_vs_stock": round(ours / max(rates.values()), 3),
        "rpc_p50_vs_stock": round(our_p50 / min(p50s.values()), 3),
        "rates_median": {"ours": ours, **rates},
        "p50s_median_ms": {"ours": our_p50, **p50s},
    }


def main() -> None:
    """Runs it and prints or writes the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a stopped benchmark ends what it started
    with tempfile.TemporaryDirectory(prefix="banyan-bench-") as folder:
        Path(folder).chmod(0o711)
        rabbit = PrivateRabbit(Path(folder) / "rabbit").start()
        try:
            result = measure(rabbit, given.rounds)
        finally:
            rabbit.destroy()
    text = json.dumps(result, ensure_ascii=False, indent=1)
    if given.json:
        given.json.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
