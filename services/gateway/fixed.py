"""The addresses that are the gateway's own, as OpenAPI says them: token, batch, upload, download, feed, keys."""

from __future__ import annotations

from typing import Any

from services.gateway.calls import READS, Batch
from services.gateway.downloads import SOURCES
from services.gateway.feed import CLOUDEVENTS, LIMIT, LIMIT_MAX, WAIT_MAX_S
from services.gateway.schemas import Schema
from services.gateway.tokens import TokenAnswer, TokenRequest
from services.gateway.uploads import Uploaded

JSON = "application/json"
OPEN: list[Schema] = [{}]
STREAM = {"name": "stream", "in": "path", "required": True, "schema": {"type": "string"}, "example": "registry.person"}
KEY = {"$ref": "#/components/parameters/IdempotencyKey"}
OBJECT: Schema = {"type": "object"}


def fixed_types() -> list[type]:
    """The shapes that are the gateway's own."""
    return [Batch, TokenRequest, TokenAnswer, Uploaded]


def fixed_paths(references: dict[Any, Schema], services: tuple[str, ...]) -> dict[str, dict[str, Schema]]:
    """Path → verb → operation."""
    return {**_posts(references), **_downloads(), **_feed(services), **_keys()}


def _posts(references: dict[Any, Schema]) -> dict[str, dict[str, Schema]]:
    token = _post("token", "登录取得令牌：口令、服务账户密钥或刷新凭据，三者之一。", references[TokenRequest])
    token |= {"security": OPEN, "responses": _ok("令牌", references[TokenAnswer])}
    batch = _post("batch", f"批量读取：至多 {READS} 项查询，逐项答复。", references[Batch])
    batch |= {"security": [{}, {"bearer": []}], "responses": _ok("逐项答复", OBJECT)}
    form: Schema = {
        "type": "object",
        "properties": {"division": {"type": "string"}, "file": {"type": "string", "format": "binary"}},
        "required": ["division", "file"],
    }
    upload = _post("upload", "上传批量录入的文件（不超过 20 MB），以答复中的 digest 开始录入。", form)
    upload["requestBody"]["content"] = {"multipart/form-data": {"schema": form}}
    upload |= {"parameters": [KEY], "responses": _ok("已上传", references[Uploaded])}
    return {"/v1/token": {"post": token}, "/v1/batch": {"post": batch}, "/v1/uploads": {"post": upload}}


def _downloads() -> dict[str, dict[str, Schema]]:
    id_: Schema = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    said: Schema = {"schema": {"type": "string"}}
    going_on: Schema = {"name": "Range", "in": "header", "description": "中断后续传：bytes=<已收字节数>-", **said}
    headers: Schema = dict.fromkeys(("Accept-Ranges", "Content-Disposition", "Content-Length", "ETag"), said)
    file: Schema = {"type": "string", "format": "binary"}
    found = {}
    for path, source in SOURCES.items():
        download = _get(source.method.replace("read", "download"), source.summary, [id_, going_on])
        whole = _ok("文件", file, "*/*", headers=headers)
        part = {"206": {**whole["200"], "headers": {**headers, "Content-Range": said}}}
        found[path] = {"get": download | {"responses": {**whole, **part}}}
    return found


def _feed(services: tuple[str, ...]) -> dict[str, dict[str, Schema]]:
    items: Schema = {"type": "array", "items": OBJECT}
    page = [_number("after", 0, 2**63 - 1, 0), _number("limit", 1, LIMIT_MAX, LIMIT)]
    wait = _number("wait", 0, WAIT_MAX_S, 0, "没有新事件时最多等待的秒数")
    events = _get("read_stream", "读取事件流：某位置之后的事件，逐字节与存储一致。", [STREAM, *page, wait])
    events["responses"] = _ok("事件", items, CLOUDEVENTS, headers=_page_headers())
    head = _get("stream_head", "事件流最新的签名链头。", [STREAM]) | {"responses": _ok("链头", OBJECT)}
    cursor = {"name": "after", "in": "query", "schema": {"type": "string"}, "description": "上一页的 next，首页不填"}
    limit = _number("limit", 1, LIMIT_MAX, LIMIT)
    snapshot = _get("stream_snapshot", "事件流的快照：至某一签名头仍然有效的事件，按位置排序。", [STREAM, cursor, limit])
    snapshot["responses"] = _ok("快照的一页：items、head（签名头）、next（无则读完）", OBJECT)
    streams = _get("streams", "各事件流的最新位置。", []) | {"responses": _ok("位置", OBJECT)}
    service: Schema = {"name": "service", "in": "path", "required": True, "schema": {"enum": list(services)}}
    audit = _get("read_audit", "导出审计记录及其校验信息。", [service, *page])
    audit["responses"] = _ok("审计记录", items, headers=_page_headers())
    return {
        "/v1/streams": {"get": streams},
        "/v1/streams/{stream}": {"get": events},
        "/v1/streams/{stream}/head": {"get": head},
        "/v1/streams/{stream}/snapshot": {"get": snapshot},
        "/v1/audit/{service}": {"get": audit},
    }


def _keys() -> dict[str, dict[str, Schema]]:
    keys = _get("jwks", "验证令牌与链头签名的公钥集（RFC 7517）。", [])
    type_: Schema = {"name": "type", "in": "path", "required": True, "schema": {"type": "string"}}
    schema = _get("event_schema", "一种事件的 data 的 JSON Schema。", [type_])
    return {
        "/.well-known/jwks.json": {"get": keys | {"security": OPEN, "responses": _ok("公钥集", OBJECT)}},
        "/v1/schemas/{type}": {"get": schema | {"security": OPEN, "responses": _ok("模式", OBJECT, SCHEMA_TYPE)}},
    }


SCHEMA_TYPE = "application/schema+json"


def _post(name: str, summary: str, schema: Schema) -> Schema:
    body = {"required": True, "content": {JSON: {"schema": schema}}}
    return {"operationId": f"gateway.{name}", "summary": summary, "requestBody": body}


def _get(name: str, summary: str, parameters: list[Any]) -> Schema:
    return {"operationId": f"gateway.{name}", "summary": summary, "parameters": parameters}


def _ok(description: str, schema: Schema, media_type: str = JSON, **more: Any) -> Schema:
    return {"200": {"description": description, "content": {media_type: {"schema": schema}}, **more}}


def _number(name: str, lowest: int, highest: int, default: int, description: str = "") -> Schema:
    schema = {"type": "integer", "minimum": lowest, "maximum": highest, "default": default}
    return {"name": name, "in": "query", "schema": schema, **({"description": description} if description else {})}


def _page_headers() -> Schema:
    text = {"type": "string"}
    return {
        "Banyan-Head": {"description": "流的最新位置", "schema": text},
        "Banyan-Next": {"description": "下一次读取的 after", "schema": text},
    }
