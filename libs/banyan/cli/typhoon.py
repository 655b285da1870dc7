"""`banyan typhoon`: the generated typhoon day of matching, played and shown; the services are asked by name."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer


def command(
    folder: Annotated[Path, typer.Option(help="报告所在目录")] = Path(".run/typhoon"),
    requests: Annotated[int, typer.Option(min=100, help="求助件数，至少 100")] = 100_000,
    workers: Annotated[int, typer.Option(min=100, help="社工人数，至少 100")] = 70_000,
    seed: Annotated[int, typer.Option(min=0, help="随机种子")] = 20_260_905,
) -> None:
    """生成的台风日：先到先得与全局最优相比，附证书与报告页。"""
    divisions = import_module("services.identity.data")
    names = {d.code: d.name for d in divisions.divisions() if d.level == "county" and d.until_on is None}
    play = import_module("services.matching.typhoon.play").play
    play(divisions.villages(), names, folder, requests=requests, workers=workers, seed=seed)
