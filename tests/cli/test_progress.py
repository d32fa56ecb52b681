"""The progress of an import, in a terminal and in a log."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from aipolicy.cli import progress


def test_without_a_terminal_progress_is_printed_in_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_INTERVAL", 0.0)
    with progress.row_progress("reading", 1000) as advance:
        advance(250, 10)
        advance(250, 10)
    with progress.row_progress("reading", None) as advance:
        advance(250, 10)
    with progress.row_progress("storing", 2000, done=1000) as advance:
        advance(500, 500)
    patterns = (
        r"reading: 10 rows, [\d,]+ rows/s, 25%, [\d,]+ s left",
        r"reading: 20 rows, [\d,]+ rows/s, 50%, [\d,]+ s left",
        r"reading: 10 rows, [\d,]+ rows/s",
        r"storing: 500 rows, [\d,]+ rows/s, 75%, [\d,]+ s left",
    )
    for line, pattern in zip(capsys.readouterr().err.splitlines(), patterns, strict=True):
        assert re.fullmatch(pattern, line), line


def test_progress_lines_are_rare(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.row_progress("reading", 1000) as advance:
        for _ in range(1000):
            advance(1, 1)
    assert capsys.readouterr().err == ""


def test_on_a_terminal_the_bar_has_rows_and_rows_per_second(tmp_path: Path) -> None:
    (tmp_path / "blogs.csv").write_text(
        "host,opted_out\n" + "".join(f"b{number}.example,1\n" for number in range(3000))
    )
    terminal, child_terminal = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "aipolicy", "import", "blogs.csv"],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "120", "TERM": "xterm"},
        stderr=child_terminal,
    )
    os.close(child_terminal)
    shown = b""
    try:
        while piece := os.read(terminal, 4096):
            shown += piece
    except OSError:  # how a terminal ends on Linux
        pass
    os.close(terminal)
    assert done.wait() == 0
    assert re.search(rb"reading.*100%.*3,000 rows.*rows/s", shown)
    assert re.search(rb"storing.*100%.*3,000 rows.*rows/s", shown)
    assert b"3,000 rows: 3,000 new, 0 changed, 0 unchanged" in shown
