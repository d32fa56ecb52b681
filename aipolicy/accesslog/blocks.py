"""A log as blocks of whole lines: plain, gzip or zstd, from files or standard input, larger than memory."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from isal import igzip, igzip_lib  # a third of the time that zlib takes

from aipolicy.errors import LogError, MissingExtraError

BLOCK_OCTETS = 16 << 20
LONGEST_LINE = 64 << 20
"""Octets after which the rest of a line is left out; its User-Agent is gone then, so it can't be read."""

_BOM = b"\xef\xbb\xbf"
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


def blocks(name: str, advance: Callable[[int], None], size: int = BLOCK_OCTETS) -> Iterator[bytes]:
    """A log, ``-`` being standard input, in blocks of whole lines; none where it is empty.

    A block begins with the newline before its first line, so that no reader takes it for compressed data, and
    ends with that of its last, unless the file ends without one. ``advance`` hears of the octets read. Raises
    LogError for what can't be opened, or ends before its compression says that it is whole: part of a log is
    no evidence.
    """
    with _opened(name) as raw:
        counted = _Counted(raw, advance)
        try:
            with _decompressed(name, counted) as file:
                yield from _whole_lines(file, size)
        except (EOFError, igzip_lib.IsalError, OSError, ValueError) as error:  # type: ignore[misc]
            reason = str(error) or type(error).__name__
            raise LogError(f"{name!r} can't be read to its end ({reason}): is it whole?") from None


def _whole_lines(file: IO[bytes], size: int) -> Iterator[bytes]:
    start = file.read(len(_BOM))
    rest = b"\n" + start.removeprefix(_BOM)  # it is no part of the first line
    while octets := file.read(size):
        if len(rest) >= LONGEST_LINE:  # of this line enough is kept
            octets = octets[octets.find(b"\n") :] if b"\n" in octets else b""
        end = octets.rfind(b"\n") + 1
        if not end:
            rest += octets
            continue
        yield b"".join((rest, memoryview(octets)[:end]))
        rest = octets[end - 1 :]
    if rest != b"\n":
        yield rest


@contextmanager
def _opened(name: str) -> Iterator[IO[bytes]]:
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - closed below; errors of the block are not of opening
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise LogError(f"{name!r} can't be opened ({reason}): give a log file, or - for stdin") from None
    with file:
        yield file


def _decompressed(name: str, file: "_Counted") -> IO[bytes]:
    start = file.peek(4)
    if start.startswith(_GZIP):
        buffered = io.BufferedReader(file, 1 << 20)
        return cast(IO[bytes], igzip.IGzipFile(fileobj=buffered))  # type: ignore[no-untyped-call]
    if start.startswith(_ZSTD):
        return _zstd(name, file)
    return cast(IO[bytes], file)


def _zstd(name: str, file: "_Counted") -> IO[bytes]:
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError:
        raise MissingExtraError.for_extra(f"{name!r} needs zstd", "check") from None
    return cast(IO[bytes], zstd.ZstdFile(cast(BinaryIO, file)))


class _Counted(io.RawIOBase):
    """A file that tells how much was read of it."""

    def __init__(self, raw: IO[bytes], advance: Callable[[int], None]) -> None:
        self._raw, self._advance = raw, advance
        self._peeked = b""

    def readable(self) -> bool:
        return True

    def peek(self, octets: int) -> bytes:
        """The first octets, before anything else is read."""
        self._peeked = self._raw.read(octets)
        return self._peeked

    def read(self, size: int = -1) -> bytes:
        octets = self._peeked + self._raw.read(max(0, size - len(self._peeked)) if size >= 0 else -1)
        self._peeked = b""
        self._advance(len(octets))
        return octets

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        octets = self.read(len(buffer))
        buffer[: len(octets)] = octets
        return len(octets)
