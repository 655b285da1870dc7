"""Every make target tells what it does, so that `make help` is complete."""

from __future__ import annotations

import re
import subprocess

from tests.tidy.tree import ROOT, files, shown, text, under

TARGET = re.compile(r"^([a-z][a-z-]*):(?!=)(.*)$", re.MULTILINE)


def test_every_target_has_its_help_and_is_phony() -> None:
    makefile = text(ROOT / "Makefile")
    targets = TARGET.findall(makefile)
    assert len(targets) > 10
    assert [name for name, rest in targets if "## " not in rest] == []
    kinds = re.search(r"^KINDS := (.*)$", makefile, re.MULTILINE)
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert kinds
    assert phony
    assert {name for name, _ in targets} == set(phony[1].replace("$(KINDS)", kinds[1]).split())


def test_help_shows_every_target() -> None:
    shown_help = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    told = set(re.findall(r"^  make ([a-z-]+) ", shown_help, re.MULTILINE))
    assert told == {name for name, _ in TARGET.findall(text(ROOT / "Makefile"))}


def test_scripts_can_be_run_and_stop_at_errors() -> None:
    scripts = [path for path in files() if under(path, "bin", ".ci")]
    assert scripts
    assert [shown(path) for path in scripts if not path.stat().st_mode & 0o100] == []
    shells = [path for path in scripts if "bash" in text(path).splitlines()[0]]
    assert [shown(path) for path in shells if not re.search(r"^set -e?uo pipefail$", text(path), re.MULTILINE)] == []
