"""A service's jobs in a process of their own, on the test's database."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from banyan.runtime.host.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("jobs_program.py")


def started(settings: Settings, service: str) -> subprocess.Popen[bytes]:
    """The process, which ends when nothing waits any more."""
    own = {
        "BANYAN_MODE": "test",
        "BANYAN_POSTGRES_URL": settings.postgres_url,
        "BANYAN_DATABASE_PREFIX": settings.database_prefix,
        "BANYAN_KEYS": str(settings.keys),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "libs"), str(ROOT)]),
    }
    return subprocess.Popen([sys.executable, str(PROGRAM), service], env={**os.environ, **own})
