"""The engine for one machine: blocks of logs, evaluated by all of its cores."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import polars as pl

from aipolicy.accesslog.blocks import blocks
from aipolicy.accesslog.engine import Advance, ReadFile, form_of
from aipolicy.accesslog.evaluate import Evaluator
from aipolicy.accesslog.formats import LogFormat
from aipolicy.accesslog.prefilter import candidates
from aipolicy.accesslog.schema import SCHEMA
from aipolicy.accesslog.spool import Spool


def read_logs(
    names: Sequence[str], evaluator: Evaluator, spool: Spool, *, form: LogFormat | None, advance: Advance
) -> list[ReadFile]:
    """Evaluate logs into ``spool``; ``form`` None: recognise the format of each.

    Memory is that of a few blocks. Raises LogError.
    """
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as threads:
        logs = [_Log(name, spool, advance) for name in names]
        under_way: deque[tuple[_Log, _Rows, LogFormat | None]] = deque()

        def take_in(most: int) -> None:
            """Put aside the rows of blocks that are done, in their order, until ``most`` are under way."""
            while len(under_way) > most:
                log, rows, its_form = under_way.popleft()
                log.take_in(*rows.result(), its_form)

        for log in logs:
            found = blocks(log.name, lambda octets: advance(octets, 0))
            for block, its_form in _formed(log.name, found, form):
                take_in(workers)
                under_way.append((log, threads.submit(_evaluated, block, its_form, evaluator), its_form))
        take_in(0)
    return [log.read for log in logs]


_Rows = Future[tuple[int, pl.DataFrame]]
"""How many lines a block has, and the rows that came of it."""


class _Log:
    """A log, while its blocks come in."""

    def __init__(self, name: str, spool: Spool, advance: Advance) -> None:
        self.name = name
        self.read = ReadFile(name)
        self._spool, self._advance = spool, advance

    def take_in(self, lines: int, rows: pl.DataFrame, form: LogFormat | None) -> None:
        self._spool.add(rows.with_columns(pl.col("line") + self.read.lines, file=pl.lit(self.name)))
        self.read = self.read.read_as(form, lines)
        self._advance(0, lines)


def _evaluated(block: bytes, form: LogFormat | None, evaluator: Evaluator) -> tuple[int, pl.DataFrame]:
    lines, kept = candidates(block, evaluator.lines)
    if form is None:  # there is nothing in them
        return lines, SCHEMA.to_frame()
    return lines, evaluator.frame(kept.with_columns(file=pl.lit("")), form)


def _formed(
    name: str, found: Iterator[bytes], form: LogFormat | None
) -> Iterator[tuple[bytes, LogFormat | None]]:
    """Each block with the format that its lines have; cut where a directive changes it."""
    told = False  # a format that was named must fit the log, too
    for block in found:
        if not told or form is None:
            form, told = form_of(name, block.split(b"\n"), form), True
        if form is None or form.directive is None:
            yield block, form
            continue
        for part, directive in _cut(block, b"\n" + form.directive.encode()):
            if directive is not None:
                form = form.after(directive)
            yield part, form


def _cut(block: bytes, mark: bytes) -> Iterator[tuple[bytes, str | None]]:
    """The block in parts that each begin with the line of a directive (but for the first), and that line."""
    start, directive = 0, None
    while True:
        end = block.find(mark, start + (directive is not None))
        part = block[start : end + 1 if end >= 0 else None]
        if len(part) > 1:
            yield part, directive
        if end < 0:
            return
        start = end
        stop = block.find(b"\n", start + 1)
        line = block[start + 1 : stop if stop >= 0 else None]
        directive = line.removesuffix(b"\r").decode("utf-8", "replace")
