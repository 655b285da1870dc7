"""OpenAPI 3.1 of the gateway, made from the contracts: one operation for each command and query, and the fixed ones."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from banyan.kernel.message import Bulk
from services.gateway.fixed import fixed_paths, fixed_types
from services.gateway.operations import Operation, operations, words
from services.gateway.schemas import Schema, components

VERSION = "1"
PROBLEM: Schema = {
    "title": "Problem",
    "description": "拒绝或错误（RFC 9457）。code 不变，可据以处理；title 与 remedy 供人阅读；facts 是据以改正的事实。",
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "facts": {"type": "object"},
        "remedy": {"type": "string"},
        "trace_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    },
    "required": ["type", "title", "status", "code", "facts", "remedy", "trace_id"],
}
BULK_ANSWER: Schema = {
    "title": "BulkAnswer",
    "description": "逐项答复，次序与所提交的相同。",
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "oneOf": [
                    {"properties": {"done": {"$ref": "#/components/schemas/Done"}}, "required": ["done"]},
                    {"properties": {"refused": {"type": "object"}}, "required": ["refused"]},
                ]
            },
        }
    },
    "required": ["items"],
}
PARAMETERS: Schema = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "幂等键：每项指令一个，重试时沿用。同一键的答复不变，另一内容用同一键会被拒绝（key_reused）。",
        "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
        "example": "0b9f6c0e-6f0c-4c55-9d53-3f1b8a1f8f0e",
    },
    "RequestTimeoutMs": {
        "name": "Request-Timeout-Ms",
        "in": "header",
        "required": False,
        "description": "最多等待的毫秒数；缺省 10000。",
        "schema": {"type": "integer", "minimum": 1, "maximum": 30000},
    },
}
PROBLEM_RANGES = {code: {"$ref": "#/components/responses/Problem"} for code in ("4XX", "5XX")}
ABOUT = (
    "指令（改变）与查询（不改变）都是 POST，所需内容全部在正文里。"
    "编号、代码、流位置都是字符串；时刻须带时区，日期为 YYYY-MM-DD，均在 1800 至 2999 年之间；文本不含 U+0000。"
    "每项操作的 x-may 是可以办理的职责（anyone 无需令牌，account 任何有效令牌，system 平台自身）。"
)


@cache
def document() -> bytes:
    """The text that stands at /openapi.json and in docs/openapi.json."""
    return msgspec.json.format(msgspec.json.encode(_document()), indent=1) + b"\n"


def _document() -> Schema:
    every = list(operations().values())
    types = [kind for one in every for kind in (one.ask, one.ask.answer)]
    references, schemas = components([*types, *fixed_types()])
    paths = {one.path: {"post": _operation(one, references)} for one in every}
    for path, item in fixed_paths(references, tuple(words())).items():
        paths[path] = {verb: _complete(one) for verb, one in item.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "榕 · 社会工作服务平台", "version": VERSION, "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in (*words(), "gateway")],
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Problem": PROBLEM, "BulkAnswer": BULK_ANSWER},
            "parameters": PARAMETERS,
            "responses": {"Problem": _answer("拒绝或错误", "application/problem+json", {"$ref": _ref("Problem")})},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(one: Operation, references: dict[Any, Schema]) -> Schema:
    names = ["IdempotencyKey", "RequestTimeoutMs"] if one.is_command else ["RequestTimeoutMs"]
    bulk = issubclass(one.ask, Bulk)
    answer = {"$ref": _ref("BulkAnswer")} if bulk else references[one.ask.answer]
    return {
        "operationId": f"{one.service}.{one.method}",
        "tags": [one.service],
        "summary": (one.ask.__doc__ or "").strip().splitlines()[0],
        "x-may": list(one.ask.may),
        "x-kind": "command" if one.is_command else "query",
        "security": [{}, {"bearer": []}] if one.is_open else [{"bearer": []}],
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in names],
        "requestBody": {"required": True, "content": {"application/json": {"schema": references[one.ask]}}},
        "responses": {"200": _answer("答复", "application/json", answer), **PROBLEM_RANGES},
    }


def _complete(one: Schema) -> Schema:
    answers = {**one["responses"], **PROBLEM_RANGES}
    return {"tags": ["gateway"], "security": [{"bearer": []}], **one, "responses": answers}


def _answer(description: str, media_type: str, schema: Schema) -> Schema:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _ref(name: str) -> str:
    return f"#/components/schemas/{name}"
