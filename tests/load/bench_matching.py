"""The matching's figures: `make bench-matching`, or `python -m tests.load.bench_matching [--only highs] [--million]`.

Generated typhoon days, each from a fresh seed that is told; seconds from arrays to certificate, compiling outside them.
Each part adds its figures to .run/bench-matching.json as soon as it has them; other parts' figures stay.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

from banyan.runtime.host import memory
from services.identity.data import villages
from services.matching.optimum import peers
from services.matching.optimum.certificate import Certificate, write
from services.matching.optimum.check import check
from services.matching.optimum.problem import NONE, Problem
from services.matching.optimum.sheet import Sheet
from services.matching.optimum.solution import OPTIMAL
from services.matching.optimum.solve import solve
from services.matching.optimum.sweep import sweep
from services.matching.typhoon.day import Day, day
from tests.load import bench_repair, bench_run, numpy_columns
from tests.optimum import repeated

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / ".run" / "bench-matching.json"
KB_A_GB = 1_000_000
SEEDS, DAYS = 3, 10
PEER_PAIRS = 32
MILLION_S = 300.0
Figures = dict[str, Any]


def fresh() -> int:
    """A seed that nobody has looked at before."""
    return secrets.randbelow(10**6)


def timed(problem: Problem, deadline_s: float | None = None) -> tuple[float, Certificate]:
    """Seconds from arrays to certificate, and the certificate."""
    begun = time.perf_counter()
    found = Certificate.of(problem, solve(problem, deadline_s=deadline_s))
    return time.perf_counter() - begun, found


def memory_gb() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KB_A_GB


def batch(requests: int, name: str) -> Figures:
    """One size, three days: seconds, memory, what is still open."""
    runs = []
    for seed in (fresh() for _ in range(SEEDS)):
        seconds, found = timed(day(villages(), requests, seed).problem)
        served = int((found.assigned != NONE).sum())
        runs.append({"seed": seed, "s": seconds, "gap": found.bound - found.objective, "served": served})
        print(f"  {requests} 件，种子 {seed}：{seconds:.2f} 秒，派出 {served}，状态 {found.status}", flush=True)
    return {
        f"batch_{name}_s": statistics.median(run["s"] for run in runs),
        f"batch_{name}_rss_gb": memory_gb(),
        f"gap_{name}": max(run["gap"] for run in runs),
        f"batch_{name}_runs": runs,
    }


def in_numpy() -> Figures:
    """The same days by column generation in numpy alone, one after the other; both must come to the same."""
    runs = []
    for seed in (fresh() for _ in range(SEEDS)):
        problem = day(villages(), 100_000, seed).problem
        ours, found = timed(problem)
        begun = time.perf_counter()
        objective, _ = numpy_columns.solve(problem)
        runs.append({"seed": seed, "ours_s": ours, "numpy_s": time.perf_counter() - begun})
        if (found.status, found.objective) != (OPTIMAL, objective):
            raise RuntimeError(f"seed {seed}: {found.objective} {found.status}, numpy finds {objective}")
        print(f"  种子 {seed}：本平台 {ours:.1f} 秒，只用 numpy {runs[-1]['numpy_s']:.1f} 秒", flush=True)
    ratio = statistics.median(run["numpy_s"] / run["ours_s"] for run in runs)
    return {"batch_100k_vs_numpy": ratio, "batch_100k_vs_numpy_runs": runs}


def highs() -> Figures:
    """HiGHS's dual simplex on 32 pairs a request, their solve alone, against our whole run with its proof."""
    runs: list[dict[str, Any]] = []
    for seed in (fresh() for _ in range(SEEDS)):
        problem = day(villages(), 20_000, seed).problem
        ours, _ = timed(problem)
        pairs = sweep(Sheet(problem), np.zeros(len(problem.workers), np.int64), np.zeros(20_000, np.int64), PEER_PAIRS)
        rows = np.concatenate([pairs.request, len(problem) + pairs.worker])
        columns = np.tile(np.arange(len(pairs)), 2)
        within = csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(problem) + len(problem.free), len(pairs)))
        most = np.concatenate([np.ones(len(problem)), problem.free])
        begun = time.perf_counter()
        theirs = linprog(-pairs.value, A_ub=within, b_ub=most, bounds=(0, 1), method="highs-ds")
        seconds = time.perf_counter() - begun
        runs.append({"seed": seed, "ours_s": ours, "highs_s": seconds, "ended": theirs.status})
        print(f"  种子 {seed}：本平台 {ours:.2f} 秒（含证明），HiGHS {seconds:.1f} 秒", flush=True)
    return {
        "highs_20k_vs_ours": statistics.median(run["highs_s"] / run["ours_s"] for run in runs),
        "highs_20k_runs": runs,
    }


def served() -> Figures:
    """Ten days: how many more are served than in turn of waiting, in turn of urgency and by stable matching."""
    runs: list[dict[str, Any]] = []
    for seed in (fresh() for _ in range(DAYS)):
        drawn: Day = day(villages(), 100_000, seed)
        problem = drawn.problem
        arrived = np.lexsort((np.random.default_rng(seed).random(len(problem)), -drawn.waited_days))
        turn = np.empty(len(problem), np.int64)
        turn[arrived] = np.arange(len(problem))
        seconds, found = timed(problem)
        many = {
            "optimum": found.assigned,
            "first_come": peers.first_come(problem, turn),
            "urgent_first": peers.urgent_first(problem),
            "stable": peers.stable(problem),
        }
        counts = {name: int((assigned != NONE).sum()) for name, assigned in many.items()}
        runs.append({"seed": seed, "s": seconds, "status": found.status} | counts)
        print(f"  {runs[-1]}", flush=True)
    others = ("first_come", "urgent_first", "stable")
    ratios = {f"served_vs_{name}": statistics.median(run["optimum"] / run[name] for run in runs) for name in others}
    return ratios | {"served_runs": runs}


