"""Fetches put aside while a log is read: in memory while they are few, else in files of their own."""

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl

from aipolicy.check.fetches import SCHEMA

_IN_MEMORY = 1_000_000  # rows, some 200 octets each


class Spool:
    """A context manager: what it wrote is gone with it."""

    def __init__(self, most: int = _IN_MEMORY) -> None:
        self._most = most
        self._frames: list[pl.DataFrame] = []
        self._rows = self._parts = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, fetches: pl.DataFrame) -> None:
        if fetches.is_empty():
            return
        self._frames.append(fetches)
        self._rows += len(fetches)
        if self._rows >= self._most:
            self._write()

    def parts(self) -> list[pl.LazyFrame]:
        """All rows, as frames that each fit into memory, in the order in which they were added."""
        written = [pl.scan_parquet(self._path(number)) for number in range(self._parts)]
        rest = pl.concat(self._frames) if self._frames else SCHEMA.to_frame()
        return [*written, rest.lazy()]

    def _write(self) -> None:
        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="aipolicy-")
        pl.concat(self._frames).write_parquet(self._path(self._parts), compression="zstd")
        self._parts += 1
        self._frames, self._rows = [], 0

    def _path(self, number: int) -> Path:
        assert self._folder is not None  # noqa: S101
        return Path(self._folder.name) / f"{number:08}.parquet"
