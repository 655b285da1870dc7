"""Folders of work: gone with the work, and with the next where the process was killed; never while somebody works in one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from banyan.runtime.host import scratch

WORKING = """
import time
from banyan.runtime.host import scratch
with scratch.folder() as folder:
    (folder / "inputs").write_text("of somebody")
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the folders of this test stand."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path / f"banyan-{os.getuid()}"


def test_a_folder_goes_with_its_work_also_where_that_fails(above: Path) -> None:
    def work() -> None:
        with scratch.folder() as folder:
            (folder / "inputs").write_text("x")
            raise InterruptedError

    with pytest.raises(InterruptedError):
        work()
    assert list(above.iterdir()) == []
    assert above.stat().st_mode & 0o777 == 0o700


def test_what_a_killed_process_left_is_removed_and_what_another_works_in_stays(above: Path) -> None:
    working = [subprocess.Popen([sys.executable, "-c", WORKING], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        killed, alive = (Path(process.stdout.readline().strip()) for process in working)
        working[0].kill()
        working[0].wait()
        assert (killed / "inputs").exists(), "nobody has looked yet"
        with scratch.folder() as own:
            assert {*above.iterdir()} == {alive, own}
        scratch.sweep()
        assert (alive / "inputs").exists()
    finally:
        for process in working:
            process.kill()
            process.wait()
    scratch.sweep()
    assert list(above.iterdir()) == []


def test_a_folder_that_others_may_enter_is_not_used(above: Path) -> None:
    above.mkdir(mode=0o755)
    with pytest.raises(PermissionError), scratch.folder():
        pass
