"""Helpers that inspect processes."""

import shutil
import sys
import time
from pathlib import Path

import pytest

needs_setsid = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("setsid") is None,
    reason="what leaves its group is found on Linux only; if it is one, apt-get install util-linux",
)


def assert_ended(*pids: str) -> None:
    """Check that a process has ended; it may be a zombie."""
    deadline = time.monotonic() + 5
    for pid in map(str.strip, pids):
        while Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
            assert time.monotonic() < deadline, pid
