"""Log files read in blocks of whole lines: plain, gzip or zstd, of any size, or standard input."""

import glob
import hashlib
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from isal import igzip, igzip_lib  # a third of the time that zlib takes

from aipolicy.errors import AIPolicyError, LogError, MissingExtraError

BLOCK_BYTES = 16 << 20
LONGEST_LINE = 64 << 20
"""Bytes after which the rest of a line is dropped. The line then lacks its User-Agent and is unreadable."""

_BOM = b"\xef\xbb\xbf"
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_START = 1 << 16  # bytes that are compared to find logs that were given twice
_MOST_NOTES = 3


def expand_patterns(names: Sequence[str]) -> list[str]:
    """Return the log files that ``names`` stand for, with glob patterns replaced by the files that match.

    Raises:
        LogError: a pattern matches no file, or standard input (``-``) occurs twice.
    """
    found: list[str] = []
    for name in names:
        if name != "-" and glob.has_magic(name) and not Path(name).exists():
            matching = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 - absolute patterns too
            if not matching:
                raise LogError(f"{name!r} matches no file; check the pattern")
            found += matching
        else:
            found.append(name)
    if found.count("-") > 1:
        raise LogError("standard input (-) is given twice and can be read only once; remove one")
    return found


def without_duplicates(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return each file once, under its first name, and notes about duplicates.

    Two logs that only begin alike, like a file and its compressed copy, are both kept, with a note.
    """
    kept: dict[object, str] = {}
    same: list[str] = []
    for name in dict.fromkeys(names):
        first = kept.setdefault(_identity(name), name)
        if first != name:
            same.append(f"{name!r} and {first!r} are the same file; it was read once")
    logs = list(kept.values())
    return logs, [
        *_first_notes(same, "are the same files as others; they were read once"),
        *_first_notes(list(_same_start(logs)), "begin like others"),
    ]


def _first_notes(notes: list[str], summary: str) -> list[str]:
    more = len(notes) - _MOST_NOTES
    return [*notes[:_MOST_NOTES], f"{more} more logs {summary}"] if more > 1 else notes


def _identity(name: str) -> object:
    try:
        found = Path(name).stat()
    except (OSError, ValueError):  # opening it reports the error; or it is on another machine
        return name
    return found.st_dev, found.st_ino


def _same_start(names: Sequence[str]) -> Iterator[str]:
    starts: dict[bytes, str] = {}
    for name in names if len(names) > 1 else ():
        start = _start_hash(name)
        first = starts.setdefault(start, name) if start else name
        if first != name:
            yield f"{name!r} begins like {first!r}; if both are the same log, remove one"


def _start_hash(name: str) -> bytes | None:
    """Return a hash of the first lines; None for an empty file, and for one that can't be read twice."""
    if not Path(name).is_file():
        return None
    try:
        first = next(read_blocks(name, lambda _: None, _START), None)
    except AIPolicyError:  # reading it reports the error
        return None
    return first and hashlib.sha256(first[:_START]).digest()


def read_blocks(name: str, advance: Callable[[int], None], size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Read a log in blocks of whole lines; an empty log has none.

    A block begins with the newline before its first line, so that no reader takes it for compressed data, and
    ends with that of its last line, unless the file ends without one.

    Args:
        name: A path, or ``-`` for standard input.
        advance: Called with the number of bytes read.
        size: Bytes of a block.

    Raises:
        LogError: the log can't be opened, or its compressed data is truncated. Part of a log is not evidence.
    """
    with _opened(name) as raw:
        counted = _CountedReader(raw, advance)
        try:
            with _decompressed(name, counted) as file:
                yield from _whole_lines(file, size)
        except _read_errors() as error:
            reason = str(error) or type(error).__name__
            raise LogError(
                f"{name!r} can't be read to its end ({reason}); check that it is complete"
            ) from None


def _whole_lines(file: IO[bytes], size: int) -> Iterator[bytes]:
    start = file.read(len(_BOM))
    rest = b"\n" + start.removeprefix(_BOM)
    while chunk := file.read(size):
        if len(rest) >= LONGEST_LINE:  # drop the rest of this line
            chunk = chunk[chunk.find(b"\n") :] if b"\n" in chunk else b""
        end = chunk.rfind(b"\n") + 1
        if not end:
            rest += chunk
            continue
        yield b"".join((rest, memoryview(chunk)[:end]))
        rest = chunk[end - 1 :]
    if rest != b"\n":
        yield rest


@contextmanager
def _opened(name: str) -> Iterator[IO[bytes]]:
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - closed below; only errors of opening are caught here
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise LogError(f"{name!r} can't be opened ({reason}); give a log file, or - for stdin") from None
    with file:
        yield file


def _decompressed(name: str, file: "_CountedReader") -> IO[bytes]:
    start = file.peek(4)
    if start.startswith(_GZIP):
        buffered = io.BufferedReader(file, 1 << 20)
        return cast(IO[bytes], igzip.IGzipFile(fileobj=buffered))  # type: ignore[no-untyped-call]
    if start.startswith(_ZSTD):
        return _zstd(name, file)
    return cast(IO[bytes], file)


def _zstd(name: str, file: "_CountedReader") -> IO[bytes]:
    zstd = _zstd_module()
    if zstd is None:
        raise MissingExtraError.for_extra(f"{name!r} needs zstd", "check")
    return cast(IO[bytes], zstd.ZstdFile(cast(BinaryIO, file)))


def _zstd_module() -> Any:
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError:
        return None
    return zstd


def _read_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions of a file, and of each decompressor, whose data is damaged."""
    zstd = _zstd_module()
    errors: tuple[Any, ...] = (EOFError, igzip_lib.IsalError, OSError, ValueError)
    return errors if zstd is None else (*errors, zstd.ZstdError)


class _CountedReader(io.RawIOBase):
    """A file that reports how many bytes were read."""

    def __init__(self, raw: IO[bytes], advance: Callable[[int], None]) -> None:
        self._raw, self._advance = raw, advance
        self._peeked = b""

    def readable(self) -> bool:
        return True

    def peek(self, size: int) -> bytes:
        """Return the first bytes; only before anything is read."""
        self._peeked = self._raw.read(size)
        return self._peeked

    def read(self, size: int = -1) -> bytes:
        data = self._peeked + self._raw.read(max(0, size - len(self._peeked)) if size >= 0 else -1)
        self._peeked = b""
        self._advance(len(data))
        return data

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
