"""POST /v1/uploads: a file as multipart/form-data. It is read piece by piece into a nameless file, then handed to
registry in sealed parts; nothing of it stays here. The registry decides who may, and keeps or destroys it."""

from __future__ import annotations

import base64
import hashlib
import tempfile
from pathlib import Path
from typing import IO

import msgspec
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request
from starlette.responses import Response

from banyan.contracts.registry import UPLOAD_PART_BYTES
from banyan.kernel.refusal import Refused
from banyan.runtime.host import telemetry
from services.gateway import reading
from services.gateway.backend import Backend, Client, backend_of, json_answer
from services.gateway.edge import Handler

FILE_BYTES = 20_000_000
AROUND_BYTES = 16_384
"""Room for what multipart writes around a file."""
DIVISION_BYTES = 64
HERE_ALREADY = "part_uploaded"


class Uploaded(msgspec.Struct, frozen=True, kw_only=True):
    """A file that an import can be started from: SHA-256 in hex, bytes, the type as its sender called it."""

    digest: str
    size: int
    content_type: str


def upload_handler(client: Client, folder: Path) -> Handler:
    """Takes one file and the division it is for. Sent again, the answer is the same."""

    folder.mkdir(parents=True, exist_ok=True)

    async def handle(request: Request, span: telemetry.Span) -> Response:
        backend, key = backend_of(client, request, span), reading.key_of(request)
        reading.require_type(request, "multipart/form-data")
        await backend.call("identity", "who_am_i", b"{}")  # a stranger's 20 MB are not even read
        with tempfile.TemporaryFile(dir=folder) as file:
            form = Form(file, request.headers["content-type"])
            async for chunk in reading.chunks(request, FILE_BYTES + AROUND_BYTES):
                form.feed(chunk)
            uploaded = form.end()
            await _hand_over(backend, key, form.division, uploaded, file)
        return json_answer(msgspec.json.encode(uploaded))

    return handle


async def _hand_over(backend: Backend, key: str, division: str, uploaded: Uploaded, file: IO[bytes]) -> None:
    parts = -(-uploaded.size // UPLOAD_PART_BYTES)
    file.seek(0)
    for part in range(parts):
        content = base64.b64encode(file.read(UPLOAD_PART_BYTES)).decode()
        body = {"division": division, "digest": uploaded.digest, "part": part, "parts": parts, "content": content}
        try:
            await backend.call("registry", "add_upload", body, key=f"{key}:{part}")
        except Refused as refused:
            if refused.code != HERE_ALREADY:
                raise


class Form:
    """A multipart form with the fields `division` and `file`, parsed as it comes."""

    def __init__(self, file: IO[bytes], content_type: str) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise Refused("bad_input", field="Content-Type", detail="boundary")
        names = ("part_begin", "part_data", "part_end", "header_field", "header_value", "header_end", "end")
        self._parser = MultipartParser(boundary, {f"on_{name}": getattr(self, f"_{name}") for name in names})  # type: ignore[arg-type]
        self._file, self._digest = file, hashlib.sha256()
        self._size, self._type, self._files, self._ended = 0, "", 0, False
        self._division, self._part, self._name = b"", "", b""
        self._headers: dict[str, bytes] = {}
        self._value = b""

    @property
    def division(self) -> str:
        """The division that the file is for, as it was written."""
        return self._division.decode("ascii", "replace")

    def feed(self, chunk: bytes) -> None:
        """The next piece; refuses `bad_input` where it is no multipart, `too_large` above 20 MB."""
        try:
            self._parser.write(chunk)
        except MultipartParseError as error:
            raise Refused("bad_input", field="$", detail=str(error)[:200]) from None

    def end(self) -> Uploaded:
        """The file; refuses `bad_input` where the form is cut off, or has no file or division."""
        whole = {"$": self._ended, "file": self._files == 1 and self._size > 0, "division": bool(self.division)}
        for field, there in whole.items():
            if not there:
                raise Refused("bad_input", field=field, expected=["division", "file"])
        return Uploaded(digest=self._digest.hexdigest(), size=self._size, content_type=self._type)

    def _part_begin(self) -> None:
        self._headers, self._name, self._value = {}, b"", b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._name.decode("latin-1").lower()] = self._value
        self._name, self._value = b"", b""
        if "content-disposition" not in self._headers:
            return
        options = parse_options_header(self._headers["content-disposition"])[1]
        self._part = options.get(b"name", b"").decode("latin-1")
        if self._part == "file" and "content-type" in self._headers:
            self._type = self._headers["content-type"].decode("latin-1")[:100]

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if self._part == "division":
            self._division = (self._division + piece)[:DIVISION_BYTES]
        elif self._part == "file":
            self._size += len(piece)
            if self._size > FILE_BYTES:
                raise Refused("too_large", limit_bytes=FILE_BYTES)
            self._digest.update(piece)
            self._file.write(piece)
        else:
            raise Refused("bad_input", field=self._part[:40], expected=["division", "file"])

    def _part_end(self) -> None:
        self._files += self._part == "file"
        self._part = ""

    def _end(self) -> None:
        self._ended = True
