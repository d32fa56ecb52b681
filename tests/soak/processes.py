"""The processes of one machine: uvicorn with its workers, and the follower, which log to files."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.registry.conftest import ROOT

WORKERS = 4
FAKETIME = "libfaketimeMT.so.1"


def children(pid: int) -> list[int]:
    """Return the live children of a process."""
    with Path(f"/proc/{pid}/task/{pid}/children").open() as file:
        return [int(child) for child in file.read().split()]


def descendants(pid: int) -> list[int]:
    return [found for child in children(pid) for found in (child, *descendants(child))]


class Log:
    """The stderr of several processes, in one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()
        self._read = 0

    def new(self) -> list[str]:
        """Return the lines since the last call."""
        with self.path.open(errors="replace") as file:
            file.seek(self._read)
            text = file.read()
            self._read = file.tell()
        return text.splitlines()


def max_warnings_of_a_process(lines: list[str]) -> int:
    """Return the largest number of warnings of one process; lines begin with the process number."""
    counts = Counter(line.split()[0] for line in lines if " WARNING aipolicy" in line)
    return max(counts.values(), default=0)


class Follower:
    """The process ``aipolicy replica``, which can be killed and started again."""

    def __init__(self, url: str, file: Path, log: Log, environment: Mapping[str, str]) -> None:
        self._command = [sys.executable, "-m", "aipolicy", "replica", "--registry", url, "--to", str(file)]
        self.log, self._environment = log, environment
        self.start()

    def start(self) -> None:
        with self.log.path.open("a") as stderr:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, stderr=stderr, env={**os.environ, **self._environment}
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def end(self, seconds: float = 30.0) -> int:
        """Terminate the process and return its exit code."""
        self._process.terminate()
        return self._process.wait(seconds)


@contextmanager
def uvicorn(file: Path, log: Log, environment: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    """Run uvicorn, which restarts its workers; yield its process number and port."""
    command = [sys.executable, "-m", "uvicorn", "tests.soak.app:app"]
    options = ["--workers", str(WORKERS), "--no-access-log", "--log-level", "warning"]
    environment = {**os.environ, **environment, "SOAK_FILE": str(file)}
    with log.path.open("a") as stderr, socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        # The socket that uvicorn makes for several workers delays small packets: 40 ms an answer (Nagle).
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = listener.getsockname()[1]
        process = subprocess.Popen(
            [*command, *options, "--fd", str(listener.fileno())],
            cwd=ROOT,
            stderr=stderr,
            env=environment,
            pass_fds=[listener.fileno()],
        )
    try:
        yield process.pid, port
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            for pid in descendants(process.pid):
                os.kill(pid, signal.SIGKILL)
            process.kill()
            process.wait()


def workers_of(pid: int) -> list[int]:
    """Return the workers of uvicorn's process ``pid``."""
    return [child for child in children(pid) if b"spawn_main" in _command(child)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


@contextmanager
def paused(*pids: int) -> Iterator[None]:
    """Suspend processes during the block."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def wait_for(condition: object, seconds: float, message: str) -> float:
    """Return the seconds until ``condition()`` is true. Raises TimeoutError."""
    assert callable(condition)
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"{message}: not within {seconds:g} s")
        time.sleep(0.01)
    return time.monotonic() - began
