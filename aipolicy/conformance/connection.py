"""A tolerant HTTP/1.1 connection for crawlers.

HTTP libraries reject what the grammar doesn't allow: non-ASCII bytes or spaces in the target, header lines
without a colon, lines that end with LF. Crawlers send all of these, and a rejected request can't be judged.
Here every request line with a method and a target is accepted.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from aipolicy.conformance.fixture import ServedResponse

MAX_HEAD = 16 * 1024
"""The maximum number of bytes of a request's first line and headers."""

_MAX_BODY = 64 * 1024
_IDLE = 60.0  # seconds until an idle connection is closed
_REQUEST = re.compile(rb"([A-Za-z]+) +(\S.*?)(?: +HTTP/(\d)\.(\d))? *\Z", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request; bytes of its target that are not UTF-8 are surrogate escapes."""

    method: str
    target: str
    user_agent: str


Reply = tuple[ServedResponse, Callable[[], None]]
"""A response, and a function to call after it has been sent."""

Responder = Callable[[ReceivedRequest], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class _Head:
    """A parsed request without its body."""

    request: ReceivedRequest
    headers: dict[bytes, bytes]
    keeps_open: bool
    lacks_host: bool


class _UnreadableError(Exception):
    """An invalid or too large request."""

    def __init__(self, status: int, line: bytes = b"") -> None:
        self.status, self.line = status, line


async def serve_connection(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    respond: Responder,
    on_invalid: Callable[[str], None] = lambda _line: None,
) -> None:
    """Serve a connection until either side closes it, or the client sends an invalid request.

    Args:
        reader: The connection's reader; its limit must be MAX_HEAD or more.
        writer: The connection's writer.
        respond: Returns the response to a request.
        on_invalid: Called with a first line that is not a request line.
    """
    try:
        while await _exchange(reader, writer, respond):
            pass
    except _UnreadableError as error:
        if error.line:
            on_invalid(error.line.decode("utf-8", "surrogateescape"))
        await _send(writer, ServedResponse(b"", error.status), "GET", keeps_open=False)
    except (ConnectionError, TimeoutError):  # the client closed the connection, or was idle
        pass
    finally:
        writer.close()


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, respond: Responder) -> bool:
    """Serve one request; return False if no other can follow."""
    head = await _read_head(reader)
    if head is None:
        return False
    answer, sent = await respond(head.request)
    if answer.hangs_up:
        sent()
        writer.transport.abort()
        return False
    if head.lacks_host:  # RFC 9112 §3.2; it has been recorded
        answer = ServedResponse(b"", HTTPStatus.BAD_REQUEST)
    await _discard_body(head.headers, reader, writer)
    await _send(writer, answer, head.request.method, keeps_open=head.keeps_open)
    sent()
    return head.keeps_open


async def _read_head(reader: asyncio.StreamReader) -> _Head | None:
    """Read the next request; return None at the end of the connection."""
    lines: list[bytes] = []
    size = 0
    async with asyncio.timeout(_IDLE):
        while line := await _read_line(reader):
            size += len(line)
            if size > MAX_HEAD:
                raise _UnreadableError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            line = line.rstrip(b"\r\n")
            if line:
                lines.append(line)
            elif lines:  # empty lines before a request are skipped (RFC 9112 §2.2)
                return _parsed(lines)
    return None


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError:
        return b""
    except asyncio.LimitOverrunError:
        raise _UnreadableError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from None


def _parsed(lines: list[bytes]) -> _Head:
    match = _REQUEST.match(lines[0])
    if match is None:
        raise _UnreadableError(HTTPStatus.BAD_REQUEST, lines[0])
    headers: dict[bytes, bytes] = {}
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        name, value = name.strip(b" \t").lower(), value.strip(b" \t")
        headers[name] = headers[name] + b", " + value if name in headers else value
    request = ReceivedRequest(
        match[1].decode("ascii"),
        match[2].decode("utf-8", "surrogateescape"),
        headers.get(b"user-agent", b"").decode("latin-1"),
    )
    modern = (match[3] or b"0", match[4] or b"9") >= (b"1", b"1")
    lacks_host = modern and b"host" not in headers
    closes = lacks_host or b"close" in headers.get(b"connection", b"").lower()
    return _Head(request, headers, keeps_open=modern and not closes, lacks_host=lacks_host)


async def _discard_body(
    headers: dict[bytes, bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    if b"100-continue" in headers.get(b"expect", b"").lower():
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    async with asyncio.timeout(_IDLE):
        if b"chunked" in headers.get(b"transfer-encoding", b"").lower():
            await _discard_chunks(reader)
        elif length := headers.get(b"content-length", b""):
            await _discard(reader, _number(length, 10))


async def _discard_chunks(reader: asyncio.StreamReader) -> None:
    room = _MAX_BODY
    while size := _number((await _read_line(reader)).partition(b";")[0], 16):
        room -= size
        if room < 0:
            raise _UnreadableError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        await _discard(reader, size + 2)  # with the line end
    while (await _read_line(reader)).strip(b"\r\n"):  # trailers
        pass


async def _discard(reader: asyncio.StreamReader, size: int) -> None:
    if size > _MAX_BODY:
        raise _UnreadableError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    try:
        await reader.readexactly(size)
    except asyncio.IncompleteReadError:
        raise ConnectionResetError from None


def _number(text: bytes, base: int) -> int:
    try:
        return max(int(text, base), 0)
    except ValueError:
        raise _UnreadableError(HTTPStatus.BAD_REQUEST) from None


async def _send(
    writer: asyncio.StreamWriter, answer: ServedResponse, method: str, *, keeps_open: bool
) -> None:
    connection = ("Connection", "keep-alive" if keeps_open else "close")
    headers = (*answer.headers, ("Content-Length", str(len(answer.body))), connection)
    reason = HTTPStatus(answer.status).phrase
    lines = [f"HTTP/1.1 {answer.status} {reason}", *(f"{name}: {value}" for name, value in headers), "", ""]
    writer.write("\r\n".join(lines).encode("latin-1"))
    if method.upper() != "HEAD":
        writer.write(answer.body)
    async with asyncio.timeout(_IDLE):
        await writer.drain()
