"""A refusal as RFC 9457 problem+json, and the one table from codes to HTTP statuses."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from banyan.kernel.refusal import Refused, sentence

PROBLEM_TYPE = "application/problem+json"
DEFAULT_STATUS = 422
"""A rule said no: the request was understood, and repeating it unchanged will not help."""
STATUSES = {
    "not_json": 400,
    "key_missing": 400,
    "unauthenticated": 401,
    "not_allowed": 403,
    "not_found": 404,
    "unknown_command": 404,
    "unknown_address": 404,
    "wrong_method": 405,
    "stale_version": 409,
    "key_reused": 409,
    "wrong_state": 409,
    "document_taken": 409,
    "merged": 409,
    "file_not_ready": 409,
    "file_expired": 410,
    "too_large": 413,
    "wrong_content_type": 415,
    "past_the_end": 416,
    "rate_limited": 429,
    "internal": 500,
    "outcome_unknown": 502,
    "unavailable": 503,
    "record_busy": 503,
    "unknown_service": 503,
    "audit_unsealed": 503,
    "signing_unavailable": 503,
    "no_head_yet": 503,
    "deadline_past": 504,
}
RETRY_AFTER_S = 5
"""What is said of a part that is not there now; a rate limit says its own time."""


def status_of(code: str) -> int:
    """The HTTP status of a code; that of a unique rule of the tables ends with `_taken` and is a conflict."""
    return STATUSES.get(code, 409 if code.endswith("_taken") else DEFAULT_STATUS)


def problem_of(refused: Refused, trace_id: str) -> dict[str, Any]:
    """The problem as JSON values; `type` is a name that never changes, `title` and `remedy` are for people."""
    title, remedy = sentence(refused.code)
    return {
        "type": f"urn:banyan:refusal:{refused.code}",
        "title": title,
        "status": status_of(refused.code),
        "code": refused.code,
        "facts": dict(refused.facts),
        "remedy": remedy,
        "trace_id": trace_id,
    }


def problem(refused: Refused, trace_id: str) -> Response:
    """The answer to a refused request."""
    body = problem_of(refused, trace_id)
    headers: dict[str, str] = {}
    if body["status"] == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if body["status"] in (429, 503):
        headers["Retry-After"] = str(refused.facts.get("retry_after", RETRY_AFTER_S))
    if body["status"] == 416 and "size" in refused.facts:
        headers["Content-Range"] = f"bytes */{refused.facts['size']}"
    if "allow" in refused.facts:
        headers["Allow"] = ", ".join(refused.facts["allow"])
    return Response(_encode(body), body["status"], headers, PROBLEM_TYPE)


_encode = msgspec.json.Encoder(enc_hook=str).encode
