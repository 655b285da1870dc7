"""How the command line answers who calls it wrongly: in 中文, with what is wrong and where its help is."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import typer

from banyan.cli import usage


def banyan(*call: str) -> subprocess.CompletedProcess[str]:
    """The command as somebody calls it who has set nothing."""
    started = [sys.executable, "-c", "import sys; from banyan.cli import main; sys.exit(main())", *call]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BANYAN_")}
    return subprocess.run(started, capture_output=True, text=True, env=environment, check=False)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (["match", "run"], "'missing': \"'--url'"),
        (["match", "run", "--divison", "3"], "'unknown': '--divison', 'near': ['--division']"),
        (["match", "run", "--deadline", "soon", "--url", "u", "--division", "d", "--reason", "r"], "'--deadline'"),
        (["mach"], "'mach'"),
        (["down", "one", "more"], "one more"),
    ],
)
def test_a_call_that_is_none_is_refused_with_what_is_wrong_and_where_help_is(call: list[str], told: str) -> None:
    ended = banyan(*call)
    assert ended.returncode == 2 and told in ended.stderr
    assert "命令用法有误" in ended.stderr and "--help'" in ended.stderr


def test_help_is_titled_in_chinese_and_nothing_said_gives_help() -> None:
    for call, code in ((["match", "--help"], 0), (["match"], 2)):
        ended = banyan(*call)
        assert ended.returncode == code
        assert "╭─ 选项" in ended.stdout and "╭─ 命令" in ended.stdout


def test_a_command_that_ends_with_a_code_ends_the_process_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    small = typer.Typer()

    @small.command()
    def fails(aborted: bool = False) -> None:
        raise typer.Abort if aborted else typer.Exit(3)

    monkeypatch.setattr("sys.argv", ["small"])
    assert usage.run(small) == 3
    monkeypatch.setattr("sys.argv", ["small", "--aborted"])
    assert usage.run(small) == 1
