"""Helpers for tests of replicas: a follower as a process, and a comparison of replica and registry."""

import contextlib
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.registry.conftest import ROOT
from tests.registry.test_put_many import KEYS, TABLES, tables

ENOUGH = 60.0  # seconds, for a busy machine


def eventually(condition: Callable[[], object], seconds: float = ENOUGH) -> None:
    """Wait until ``condition`` is true; fail if it never is."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"after {seconds} s it still isn't so"
        time.sleep(0.005)


def read(file: Path, statement: str) -> list[tuple[object, ...]]:
    """Return rows of the replica, read by another process; none if it is missing or damaged."""
    with contextlib.suppress(sqlite3.DatabaseError):
        uri = f"{file.as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
            return connection.execute(statement).fetchall()
    return []


def seq(file: Path) -> object:
    rows = read(file, "SELECT seq FROM sequence")
    return rows[0][0] if rows else None


def is_at_work(file: Path) -> bool:
    """Return True if a follower opened the file and wrote to its log, after it was filled."""
    log = file.with_name(f"{file.name}-wal")
    return log.exists() and log.stat().st_size > 0


def trouble(file: Path) -> str:
    return "".join(str(text) for (text,) in read(file, "SELECT trouble FROM replica"))


def is_copy(file: Path, url: str) -> bool:
    """Return True if replica and registry have the same rows."""
    found = {name: read(file, f"SELECT * FROM {name} ORDER BY {KEYS.get(name, '1')}") for name in TABLES}
    assert read(file, "PRAGMA integrity_check") == [("ok",)]
    assert read(file, "PRAGMA foreign_key_check") == []
    return found == tables(url)


@contextmanager
def follower(url: str, file: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """``aipolicy replica`` as a process."""
    command = [sys.executable, "-m", "aipolicy", "replica", "--registry", url, "--to", str(file), *options]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()
