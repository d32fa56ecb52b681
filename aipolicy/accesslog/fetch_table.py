"""The table of fetches that a log is reduced to: a row per crawler request, and per unreadable line.

Both engines produce it, and every figure in a report is a query over it.
"""

import tempfile
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl

from aipolicy.accesslog.formats import LogFormat
from aipolicy.errors import LogError


class Verdict(StrEnum):
    """The verdict of a row. Each crawler request has one of the first seven."""

    ROBOTS_TXT_READ = "robots_txt_read"
    ALLOWED = "allowed"
    IN_GRACE = "in_grace"
    EXEMPT = "exempt"
    REFUSED = "refused"
    DISALLOWED = "disallowed"
    DISALLOWED_SPOOFED = "disallowed_spoofed"
    """Disallowed, by a client that only claims to be the crawler; never counted against its operator."""
    UNREADABLE = "unreadable"
    """A line that contains a crawler's token and can't be read; it has only file, line and text."""
    LEFT_OUT = "left_out"
    """A crawler request outside the chosen period or sites. It has only file and line, and ``site`` if its
    target names another site (RFC 9112 §3.2.2)."""
    UNKNOWN_CRAWLER = "unknown_crawler"
    """A request by a self-declared crawler that neither the table nor the site's policy names: ``crawler`` is
    its own name for itself. Counted separately, and not judged."""
    SITE_AUDIT = "site_audit"
    """A request of ``aipolicy check site`` in a crawler's name. It has only file and line."""


FETCHES = tuple(list(Verdict)[:7])

DISALLOWED = (Verdict.DISALLOWED, Verdict.DISALLOWED_SPOOFED)
"""The verdicts with evidence."""

SCHEMA = pl.Schema(
    {
        "file": pl.String,
        "line": pl.Int64,  # from 1
        "verdict": pl.String,
        "crawler": pl.String,  # product token, or the name that an unknown crawler gives itself
        "site": pl.String,
        "known": pl.Boolean,  # True if the site has a policy
        "time": pl.Int64,  # microseconds since the epoch, UTC
        "path": pl.String,
        "status": pl.Int32,
        "address": pl.String,
        "identity": pl.String,
        "proxy": pl.String,  # operator of the CDN or load balancer with that address; "": a private address
        "forwarded": pl.Int32,  # position of a forwarded address that verifies the client, or null
        "user_agent": pl.String,
        "rule": pl.String,
        "rule_line": pl.Int32,
        "policy": pl.String,  # the version in force
        "sha256": pl.String,  # of the line without its line end, for disallowed fetches
        "text": pl.String,  # the start of an unreadable line
    }
)


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A log that was read: its name, format, number of lines, and notes on its format."""

    file: str
    format: str = "empty"
    lines: int = 0
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return self.format == "empty"

    def with_lines(self, lines: int, log_format: LogFormat | None) -> Self:
        """Return this record after more lines in a format."""
        if log_format is None:
            return replace(self, lines=self.lines + lines)
        return replace(self, format=log_format.name, notes=log_format.notes, lines=self.lines + lines)


class FetchStore:
    """A context manager that stores rows: in memory while they are few, else in temporary files."""

    def __init__(self, max_rows: int = 1_000_000, max_bytes: int = 128 << 20) -> None:
        self._max_rows, self._max_bytes = max_rows, max_bytes  # in memory: paths and User-Agents may be long
        self._frames: list[pl.DataFrame] = []
        self._rows = self._bytes = self._files = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, fetches: pl.DataFrame) -> None:
        """Store rows.

        Raises:
            LogError: the disk is full.
        """
        if fetches.is_empty():
            return
        self._frames.append(fetches)
        self._rows += len(fetches)
        self._bytes += int(fetches.estimated_size())
        if self._rows >= self._max_rows or self._bytes >= self._max_bytes:
            self._write()

    def parts(self) -> list[pl.LazyFrame]:
        """Return all rows in the order in which they were added, as frames that each fit into memory."""
        written = [pl.scan_parquet(self._path(number)) for number in range(self._files)]
        rest = pl.concat(self._frames) if self._frames else SCHEMA.to_frame()
        return [*written, rest.lazy()]

    def _write(self) -> None:
        try:
            self._folder = self._folder or tempfile.TemporaryDirectory(prefix="aipolicy-")
            pl.concat(self._frames).write_parquet(self._path(self._files), compression="zstd")
        except (OSError, pl.exceptions.ComputeError) as error:  # Polars raises the latter for a full disk
            fix = "free some space, or set TMPDIR to a larger folder"
            folder = tempfile.gettempdir()
            raise LogError(f"fetches can't be stored in '{folder}' ({error}); {fix}") from None
        self._files += 1
        self._frames, self._rows, self._bytes = [], 0, 0

    def _path(self, number: int) -> Path:
        assert self._folder is not None  # noqa: S101
        return Path(self._folder.name) / f"{number:08}.parquet"
