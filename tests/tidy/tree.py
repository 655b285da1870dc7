"""The files of the house as git sees them, for the tidy tests."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def files(*endings: str) -> tuple[Path, ...]:
    """All files that are kept or would be (ignored ones are not), of these endings; all where none is given."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    paths = (ROOT / name for name in listed.split("\0") if name)
    return tuple(sorted(p for p in paths if p.is_file() and (not endings or p.name.endswith(endings))))


@cache
def text(path: Path) -> str:
    """A file's words; an empty string for what is no text."""
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        return ""


@cache
def parsed(path: Path) -> ast.Module:
    """A Python file as a tree."""
    return ast.parse(text(path), filename=str(path))


def shown(path: Path) -> str:
    """A path as it is said in a failure: from the root of the clone."""
    return path.relative_to(ROOT).as_posix()


def under(path: Path, *folders: str) -> bool:
    """True if the file lies in one of these folders, or is one of these files."""
    return any(shown(path) == folder or shown(path).startswith(folder.rstrip("/") + "/") for folder in folders)
