"""The engine for one machine: blocks of logs, evaluated on all cores."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import polars as pl

from aipolicy.accesslog.crawler_detection import crawler_lines
from aipolicy.accesslog.evaluate import Evaluator
from aipolicy.accesslog.fetch_table import SCHEMA, FetchStore, ReadFile
from aipolicy.accesslog.formats import LogFormat, format_of_log
from aipolicy.accesslog.log_files import read_blocks

Advance = Callable[[int, int], None]
"""Called with the number of bytes read and of lines evaluated."""


def read_logs(
    names: Sequence[str],
    evaluator: Evaluator,
    store: FetchStore,
    *,
    log_format: LogFormat | None,
    advance: Advance,
) -> list[ReadFile]:
    """Evaluate logs and add the rows to ``store``; memory use is that of a few blocks.

    Args:
        log_format: The format of all logs; None to detect that of each.

    Raises:
        LogError: a log can't be read.
    """
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as threads:
        logs = [_Log(name, store, advance) for name in names]
        pending: deque[tuple[_Log, _Rows, LogFormat | None]] = deque()

        def collect(most: int) -> None:
            """Store the rows of finished blocks, in their order, until at most ``most`` are pending."""
            while len(pending) > most:
                log, rows, block_format = pending.popleft()
                log.add(*rows.result(), block_format)

        for log in logs:
            blocks = read_blocks(log.name, lambda size: advance(size, 0))
            for block, block_format in _with_formats(log.name, blocks, log_format):
                collect(workers)
                rows = threads.submit(_evaluated, block, block_format, evaluator)
                pending.append((log, rows, block_format))
        collect(0)
    return [log.read for log in logs]


_Rows = Future[tuple[int, pl.DataFrame]]
"""The number of lines in a block, and its rows."""


class _Log:
    """A log whose blocks are being evaluated."""

    def __init__(self, name: str, store: FetchStore, advance: Advance) -> None:
        self.name = name
        self.read = ReadFile(name)
        self._store, self._advance = store, advance

    def add(self, lines: int, rows: pl.DataFrame, log_format: LogFormat | None) -> None:
        self._store.add(rows.with_columns(pl.col("line") + self.read.lines, file=pl.lit(self.name)))
        self.read = self.read.with_lines(lines, log_format)
        self._advance(0, lines)


def _evaluated(block: bytes, log_format: LogFormat | None, evaluator: Evaluator) -> tuple[int, pl.DataFrame]:
    lines, kept = crawler_lines(block, evaluator.lines)
    if log_format is None:  # only blank lines and comments
        return lines, SCHEMA.to_frame()
    return lines, evaluator.rows(kept.with_columns(file=pl.lit("")), log_format)


def _with_formats(
    name: str, blocks: Iterator[bytes], log_format: LogFormat | None
) -> Iterator[tuple[bytes, LogFormat | None]]:
    """Yield each block with the format of its lines, split where a directive changes the format."""
    checked = False  # a format that the user chose must fit the log as well
    for block in blocks:
        if not checked or log_format is None:
            log_format, checked = format_of_log(name, block.split(b"\n"), log_format), True
        if log_format is None or log_format.directive is None:
            yield block, log_format
            continue
        for part, directive in _split(block, b"\n" + log_format.directive.encode()):
            if directive is not None:
                log_format = log_format.after(directive)
            yield part, log_format


def _split(block: bytes, start_of_directive: bytes) -> Iterator[tuple[bytes, str | None]]:
    """Split a block before each directive; yield each part with its directive or None."""
    start, directive = 0, None
    while True:
        end = block.find(start_of_directive, start + (directive is not None))
        part = block[start : end + 1 if end >= 0 else None]
        if len(part) > 1:
            yield part, directive
        if end < 0:
            return
        start = end
        stop = block.find(b"\n", start + 1)
        line = block[start + 1 : stop if stop >= 0 else None]
        directive = line.removesuffix(b"\r").decode("utf-8", "replace")
