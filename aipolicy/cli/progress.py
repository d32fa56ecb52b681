"""A progress bar on stderr, where a person looks at it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

Advance = Callable[[int], None]

_EVERY = 5.0  # seconds between two lines where no person looks
_STEP = 1000  # calls between two looks at the bar, which cost more than the work between them


@contextmanager
def log_progress(total: int | None) -> Iterator[Callable[[int, int], None]]:
    """Call what this gives with octets read, of ``total``, and lines evaluated."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda octets, lines: None
        return
    rate = TextColumn("{task.fields[rate]:,.0f} lines/s")
    columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), rate)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("reading", total=total, rate=0.0)
        read = 0

        def advance(octets: int, lines: int) -> None:
            nonlocal read
            read += lines
            elapsed = bar.tasks[0].elapsed or 1.0
            bar.update(task, advance=octets, rate=read / elapsed)

        yield advance


@contextmanager
def progress(label: str, total: int | None, *, step: int = _STEP) -> Iterator[Advance]:
    """Call what this gives with how much was done. ``total`` None: how much there is can't be known.

    ``step`` are the calls between two looks at the bar.
    """
    # Imported where it is used: it costs 50 ms.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(label, total=total)
        pending = calls = 0

        def advance(done: int) -> None:
            nonlocal pending, calls
            pending, calls = pending + done, calls + 1
            if calls >= step or pending > 1_000_000:
                bar.advance(task, pending)
                pending = calls = 0

        yield advance


@contextmanager
def row_progress(label: str, total: int | None, *, done: int = 0) -> Iterator[Callable[[int, int], None]]:
    """Call what this gives, some times a second, with how much was done, of ``total``, and how many rows.

    A bar with rows, rows a second and the time left; where no terminal is, a line every few seconds.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    began = time.monotonic()
    reached, rows = done, 0
    console = Console(stderr=True)
    if not console.is_terminal:
        told = began

        def advance(more: int, more_rows: int) -> None:
            nonlocal reached, rows, told
            reached, rows, now = reached + more, rows + more_rows, time.monotonic()
            if now >= told + _EVERY:
                told = now
                click.echo(_line(label, rows, now - began, reached, reached - done, total), err=True)

        yield advance
        return
    counts = TextColumn("{task.fields[rows]:,} rows  {task.fields[rate]:,.0f} rows/s")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        counts,
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(label, total=total, completed=done, rows=0, rate=0.0)

        def advance_bar(more: int, more_rows: int) -> None:
            nonlocal rows
            rows += more_rows
            rate = rows / max(time.monotonic() - began, 0.001)
            bar.update(task, advance=more, rows=rows, rate=rate)

        yield advance_bar


def _line(label: str, rows: int, seconds: float, reached: int, here: int, total: int | None) -> str:
    told = f"{label}: {rows:,} rows, {rows / seconds:,.0f} rows/s"
    if total and here:
        left = max(total - reached, 0) * seconds / here
        told += f", {min(reached / total, 1):.0%}, {left:,.0f} s left"
    return told
