"""A soak: the whole platform under callers while its processes and servers die at random moments, and the proof that no
order was lost or doubled. Run: python -m tests.load.soak --hours 0.2 [--seed N] [--callers N]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from banyan.cli.laptop import ROOT, Laptop
from banyan.demo.api import Api
from banyan.demo.stage import Stage, set_up
from banyan.demo.world import build
from banyan.testkit.people import people
from banyan.vault.keys import KeyFolder
from tests.load.soak_callers import Caller, Ledger, People
from tests.load.soak_faults import Faults
from tests.load.soak_proof import Proof
from tests.load.soak_readers import FeedReader, QueueReader, Reader

FOLDER, RESULT = ROOT / ".run" / "soak", ROOT / ".run" / "soak.json"
PROFESSIONALS, ASSIGNED, NEWCOMERS = 240, 120, 1_000_000
TOLD_EVERY_S, LAST_ORDERS_S = 30.0, 240.0
NAMED = ("BANYAN_POSTGRES_URL", "BANYAN_AMQP_URL")
NUMBERS = ("orders", "reads", "slowest_s")


def main() -> int:
    """0: all proved; 1: something is not as it must be, and is named; 2: a server is named, which is not for faults."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--hours", type=float, default=1.0, help="小时数，可为小数")
    options.add_argument("--seed", type=int, help="种子；缺省每次不同，并打印出来")
    options.add_argument("--callers", type=int, default=8, help="同时的客户端数")
    chosen = options.parse_args()
    if named := [name for name in NAMED if name in os.environ]:
        print(f"{'、'.join(named)} 指向真实服务器，不在其上制造故障；请取消后再运行。")
        return 2
    seed = chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(1_000_000)
    print(f"榕 · 浸泡测试：{chosen.hours:g} 小时，{chosen.callers} 个客户端，种子 {seed}", flush=True)
    laptop = _fresh(FOLDER)
    try:
        found = soak(laptop, chosen.hours, chosen.callers, seed, lambda text: print(text, flush=True))
    finally:
        laptop.down(lambda _: None)
    RESULT.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", "utf-8")
    for wrong in found["wrong"]:
        print(f"  ✗ {wrong}")
    print(f"{'未通过' if found['wrong'] else '全部通过'}；结果已写入 {RESULT.relative_to(ROOT)}")
    return 1 if found["wrong"] else 0


def _fresh(folder: Path) -> Laptop:
    """An instance with keys and data of its own; that of the last soak is cleared."""
    last = Laptop(folder, mode="test", keys=folder / "keys")
    last.reset(lambda _: None)
    shutil.rmtree(folder, ignore_errors=True)
    return Laptop(folder, mode="test", keys=folder / "keys")


def soak(laptop: Laptop, hours: float, callers: int, seed: int, say: Callable[[str], object]) -> dict[str, Any]:
    """Loads, breaks, waits and proves; answers the figures, under `wrong` what is not as it must be."""
    laptop.up(say)
    world = replace(build("county", seed), professionals=PROFESSIONALS, assigned=ASSIGNED, requests=0)
    stage = Stage(world, Api(laptop.url, KeyFolder(laptop.key_folder)), lambda *_: None)
    set_up(laptop, stage, say)
    readers: list[Reader] = [FeedReader(stage.api, stage["partner"]), QueueReader(laptop)]
    laptop.rabbit.restart()  # the queues just declared are written down: docs/operators.md
    for name in laptop.processes:
        laptop.wait_ready(name)
    ledger, stop = Ledger(), threading.Event()
    proof = Proof(laptop, stage, ledger)
    newcomers = People(people(seed + 1, NEWCOMERS, [village.code for village in world.villages]))
    threads = [Caller(stage, ledger, newcomers, seed * 1000 + n, stop) for n in range(callers)]
    faults = Faults(laptop, random.Random(seed + 2), hours)
    begun = time.monotonic()
    for thread in (*readers, *threads):
        thread.start()
    teller = threading.Thread(target=_tell, args=(ledger, faults, begun, hours, stop, say), daemon=True)
    teller.start()
    try:
        faults.run(begun + hours * 3600, lambda name: say(f"  {_clock(begun)} 故障：{name}"))
    finally:
        stop.set()
    seconds = time.monotonic() - begun
    wrong = _ended(threads) + proof.wrong(readers, say)
    wrong += [f"{name} 自行退出" for name in faults.died] + [f"事件被拖慢：{said}" for said in faults.late]
    return _told(ledger, faults, seconds) | {
        "seed": seed,
        "callers": callers,
        "wrong": wrong,
        "again": ledger.again + stage.api.repeated,
        "rss_mb": faults.memory,
    }


def _ended(threads: list[Caller]) -> list[str]:
    """Every caller ends what it has in hand; those that cannot are named."""
    until = time.monotonic() + LAST_ORDERS_S
    for thread in threads:
        thread.join(max(0.1, until - time.monotonic()))
    return [f"{thread.name} 仍未得到答复" for thread in threads if thread.is_alive()]


def _told(ledger: Ledger, faults: Faults, seconds: float) -> dict[str, Any]:
    """The figures of a soak."""
    kinds = {name: faults.done.count(name) for name in sorted(set(faults.done))}
    cases = {name.split(".")[-2]: 0 for name, _ in ledger.events}
    for (name, _), count in ledger.events.items():
        cases[name.split(".")[-2]] += count
    numbers = {name: round(getattr(ledger, name), 1) for name in NUMBERS}
    return numbers | {
        "seconds": round(seconds), "events": cases, "refused": dict(ledger.refused), "faults": kinds, "delays": faults.delays,
    }  # fmt: skip


def _tell(
    ledger: Ledger, faults: Faults, begun: float, hours: float, stop: threading.Event, say: Callable[[str], object]
) -> None:
    """A line now and then, and how much memory each process has."""
    while not stop.wait(TOLD_EVERY_S):
        faults.memory.append(faults.laptop.rss_mb())
        left = max(0.0, begun + hours * 3600 - time.monotonic())
        say(
            f"{_clock(begun)} 尚余 {left:.0f} 秒：指令 {ledger.orders}，重发 {ledger.again}，查询 {ledger.reads}，"
            f"规则拒绝 {sum(ledger.refused.values())}，故障 {len(faults.done)}，最慢一条 {ledger.slowest_s:.1f} 秒，"
            f"内存 {faults.memory[-1]} MB"
        )


def _clock(begun: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - begun), 60)
    return f"[{minutes:02d}:{seconds:02d}]"


if __name__ == "__main__":
    sys.exit(main())
