"""The whole platform on one machine: memory of our processes and seconds to ready: `python -m tests.load.bench_platform`.

All services with the reference data of the province, as `banyan up` starts them; the private servers stay up and are
not counted. Warm: the databases stand and the machine has read the program before. Memory is resident, in MB (10^6).
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from banyan.cli.laptop import Laptop
from tests.load import bench_instance as bench

SETTLED_S = 15.0  # loops have had a turn, the reference copy is read


def measure(rounds: int) -> dict[str, Any]:
    """Starts and stops our processes round by round; memory is looked at when they have settled, and before."""
    found: list[dict[str, float]] = []
    memory: list[dict[str, int]] = []
    with tempfile.TemporaryDirectory(prefix="banyan-platform-") as folder:
        Path(folder).chmod(0o711)
        os.environ["BANYAN_KEYS"] = str(Path(folder) / "keys")
        laptop = Laptop(Path(folder) / "run")
        try:
            laptop.up(bench.progress)
            laptop.run_banyan("seed", "--folder", str(laptop.folder))
            for turn in range(rounds):
                _stop(laptop)
                ready_s = laptop.up(lambda _: None)
                time.sleep(SETTLED_S)
                memory.append(laptop.rss_mb())
                found.append({"ready_s": round(ready_s, 2), "rss_mb": sum(memory[-1].values())})
                bench.progress(f"第 {turn + 1}/{rounds} 轮：{found[-1]}，{memory[-1]}")
        finally:
            laptop.reset(lambda _: None)
    medians = {name: round(statistics.median(one[name] for one in found), 2) for name in ("rss_mb", "ready_s")}
    return {**medians, "rounds": found, "processes_mb": memory[-1]}


def _stop(laptop: Laptop) -> None:
    for name in reversed(laptop.processes):
        laptop.stop(name)


if __name__ == "__main__":
    bench.main(__doc__, measure)