def verified() -> Figures:
    """The second verifier as anybody runs it, and our own, at 100,000."""
    runs = []
    for seed in (fresh() for _ in range(SEEDS)):
        problem = day(villages(), 100_000, seed).problem
        _, found = timed(problem)
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), problem, found)
            begun = time.perf_counter()
            second = [sys.executable, "-I", str(ROOT / "docs" / "verify_matching.py"), folder]
            said = subprocess.run(second, capture_output=True, text=True, check=True).stdout
            seconds = time.perf_counter() - begun
        begun = time.perf_counter()
        if check(problem, found).status != OPTIMAL or not said.startswith("OPTIMAL"):
            raise RuntimeError(f"seed {seed}: {said}")
        runs.append({"seed": seed, "second_s": seconds, "own_s": time.perf_counter() - begun})
        print(f"  种子 {seed}：第二个核对程序 {seconds:.1f} 秒；{said.strip()}", flush=True)
    return {"verify_100k_s": statistics.median(run["second_s"] for run in runs), "verify_100k_runs": runs}


def online() -> Figures:
    """Exact top ten of 70,000 workers for one request, against the best indexed query; all of bench_ranking's rounds."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "ranking.json"
        subprocess.run([sys.executable, "-m", "tests.load.bench_ranking", "--json", str(told)], cwd=ROOT, check=True)
        found = json.loads(told.read_text("utf-8"))
    ours = [one["numba"] for one in found["rounds"]]
    return {
        "online_vs_postgres": found["ranking_vs_sql"],
        "online_p50_us": statistics.median(one["p50_us"] for one in ours),
        "online_p99_us": statistics.median(one["p99_us"] for one in ours),
        "online_rounds": found["rounds"],
    }


def million() -> Figures:
    """A stress, not a real load: a million requests within five minutes, and how far from proved."""
    seed = fresh()
    seconds, found = timed(day(villages(), 1_000_000, seed).problem, MILLION_S)
    return {
        "batch_1m_s": seconds,
        "batch_1m_rss_gb": memory_gb(),
        "gap_1m": (found.bound - found.objective) / found.bound,
        "batch_1m_runs": [{"seed": seed, "status": found.status}],
    }


def identical() -> Figures:
    """A million requests that are one and the same, the one that most workers can serve: seconds to the proof, and to add it up."""
    seed = fresh()
    whole = day(villages(), 1_000, seed).problem
    nothing = np.zeros(len(whole.workers), np.int64)
    able = sweep(Sheet(whole), nothing, np.zeros(len(whole), np.int64), len(nothing))
    one = int(np.bincount(able.request).argmax())
    problem = repeated(whole, np.full(1_000_000, one))
    seconds, found = timed(problem, MILLION_S)
    begun = time.perf_counter()
    if check(problem, found).status != OPTIMAL:
        raise RuntimeError(f"seed {seed}: {found.status}")
    workers, served = int((able.request == one).sum()), int((found.assigned != NONE).sum())
    return {
        "identical_1m_s": seconds,
        "identical_1m_check_s": time.perf_counter() - begun,
        "identical_1m_rss_gb": memory_gb(),
        "identical_1m_runs": [{"seed": seed, "workers": workers, "served": served}],
    }


PARTS: dict[str, Callable[[], Figures]] = {
    "online": online,
    "5k": lambda: batch(5_000, "5k"),
    "20k": lambda: batch(20_000, "20k"),
    "100k": lambda: batch(100_000, "100k"),
    "numpy": in_numpy,
    "highs": highs,
    "served": served,
    "verified": verified,
    "repair_5k": lambda: bench_repair.repaired(5_000, "5k", [fresh() for _ in range(SEEDS)]),
    "repair_100k": lambda: bench_repair.repaired(100_000, "100k", [fresh() for _ in range(SEEDS)]),
    "million": million,
    "identical": identical,
    "applied": bench_run.applied,
    "beside": bench_run.beside,
}


def main() -> None:
    """Runs the parts in this process; memory is what it has had at the most so far."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", action="append", choices=list(PARTS), help="只运行某一部分，可重复")
    options.add_argument("--million", action="store_true", help="也运行一百万件的压力测试（五分钟）")
    chosen = options.parse_args()
    memory.give_back()  # as the process of a run does
    parts = chosen.only or [name for name in PARTS if name != "million" or chosen.million]
    solve(day(villages(), 300, 7).problem)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    for name in parts:
        print(f"{name}：", flush=True)
        load, found = os.getloadavg()[0], PARTS[name]()
        result: Figures = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {}
        result |= found | {f"load_before_{name}": round(load, 2)}
        RESULT.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf-8")
        print("  " + "，".join(f"{key} {value:.4g}" for key, value in found.items() if isinstance(value, int | float)))


if __name__ == "__main__":
    main()
