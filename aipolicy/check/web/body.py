"""A body, bounded: its content coding undone (RFC 9110 §8.4), a bomb not unpacked."""

import zlib
from collections.abc import AsyncIterator
from typing import Protocol

ACCEPTED = "gzip"
_GZIP = 16 + zlib.MAX_WBITS
_CODINGS = {"gzip": _GZIP, "x-gzip": _GZIP}


class _Decoder(Protocol):
    def take(self, octets: bytes, most: int) -> bytes: ...


class _Identity:
    def take(self, octets: bytes, most: int) -> bytes:
        return octets[:most]


class _Gzip:
    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP)

    def take(self, octets: bytes, most: int) -> bytes:
        taken = bytearray()
        while octets and len(taken) < most:
            taken += self._stream.decompress(octets, most - len(taken))
            octets = self._stream.unconsumed_tail
            if self._stream.eof:  # members may follow one another (RFC 1952 §2.2)
                octets = self._stream.unused_data
                self._stream = zlib.decompressobj(_GZIP)
        return bytes(taken)


class BodyError(Exception):
    """A body that can't be read as its header says."""


async def read_body(chunks: AsyncIterator[bytes], coding: str | None, most: int) -> tuple[bytes, bool]:
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
    return bytes(body), False


def _decoder(coding: str | None) -> _Decoder:
    name = (coding or "identity").strip().lower()
    if name == "identity":
        return _Identity()
    if name in _CODINGS:
        return _Gzip()
    raise BodyError(f"Content-Encoding is {coding!r}, which was not asked for")
