"""A body, bounded: its content coding undone (RFC 9110 §8.4), a bomb not unpacked."""

import zlib
from collections.abc import AsyncIterator, Callable
from typing import Protocol

ACCEPTED = "gzip"
_GZIP = 16 + zlib.MAX_WBITS
_SHOWN = 60  # characters of a header in a message


class _Decoder(Protocol):
    """``whole``: nothing is missing behind what was taken, as far as is known; an empty body is whole."""

    whole: bool

    def take(self, octets: bytes, most: int) -> bytes: ...


class _Identity:
    whole = True

    def take(self, octets: bytes, most: int) -> bytes:
        return octets[:most]


class _Gzip:
    """One member or more (RFC 1952 §2.2), until what follows is none: some servers pad, or add a line."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP)
        self._is_first = True
        self._ended = False
        self.whole = True

    def take(self, octets: bytes, most: int) -> bytes:
        taken = bytearray()
        while octets and len(taken) < most and not self._ended:
            if self._stream.eof:
                octets = octets.lstrip(b"\0")
                if not octets:
                    break
                self._stream, self._is_first = zlib.decompressobj(_GZIP), False
            try:
                got = self._stream.decompress(octets, most - len(taken))
            except zlib.error:
                if self._is_first:
                    raise
                self._ended = self.whole = True  # as browsers have it
                break
            taken += got
            # Of a member that has given nothing yet, nobody knows that it is one.
            self.whole = self._stream.eof or (self.whole and not self._is_first and not got)
            octets = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
        return bytes(taken)


class _Deflate:
    """zlib's format, as RFC 9110 §8.4.1.2 has it; or without its head, as some servers send it."""

    def __init__(self) -> None:
        self._head = b""
        self._stream: zlib._Decompress | None = None
        self.whole = True

    def take(self, octets: bytes, most: int) -> bytes:
        if self._stream is None:
            octets = self._head = self._head + octets
            self.whole = not octets
            if len(octets) < 2:
                return b""
            # RFC 1950 §2.2: method 8, and the first two octets are a multiple of 31.
            is_zlib = octets[0] & 0x0F == 8 and int.from_bytes(octets[:2], "big") % 31 == 0
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)
        taken = self._stream.decompress(octets, most)
        self.whole = self._stream.eof
        return taken


_CODINGS: dict[str, Callable[[], _Decoder]] = {"gzip": _Gzip, "x-gzip": _Gzip, "deflate": _Deflate}


class BodyError(Exception):
    """A body that can't be read as its header says."""


async def read_body(chunks: AsyncIterator[bytes], coding: str, most: int) -> tuple[bytes, bool]:
    """The first ``most`` octets, and whether there were more. Raises BodyError."""
    decoder = _decoder(coding)
    body = bytearray()
    async for chunk in chunks:
        try:
            body += decoder.take(chunk, most + 1 - len(body))
        except zlib.error as error:
            raise BodyError(f"the body is not what Content-Encoding says ({error})") from None
        if len(body) > most:
            return bytes(body[:most]), True
    if not decoder.whole:
        raise BodyError("the body ends before the coding that Content-Encoding names does")
    return bytes(body), False


def _decoder(coding: str) -> _Decoder:
    names = [name.strip(" \t").lower() for name in coding.split(",")]
    applied = [name for name in names if name not in ("", "identity")]
    if not applied:
        return _Identity()
    if len(applied) == 1 and applied[0] in _CODINGS:
        return _CODINGS[applied[0]]()
    raise BodyError(f"Content-Encoding is {coding[:_SHOWN]!r}, which was not asked for")
