"""What is imported, read once: as text, and counted and hashed meanwhile."""

import io
import os
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import BinaryIO

from aipolicy.errors import AIPolicyError

_PIECE = 1 << 16  # characters
_OCTETS = 1 << 18
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class Input(io.RawIOBase):
    """An open file, or a pipe. ``octets`` is how much of it was read."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._hash = blake2b(digest_size=16)
        self.octets = 0

    @property
    def size(self) -> int | None:
        """How many octets there are in all; None where that can't be known."""
        try:
            return os.fstat(self._file.fileno()).st_size or None
        except (OSError, ValueError):  # no file of the system's
            return None

    @property
    def digest(self) -> str:
        """Another one for any other content, of what was read so far."""
        return self._hash.hexdigest()

    def lines(self) -> Iterable[str]:
        """The text, line by line. Raises AIPolicyError."""
        return self._text()

    def pieces(self) -> Iterator[str]:
        """The text, cut anywhere. Raises AIPolicyError."""
        text = self._text()
        return iter(lambda: text.read(_PIECE), "")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            count: int = self._file.readinto(buffer)  # type: ignore[attr-defined]
        except OSError as error:
            raise AIPolicyError(
                f"the input can't be read to its end ({error.strerror}): try again"
            ) from error
        self._hash.update(buffer[:count])
        self.octets += count
        return count

    def _text(self) -> io.TextIOWrapper:
        buffered = io.BufferedReader(self, _OCTETS)
        if buffered.peek(2)[:2] in _UTF_16:
            raise AIPolicyError("the file is UTF-16: save it as UTF-8")
        return io.TextIOWrapper(buffered, encoding="utf-8-sig", errors="surrogateescape", newline="")
