"""Progress bars on stderr, if it is a terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

Advance = Callable[[int], None]

_INTERVAL = 5.0  # seconds between two lines if stderr is no terminal
_STEP = 1000  # calls between two updates of the bar, which cost more than the work between them


@contextmanager
def log_progress(total: int | None) -> Iterator[Callable[[int, int], None]]:
    """Yield a function to call with the bytes read, of ``total``, and the lines evaluated."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda count, lines: None
        return
    rate = TextColumn("{task.fields[rate]:,.0f} lines/s")
    columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), rate)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("reading", total=total, rate=0.0)
        read = 0

        def advance(count: int, lines: int) -> None:
            nonlocal read
            read += lines
            elapsed = bar.tasks[0].elapsed or 1.0
            bar.update(task, advance=count, rate=read / elapsed)

        yield advance


@contextmanager
def progress(label: str, total: int | None, *, step: int = _STEP) -> Iterator[Advance]:
    """Yield a function to call with the amount of work that was done.

    Args:
        label: The text before the bar.
        total: The amount of all work; None if it is unknown.
        step: Calls between two updates of the bar.
    """
    # Imported here, because it takes 50 ms.
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
    """Yield a function to call with the work and the rows done since the last call.

    The display has the rows, the rows per second and the time left: in a bar, or without a terminal in a line
    every few seconds.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    began = time.monotonic()
    reached, rows = done, 0
    console = Console(stderr=True)
    if not console.is_terminal:
        last_line = began

        def advance(more: int, more_rows: int) -> None:
            nonlocal reached, rows, last_line
            reached, rows, now = reached + more, rows + more_rows, time.monotonic()
            if now >= last_line + _INTERVAL:
                last_line = now
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


def _line(label: str, rows: int, seconds: float, reached: int, done_here: int, total: int | None) -> str:
    line = f"{label}: {rows:,} rows, {rows / seconds:,.0f} rows/s"
    if total and done_here:
        left = max(total - reached, 0) * seconds / done_here
        line += f", {min(reached / total, 1):.0%}, {left:,.0f} s left"
    return line
