"""A progress bar on stderr, where a person looks at it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int], None]

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
