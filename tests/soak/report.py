"""The report of a soak test: a table in Markdown, and the machine and versions."""

import os
import platform
import sqlite3
from collections.abc import Iterator
from importlib.metadata import version

from tests.soak.tally import Phase, Tally

_HEADS = (
    "broken",
    "times",
    "requests",
    "errors",
    "wrong answers",
    "stand-ins",
    "longest recovery",
    "in force: p50",
    "p99",
)


def machine() -> str:
    """Return the versions and the machine on which the figures depend, in one line."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("uvicorn", "psycopg", "sqlalchemy"))
    return (
        f"{platform.system()} {platform.release()}, {os.cpu_count()} CPUs, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {packages}"
    )


def table(tally: Tally) -> Iterator[str]:
    """Yield the lines of the table: each phase, and the total."""
    yield f"| {' | '.join(_HEADS)} |"
    yield f"|---|{'--:|' * (len(_HEADS) - 1)}"
    for phase in tally.phases.values():
        yield f"| {' | '.join(_cells(phase))} |"
    phases = tally.phases.values()
    sums = [
        sum(figures)
        for figures in zip(
            *((p.tried, p.requests, p.errors, p.wrong, p.stand_ins) for p in phases), strict=True
        )
    ]
    longest = max((seconds for phase in phases for seconds in phase.recoveries), default=None)
    yield f"| all | {' | '.join(f'{figure:,}' for figure in sums)} | {_seconds(longest)} | | |"


def line(phase: Phase) -> str:
    """Return the progress of a phase in one line."""
    name, *figures = _cells(phase)
    text = ", ".join(f"{head} {figure}" for head, figure in zip(_HEADS[1:], figures, strict=True) if figure)
    return f"{name}: {text}; {phase.lines} lines in the log of a worker"


def _cells(phase: Phase) -> list[str]:
    counts = (phase.requests, phase.errors, phase.wrong, phase.stand_ins)
    return [
        phase.name,
        str(phase.tried or ""),
        *(f"{count:,}" for count in counts),
        _seconds(max(phase.recoveries, default=None)),
        _seconds(phase.percentile(50)),
        _seconds(phase.percentile(99)),
    ]


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1e3:.0f} ms"
