"""Files to download: read from the service that keeps them, part by part, and passed on as they come.

A download that broke off goes on with `Range`; the service says for every part whether the caller may still read it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from banyan.contracts.frame import FILE_PART_BYTES, FilePart
from banyan.kernel.refusal import Refused
from banyan.runtime.host import telemetry
from services.gateway import reading
from services.gateway.backend import Backend, Client, backend_of
from services.gateway.edge import Handler

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
RANGE = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")


@dataclass(frozen=True, slots=True)
class Source:
    """Whose file it is: the service, its question for one part, and the field that names the record."""

    service: str
    method: str
    field: str
    summary: str

    async def part(self, backend: Backend, id: str, number: int) -> FilePart:
        """One part; refuses as the service does."""
        body = msgspec.json.encode({self.field: id, "part": number})
        return msgspec.json.decode(await backend.call(self.service, self.method, body), type=FilePart)


SOURCES = {
    "/v1/runs/{id}/inputs": Source(
        "matching", "read_run_inputs", "run_id", "下载一次批量派单的输入（numpy 数组，编号为假名）。"
    ),
    "/v1/runs/{id}/certificate": Source(
        "matching", "read_run_certificate", "run_id", "下载一次批量派单的最优证明（numpy 数组）。"
    ),
    "/v1/exports/{id}": Source("insight", "read_export", "export_id", "下载一份导出：CSV、XLSX 或 Parquet。"),
    "/v1/imports/{id}/refused": Source(
        "registry", "read_refused_rows", "import_id", "下载一次批量录入中被退回的行（CSV），改正后可重新上传。"
    ),
}


def download_handler(client: Client, source: Source) -> Handler:
    """The whole file, or from `Range` on; refuses `past_the_end` where that lies behind it."""

    async def handle(request: Request, span: telemetry.Span) -> Response:
        reading.known_queries(request)
        backend, id = backend_of(client, request, span), request.path_params["id"]
        wanted = RANGE.fullmatch(request.headers.get("range", ""))
        start = int(wanted[1]) if wanted else 0
        first = await source.part(backend, id, start // FILE_PART_BYTES)
        if wanted and request.headers.get("if-range", etag(first)) != etag(first):
            wanted, start, first = None, 0, await source.part(backend, id, 0)
        end = min(int(wanted[2]) + 1 if wanted and wanted[2] else first.size, first.size)
        if wanted and not start < end:
            raise Refused("past_the_end", size=first.size)
        headers = headers_of(first, end - start)
        if wanted:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{first.size}"
        if request.method == "HEAD":
            return Response(status_code=200, headers=headers, media_type=first.media_type)
        pieces = _pieces(source, backend, id, first, start, end)
        return StreamingResponse(pieces, 206 if wanted else 200, headers, first.media_type)

    return handle


async def _pieces(
    source: Source, backend: Backend, id: str, first: FilePart, start: int, end: int
) -> AsyncIterator[bytes]:
    """The bytes from `start` to `end`. A part that is refused on the way ends the connection: the length shows it."""
    part, at = first, start
    while at < end:
        if at // FILE_PART_BYTES != part.part:
            part = await source.part(backend, id, at // FILE_PART_BYTES)
        begin = at % FILE_PART_BYTES
        piece = part.content[begin : begin + end - at]
        at += len(piece)
        yield piece


def etag(part: FilePart) -> str:
    """The file by its content."""
    return f'"{part.digest}"'


def headers_of(part: FilePart, length: int) -> dict[str, str]:
    """How a browser takes it: under its 中文 name (RFC 5987), never shown in the page; what reads no such name takes a plain one."""
    ending = part.name.rpartition(".")[2]
    plain = f"file.{ending}" if PLAIN.fullmatch(ending) else "file"
    plain = part.name if PLAIN.fullmatch(part.name) else plain
    return {
        "Accept-Ranges": "bytes",
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(part.name, safe='')}",
        "Content-Length": str(length),
        "ETag": etag(part),
    }
