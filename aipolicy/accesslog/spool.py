"""Fetches put aside while a log is read: in memory while they are few, else in files of their own."""

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl

from aipolicy.accesslog.schema import SCHEMA
from aipolicy.errors import LogError

_IN_MEMORY = 1_000_000  # rows
_OCTETS = 128 << 20  # of rows in memory: paths and User-Agents may be long


class Spool:
    """A context manager: what it wrote is gone with it."""

    def __init__(self, most: int = _IN_MEMORY, octets: int = _OCTETS) -> None:
        self._most, self._most_octets = most, octets
        self._frames: list[pl.DataFrame] = []
        self._rows = self._octets = self._parts = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, fetches: pl.DataFrame) -> None:
        """Put rows aside. Raises LogError where there is no room for them."""
        if fetches.is_empty():
            return
        self._frames.append(fetches)
        self._rows += len(fetches)
        self._octets += int(fetches.estimated_size())
        if self._rows >= self._most or self._octets >= self._most_octets:
            self._write()

    def parts(self) -> list[pl.LazyFrame]:
        """All rows, as frames that each fit into memory, in the order in which they were added."""
        written = [pl.scan_parquet(self._path(number)) for number in range(self._parts)]
        rest = pl.concat(self._frames) if self._frames else SCHEMA.to_frame()
        return [*written, rest.lazy()]

    def _write(self) -> None:
        try:
            self._folder = self._folder or tempfile.TemporaryDirectory(prefix="aipolicy-")
            pl.concat(self._frames).write_parquet(self._path(self._parts), compression="zstd")
        except (OSError, pl.exceptions.ComputeError) as error:  # Polars has the latter for a full disk
            fix = "make room, or name a larger folder in TMPDIR"
            folder = tempfile.gettempdir()
            raise LogError(f"fetches can't be put aside in '{folder}' ({error}): {fix}") from None
        self._parts += 1
        self._frames, self._rows, self._octets = [], 0, 0

    def _path(self, number: int) -> Path:
        assert self._folder is not None  # noqa: S101
        return Path(self._folder.name) / f"{number:08}.parquet"
