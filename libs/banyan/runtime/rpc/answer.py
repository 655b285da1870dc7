"""How a server answers one call: deadline, handler, refusals, figures. Without IO, so that any transport can use it."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

from banyan.kernel.refusal import Refused
from banyan.runtime.rpc.calls import now_ms
from banyan.wire import rpc as wire

log = logging.getLogger(__name__)

Handler = Callable[[wire.Call], bytes]
"""Answers one call with the JSON of its result, or raises `Refused`."""

REQUESTS = Counter("banyan_rpc_requests_total", "Calls taken from the queue", ["service"])
REFUSALS = Counter("banyan_rpc_refusals_total", "Calls answered with a refusal", ["service", "code"])
SECONDS = Histogram("banyan_rpc_seconds", "Seconds from taking a call to its answer", ["service"])
IN_FLIGHT = Gauge("banyan_rpc_in_flight", "Calls being answered now", ["service"])
NOT_OURS = Counter("banyan_rpc_not_ours_total", "Messages that no call could be read from", ["service"])

_TRACE_ID = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-")


@dataclass(slots=True)
class Answer:
    """The answer's bytes, and the exception behind it when it is a refusal (nameko's dependencies are told)."""

    body: bytes
    error: Exception | None = None


class Answering:
    """Answers the calls of one service."""

    def __init__(self, service: str, handler: Handler) -> None:
        self.service, self._handler = service, handler
        self._requests, self._seconds = REQUESTS.labels(service), SECONDS.labels(service)
        self._in_flight = IN_FLIGHT.labels(service)

    def answer(self, call: wire.Call) -> Answer:
        """The answer to a call; never raises. A call whose deadline is past is not executed."""
        started_s = time.perf_counter()
        self._requests.inc()
        self._in_flight.inc()
        try:
            if call.deadline_ms <= now_ms():
                raise Refused("deadline_past", deadline_ms=call.deadline_ms)
            return Answer(wire.encode_result(self._handler(call)))
        except Refused as refused:
            return self.refuse(refused)
        except Exception as error:
            return self.refuse(_internal(call, error), error)
        finally:
            self._in_flight.dec()
            self._seconds.observe(time.perf_counter() - started_s)

    def refuse(self, refused: Refused, error: Exception | None = None) -> Answer:
        """The answer that says no, counted by its code."""
        REFUSALS.labels(self.service, refused.code).inc()
        return Answer(wire.encode_refusal(refused), error or refused)

    def not_ours(self, reason: object, *, answered: bool) -> None:
        """A message that no call could be read from: counted, logged, never fatal."""
        NOT_OURS.labels(self.service).inc()
        log.warning("收到不能识别的消息（服务 %s，%s）：%s", self.service, "已答复" if answered else "无法答复", reason)


def _internal(call: wire.Call, error: Exception) -> Refused:
    found = _TRACE_ID.match(call.traceparent or "")
    trace_id = found.group(1) if found else os.urandom(16).hex()
    log.error("服务内部错误 %s.%s trace_id=%s", call.service, call.method, trace_id, exc_info=error)
    return Refused("internal", trace_id=trace_id)
