"""psycopg in a green process: greenlets that wait on each other's locks do not freeze it, and a wrong start is stopped."""

from __future__ import annotations

import subprocess
import sys

from tests.flows.rpc_processes import HERE, PATIENCE_S, ROOT, environment


def run(database: str, order: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", str(HERE / "rpc_green_psycopg_program.py"), database, order]
    return subprocess.run(
        command, env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def test_two_greenlets_on_one_lock_go_on(database: str) -> None:
    done = run(database, "patched")
    assert (done.stdout, done.returncode) == ("done", 0), done.stderr


def test_psycopg_imported_before_the_patch_stops_the_start(database: str) -> None:
    done = run(database, "late")
    assert done.returncode == 1
    assert "psycopg" in done.stderr
