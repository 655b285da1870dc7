"""A process's own lines are JSON and name their trace, whoever logs; a collector that never answers delays nothing."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time

SPANS = 3_000  # more than the queue of spans holds
MOST_S = 10.0
"""More than without a collector, the end of the process included; all batches of 512 tried in turn would take longer."""
PROGRAM = """
import logging, sys, structlog
from banyan.runtime.host import telemetry
from banyan.runtime.host.settings import Settings

telemetry.start(Settings(mode="test", otlp_url=sys.argv[1], trace_share=100), "tried")
with telemetry.span("one", None) as span:
    logging.getLogger("somebody.else").warning('it said "no" to %s', "甲")
    structlog.get_logger().info("ours", trace=span.trace_id)
logging.getLogger("somebody.else").warning("outside of any span")
for _ in range(int(sys.argv[2])):
    with telemetry.span("many", None):
        pass
"""


def run(url: str, spans: int) -> tuple[list[dict[str, str]], float]:
    """The lines that the program wrote, and how long it ran."""
    began = time.monotonic()
    environment = {**os.environ, "OTEL_BSP_SCHEDULE_DELAY": "50"}
    command = [sys.executable, "-c", PROGRAM, url, str(spans)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()], time.monotonic() - began


def test_lines_of_ours_and_of_libraries_are_json_with_their_trace() -> None:
    (library, ours, outside, *_), _ = run("", 0)
    assert (library["event"], library["logger"], library["level"]) == ('it said "no" to 甲', "somebody.else", "warning")
    assert library["trace_id"] == ours["trace_id"] == ours["trace"]
    assert len(ours["trace"]) == 32
    assert "trace_id" not in outside


def test_a_collector_that_never_answers_delays_neither_calls_nor_the_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection, never answers
        _, silent_s = run(f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces", SPANS)
    _, none_s = run("", SPANS)
    assert silent_s - none_s < MOST_S
