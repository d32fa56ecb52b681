"""One connection of a crawler: requests are read however they are written, and answered in HTTP/1.1.

A library for HTTP refuses what its grammar doesn't allow: bytes outside ASCII or spaces in the target, header
lines without a colon, lines that end with LF. Crawlers send all of these, and a request that is refused
unread can't be judged. So the request line is taken apart here: whatever has a method and a target counts.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from aipolicy.conformance.fixture import Answer

LONGEST_HEAD = 16 * 1024
"""Bytes of a request's line and headers."""

_BODY = 64 * 1024
_IDLE = 60.0  # seconds that a connection may stand open between two requests
_REQUEST = re.compile(rb"([A-Za-z]+) +(\S.*?)(?: +HTTP/(\d)\.(\d))? *\Z", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it was sent; bytes of the target that aren't UTF-8 are surrogate escapes."""

    method: str
    target: str
    user_agent: str


Answered = tuple[Answer, Callable[[], None]]
"""An answer, and what to call once it has been sent."""

Answering = Callable[[Asked], Awaitable[Answered]]


@dataclass(frozen=True, slots=True)
class _Head:
    """A request's line and headers, taken apart."""

    asked: Asked
    headers: dict[bytes, bytes]
    keeps_open: bool
    lacks_host: bool


class _UnreadableError(Exception):
    """The bytes sent are not a request, or are more than a request may have."""

    def __init__(self, status: int, line: bytes = b"") -> None:
        self.status, self.line = status, line


async def converse(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    answering: Answering,
    unreadable: Callable[[str], None] = lambda _line: None,
) -> None:
    """Serve one connection until either side closes it, or sends what has no method and target.

    Args:
        reader: of the connection; its limit must be LONGEST_HEAD or more.
        writer: of the connection.
        answering: answers a request.
        unreadable: is called with a first line that is no request line.
    """
    try:
        while await _exchange(reader, writer, answering):
            pass
    except _UnreadableError as error:
        if error.line:
            unreadable(error.line.decode("utf-8", "surrogateescape"))
        await _send(writer, Answer(b"", error.status), "GET", keeps_open=False)
    except (ConnectionError, TimeoutError):  # it went away, or fell asleep
        pass
    finally:
        writer.close()


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answering: Answering) -> bool:
    """One request and its answer; False where no other can follow."""
    head = await _read_head(reader)
    if head is None:
        return False
    answer, sent = await answering(head.asked)
    if answer.hangs_up:
        sent()
        writer.transport.abort()
        return False
    if head.lacks_host:  # RFC 9112 §3.2; it has been recorded
        answer = Answer(b"", HTTPStatus.BAD_REQUEST)
    await _discard_body(head.headers, reader, writer)
    await _send(writer, answer, head.asked.method, keeps_open=head.keeps_open)
    sent()
    return head.keeps_open


async def _read_head(reader: asyncio.StreamReader) -> _Head | None:
    """The next request's line and headers; None where none comes."""
    lines: list[bytes] = []
    size = 0
    async with asyncio.timeout(_IDLE):
        while line := await _read_line(reader):
            size += len(line)
            if size > LONGEST_HEAD:
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
    asked = Asked(
        match[1].decode("ascii"),
        match[2].decode("utf-8", "surrogateescape"),
        headers.get(b"user-agent", b"").decode("latin-1"),
    )
    modern = (match[3] or b"0", match[4] or b"9") >= (b"1", b"1")
    lacks_host = modern and b"host" not in headers
    closes = lacks_host or b"close" in headers.get(b"connection", b"").lower()
    return _Head(asked, headers, keeps_open=modern and not closes, lacks_host=lacks_host)


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
    room = _BODY
    while size := _number((await _read_line(reader)).partition(b";")[0], 16):
        room -= size
        if room < 0:
            raise _UnreadableError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        await _discard(reader, size + 2)  # and the line's end
    while (await _read_line(reader)).strip(b"\r\n"):  # trailers
        pass


async def _discard(reader: asyncio.StreamReader, size: int) -> None:
    if size > _BODY:
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


async def _send(writer: asyncio.StreamWriter, answer: Answer, method: str, *, keeps_open: bool) -> None:
    connection = ("Connection", "keep-alive" if keeps_open else "close")
    headers = (*answer.headers, ("Content-Length", str(len(answer.body))), connection)
    reason = HTTPStatus(answer.status).phrase
    lines = [f"HTTP/1.1 {answer.status} {reason}", *(f"{name}: {value}" for name, value in headers), "", ""]
    writer.write("\r\n".join(lines).encode("latin-1"))
    if method.upper() != "HEAD":
        writer.write(answer.body)
    async with asyncio.timeout(_IDLE):
        await writer.drain()
