"""A lock that one process holds at a time."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aipolicy.file_lock import FileLock
from tests.forking import join_child, start_child

HOLDER = """
import sys, time
from pathlib import Path
from aipolicy.file_lock import FileLock
lock = FileLock(Path(sys.argv[1]))
assert lock.acquire() is None
print("held", flush=True)
time.sleep(60)
"""


def test_the_holder_is_named_and_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "x.lock")
    command = [sys.executable, "-c", HOLDER, str(lock.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert lock.acquire() == f"process {holder.pid}"
        assert not lock.is_held()
        holder.send_signal(signal.SIGKILL)
    assert lock.acquire() is None
    assert lock.is_held()
    assert lock.path.read_text() == f"{os.getpid()}\n"
    lock.release()
    assert not lock.is_held()
    assert lock.path.exists(), "a process may be waiting for this very file"


def test_a_lock_file_without_a_process_id_is_reported_as_held(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "x.lock"), FileLock(tmp_path / "x.lock")
    assert first.acquire() is None
    first.path.write_text("")
    assert second.acquire() == "another process"
    first.release()


def test_a_child_neither_holds_the_lock_nor_takes_it_from_its_parent(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "x.lock")
    assert lock.acquire() is None

    def child() -> None:
        assert not lock.is_held()
        assert lock.acquire() == f"process {os.getppid()}"
        lock.release()

    join_child(start_child(child))
    assert lock.is_held()
    lock.release()


def test_a_child_that_outlives_its_parent_does_not_keep_the_lock(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "x.lock")
    assert lock.acquire() is None
    reading, writing = os.pipe()
    child = start_child(lambda: os.read(reading, 1))
    lock.release()
    assert FileLock(lock.path).acquire() is None
    os.write(writing, b"x")
    join_child(child)
    os.close(reading)
    os.close(writing)


def test_a_missing_directory_is_an_error_and_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileLock(tmp_path / "nowhere" / "x.lock").acquire()
    assert list(tmp_path.iterdir()) == []
