"""Imports of an input file into a registry, in batches.

The transaction of each batch also stores a checkpoint, so that an import of a file that was interrupted
resumes after the last batch. An import from a pipe starts again, because its input may be another one.
"""

import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields, replace
from hashlib import blake2b
from itertools import islice
from typing import BinaryIO, Self

from aipolicy.bulk.staging import StagedRow, StagedRows
from aipolicy.errors import AIPolicyError, HostTakenError
from aipolicy.registry.bulk_load import BulkLoader
from aipolicy.registry.put_tables import HostConflict, Put, PutCounts

BATCH = 10_000
"""Rows in one transaction, during which other writers wait: a fraction of a second."""

PIPE = "-"
"""Name under which the checkpoint of an import from a pipe is stored."""

Progress = Callable[[str, int, int], AbstractContextManager[Callable[[int], None]]]
"""A progress display: called with a label, the number of rows and those that are done; yields a function to
call with each further number of rows."""

_PIECE = 1 << 16  # characters
_BUFFER = 1 << 18  # bytes
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class InputStream(io.RawIOBase):
    """An input file or pipe, which is counted and hashed while it is read.

    Attributes:
        bytes_read: Number of bytes read so far.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._hash = blake2b(digest_size=16)
        self.bytes_read = 0

    @property
    def size(self) -> int | None:
        """The size in bytes, or None if it is unknown."""
        try:
            return os.fstat(self._file.fileno()).st_size or None
        except (OSError, ValueError):  # it has no file descriptor
            return None

    @property
    def digest(self) -> str:
        """The hash of all bytes read so far."""
        return self._hash.hexdigest()

    def lines(self) -> Iterable[str]:
        """Return the lines of the text. Raises AIPolicyError."""
        return self._text()

    def pieces(self) -> Iterator[str]:
        """Yield the text in pieces, cut anywhere. Raises AIPolicyError."""
        text = self._text()
        return iter(lambda: text.read(_PIECE), "")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            count: int = self._file.readinto(buffer)  # type: ignore[attr-defined]
        except OSError as error:
            raise AIPolicyError(f"reading the input failed ({error.strerror}): try again") from error
        self._hash.update(buffer[:count])
        self.bytes_read += count
        return count

    def _text(self) -> io.TextIOWrapper:
        buffered = io.BufferedReader(self, _BUFFER)
        if buffered.peek(2)[:2] in _UTF_16:
            raise AIPolicyError("the file is in UTF-16: save it as UTF-8")
        return io.TextIOWrapper(buffered, encoding="utf-8-sig", errors="surrogateescape", newline="")


@dataclass(frozen=True, slots=True)
class ImportCheckpoint:
    """The progress of an import of the input with ``digest``.

    The rows of all sites up to ``after`` are stored, and those of the sites ``early``.
    """

    digest: str
    after: str = ""
    early: tuple[str, ...] = ()
    stored: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0

    @classmethod
    def from_text(cls, text: str | None) -> Self | None:
        """Return the checkpoint that ``str`` wrote; None if another version wrote it differently."""
        known = {field.name for field in fields(cls)}
        try:
            stored = json.loads(text or "")
            values = {name: value for name, value in stored.items() if name in known}
            return cls(**values | {"early": tuple(stored["early"])})
        except (AttributeError, KeyError, ValueError, TypeError):
            return None

    def __str__(self) -> str:
        return json.dumps(asdict(self))

    def plus(self, batch: list[StagedRow], counts: PutCounts, refused: set[str]) -> Self:
        """Return the checkpoint after a further batch, of which the sites ``refused`` were left out."""
        in_place = [row.put.site for row in batch if row.in_place]
        after = in_place[-1] if in_place else self.after
        early = (*self.early, *(row.put.site for row in batch if not row.in_place))
        left_out = sum(row.put.site in refused for row in batch)
        return replace(
            self,
            after=after,
            early=tuple(site for site in early if site > after),
            stored=self.stored + len(batch),
            new=self.new + counts.new,
            changed=self.changed + counts.changed,
            unchanged=self.unchanged + len(batch) - left_out - counts.new - counts.changed,
        )


class Import:
    """An import of staged rows into a registry.

    Attributes:
        resumed: Number of rows that an earlier run stored, and this one doesn't repeat.
        interrupted: The checkpoint of an earlier run that can't be resumed: it read a pipe, or the input has
            changed since.
    """

    def __init__(
        self,
        rows: StagedRows,
        loader: BulkLoader,
        *,
        digest: str,
        restart: bool = False,
        resumable: bool = True,
    ) -> None:
        self._rows, self._loader, self.resumable = rows, loader, resumable
        found = ImportCheckpoint.from_text(loader.bookmark)
        matches = found is not None and found.digest == digest and resumable
        self.interrupted = None if matches else found
        self.checkpoint = found if found and matches and not restart else ImportCheckpoint(digest)
        self.resumed = self.checkpoint.stored
        self._dry_run_counts = PutCounts()
        # A bit for each row that doesn't change its site: it is not put again.
        self._unchanged = bytearray(rows.entered // 8 + 1)

    @property
    def counts(self) -> PutCounts:
        """The counts of all rows so far, including earlier runs; after a dry run, the expected counts."""
        a, b = self.checkpoint, self._dry_run_counts
        return PutCounts(a.new + b.new, a.changed + b.changed, a.unchanged + b.unchanged)

    @property
    def total(self) -> int:
        """The number of rows that are stored at the end."""
        left = self._rows.count(self.checkpoint.after) - len(self.checkpoint.early)
        return self.checkpoint.stored + left

    def check(self, progress: Progress, *, dry_run: bool) -> None:
        """Find the rows that the registry would refuse, and those that change nothing."""
        new = changed = unchanged = 0
        with progress("checking", self.total - self.checkpoint.stored, 0) as advance:
            for batch in _batches(self._remaining()):
                changing, conflicts = self._loader.compare([row.put for row in batch])
                refused = {conflict.site for conflict in conflicts if not self._resolve(conflict)}
                for place, row in enumerate(batch):
                    if place not in changing:
                        self._unchanged[row.entry >> 3] |= 1 << (row.entry & 7)
                        unchanged += 1
                    elif row.put.site not in refused:
                        new += changing[place]
                        changed += not changing[place]
                advance(len(batch))
        self._rows.refuse_cycles()
        if dry_run:
            self._dry_run_counts = PutCounts(new, changed, unchanged)

    def store(self, progress: Progress, *, skip_bad: bool) -> None:
        """Store the rows. ``checkpoint`` is valid even after an error. Raises AIPolicyError."""
        with progress("storing", self.total, self.checkpoint.stored) as advance:
            batches = _batches(self._remaining())
            batch: list[StagedRow] | None = next(batches, [])
            while batch is not None:
                following = next(batches, None)  # read it before the transaction, for which others wait
                self._put(batch, skip_bad=skip_bad, last=following is None)
                advance(len(batch))
                batch = following

    def _remaining(self) -> Iterator[StagedRow]:
        """Yield the rows to put, each once: a row that came early isn't put again in its own place."""
        after, early = self.checkpoint.after, set(self.checkpoint.early)
        for row in self._rows.entries(after):
            site = row.put.site
            if row.in_place:
                after = site
                if site not in early:
                    yield row
            elif site > after and site not in early:
                early.add(site)
                yield row

    def _resolve(self, conflict: HostConflict) -> bool:
        """Return True if a row of this import removes the host from its owner.

        A row that is stored already doesn't count: its owner has taken the host back since.
        """
        done = self.checkpoint
        is_stored = conflict.owner <= done.after or conflict.owner in done.early
        return self._rows.resolve(conflict, gives=not is_stored)

    def _put(self, batch: list[StagedRow], *, skip_bad: bool, last: bool) -> None:
        refused: set[str] = set()
        checkpoint = self.checkpoint

        def refuse(put: Put, error: HostTakenError) -> None:
            """Handle a host that another process gave to another site since it was checked."""
            number = self._rows.refuse(put.site, error)
            if not skip_bad:
                raise AIPolicyError(f"row {number} can't be stored: correct it, or add --skip-bad")
            refused.add(put.site)

        def bookmark(counts: PutCounts) -> str | None:
            nonlocal checkpoint
            checkpoint = self.checkpoint.plus(batch, counts, refused)
            return None if last else str(checkpoint)

        puts = [row.put for row in batch if not self._is_unchanged(row.entry)]
        self._loader.put(puts, bookmark=bookmark, on_taken=refuse)
        self.checkpoint = checkpoint

    def _is_unchanged(self, entry: int) -> int:
        return self._unchanged[entry >> 3] & (1 << (entry & 7))


def _batches(entries: Iterator[StagedRow]) -> Iterator[list[StagedRow]]:
    while batch := list(islice(entries, BATCH)):
        yield batch
