"""The gateway as its own process, for the sample service: `python gateway_sample_program.py`, settings by environment."""

from __future__ import annotations

from banyan.cli import processes
from services.gateway import operations
from tests.sample import contracts

operations.words = lambda: {"sample": contracts}  # type: ignore[assignment]
processes.gateway()
