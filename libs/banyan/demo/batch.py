"""The demo's matching run 批量派单: the county's duty officer sends all who wait to their workers at once, and its proof is added up."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from banyan.cli.verify import verify_matching
from banyan.demo.stage import Stage

FILES = ("inputs", "certificate")
WAIT_S = 300.0
LOOK_S = 0.3


def sent(stage: Stage, say: Callable[[str], object]) -> dict[str, Any]:
    """Orders a run, downloads inputs and certificate, adds them up here, and has the offers sent; the report's `batch`."""
    api, duty = stage.api, stage["duty1"]
    started = api.command(duty, "matching", "start_run", division=stage.world.area, reason="集中派单")
    summary = _until(stage, started["id"], "computed")["summary"]
    with tempfile.TemporaryDirectory(prefix="banyan-run-") as folder:
        for name in FILES:
            content = api.get(duty, f"/v1/runs/{started['id']}/{name}").content
            Path(folder, f"{name}.npz").write_bytes(content)
        sentence, verified = verify_matching(Path(folder))
    api.command(duty, "matching", "confirm_run", run_id=started["id"])
    told = _until(stage, started["id"], "applied")["summary"] | {"run_id": started["id"]}
    say(
        f"  · 批量派单：{summary['requests']} 件待派，一次派出 {told['served']} 件（先到先得 {told['served_first_come']} 件），"
        f"证书验证{'通过' if verified else '不通过'}"
    )
    names = ("run_id", "requests", "served", "served_first_come", "places", "objective", "bound", "status", "took_ms")
    return {name: told[name] for name in names} | {"verified": verified, "said": sentence}


def _until(stage: Stage, run_id: str, state: str) -> dict[str, Any]:
    """The run once it is there; our own process computes and sends."""
    until = time.monotonic() + WAIT_S
    while True:
        view = stage.api.ask(stage["duty1"], "matching", "get_run", run_id=run_id)
        if view["state"] == state:
            return view
        if view["state"] == "failed" or time.monotonic() > until:
            raise RuntimeError(f"批量派单未到预期状态：{view['state']} {view['trouble'] or view['ended_reason']}")
        time.sleep(LOOK_S)
