"""Decoder of response bodies (RFC 9110 §8.4) with a limit on the decoded size."""

import zlib
from collections.abc import AsyncIterator, Callable
from typing import Protocol

ACCEPTED = "gzip"
_GZIP = 16 + zlib.MAX_WBITS
_MAX_SHOWN = 60  # characters of a header in a message


class _Decoder(Protocol):
    """A decoder of one content coding. ``complete`` is True if the data so far can be the whole body."""

    complete: bool

    def decode(self, data: bytes, limit: int) -> bytes:
        """Return up to ``limit`` decoded bytes."""


class _Identity:
    complete = True

    def decode(self, data: bytes, limit: int) -> bytes:
        return data[:limit]


class _Gzip:
    """One or more gzip members (RFC 1952 §2.2). Like browsers, it ignores padding and text after them."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP)
        self._is_first = True
        self._ended = False
        self.complete = True

    def decode(self, data: bytes, limit: int) -> bytes:
        decoded = bytearray()
        while data and len(decoded) < limit and not self._ended:
            if self._stream.eof:
                data = data.lstrip(b"\0")
                if not data:
                    break
                self._stream, self._is_first = zlib.decompressobj(_GZIP), False
            try:
                part = self._stream.decompress(data, limit - len(decoded))
            except zlib.error:
                if self._is_first:
                    raise
                self._ended = self.complete = True
                break
            decoded += part
            # Data after the first member may be no member at all, until it decodes to something.
            self.complete = self._stream.eof or (self.complete and not self._is_first and not part)
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
        return bytes(decoded)


class _Deflate:
    """The zlib format (RFC 9110 §8.4.1.2), or raw deflate data, which some servers send instead."""

    def __init__(self) -> None:
        self._head = b""
        self._stream: zlib._Decompress | None = None
        self.complete = True

    def decode(self, data: bytes, limit: int) -> bytes:
        if self._stream is None:
            data = self._head = self._head + data
            self.complete = not data
            if len(data) < 2:
                return b""
            # RFC 1950 §2.2: method 8, and the first two bytes are a multiple of 31.
            is_zlib = data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)
        decoded = self._stream.decompress(data, limit)
        self.complete = self._stream.eof
        return decoded


_CODINGS: dict[str, Callable[[], _Decoder]] = {"gzip": _Gzip, "x-gzip": _Gzip, "deflate": _Deflate}


class BodyError(Exception):
    """A body that doesn't match its Content-Encoding."""


async def read_body(chunks: AsyncIterator[bytes], coding: str, limit: int) -> tuple[bytes, bool]:
    """Return the first ``limit`` decoded bytes, and True if there were more.

    Raises:
        BodyError: The body doesn't match its Content-Encoding.
    """
    decoder = _decoder(coding)
    body = bytearray()
    async for chunk in chunks:
        try:
            body += decoder.decode(chunk, limit + 1 - len(body))
        except zlib.error as error:
            raise BodyError(f"the body can't be decoded as its Content-Encoding says ({error})") from None
        if len(body) > limit:
            return bytes(body[:limit]), True
    if not decoder.complete:
        raise BodyError("the body ended before its Content-Encoding was complete")
    return bytes(body), False


def _decoder(coding: str) -> _Decoder:
    names = [name.strip(" \t").lower() for name in coding.split(",")]
    applied = [name for name in names if name not in ("", "identity")]
    if not applied:
        return _Identity()
    if len(applied) == 1 and applied[0] in _CODINGS:
        return _CODINGS[applied[0]]()
    raise BodyError(f"Content-Encoding is {coding[:_MAX_SHOWN]!r}, which was not requested")
