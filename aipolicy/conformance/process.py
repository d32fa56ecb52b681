"""A crawler as a process: run in a group of its own, with a limit of time, and nothing of it left behind.

What leaves the group (a daemon, a browser that was started apart) is found by a mark in the environment,
which all that it starts inherits. For that Linux's /proc is read: where there is none, it goes on.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path

from aipolicy.conformance.recording import Ending
from aipolicy.errors import CrawlerTestError

_KEPT = 16 * 1024  # octets kept of what it prints: the last
_TO_END = 2.0  # seconds between being asked to end and being ended
_TO_CLOSE = 1.0  # seconds in which its output comes to an end, once it has
_SWEEPS = 100  # how often those that left its group are looked for
_BETWEEN = 0.01  # seconds, from one time to the next
_URL, _FOLDER = "{url}", "{dir}"
_MARK = "AIPOLICY_CRAWL"


def checked(command: Sequence[str]) -> tuple[str, ...]:
    """The command, if it can be run as a crawler. Raises CrawlerTestError."""
    if not any(_URL in part for part in command):
        fix = f"write {_URL} where the crawler takes the page to begin with"
        raise CrawlerTestError(f"the command has no {_URL}: {fix}")
    if shutil.which(command[0]) is None:
        fix = "check its name, that it is installed, and that its words stand apart"
        raise CrawlerTestError(f"{command[0]!r} is no command: {fix}")
    return tuple(command)


def filled(command: Sequence[str], url: str, folder: str) -> tuple[str, ...]:
    return tuple(part.replace(_URL, url).replace(_FOLDER, folder) for part in command)


async def run(command: Sequence[str], seconds: float) -> Ending:
    """Run it until it ends, or for so many seconds; then end it and all that it started.

    Raises CrawlerTestError where it can't be started.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    mark = secrets.token_hex(16)
    async with _reading() as (output, pipe):
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=pipe,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                env=_environment(mark),
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CrawlerTestError(f"{command[0]!r} can't be started ({reason}): check the command") from None
        finally:
            os.close(pipe)  # else it would never come to an end
        stopped = False
        try:
            async with asyncio.timeout(seconds):
                await process.wait()
            lasted = clock() - began
        except TimeoutError:
            stopped = True
            lasted = clock() - began
            await _ask_to_end(process)
        finally:
            _signal(process.pid, signal.SIGKILL)
            await asyncio.shield(asyncio.gather(process.wait(), _end_strays(mark)))
        with contextlib.suppress(TimeoutError):  # a stray that wasn't found may hold the pipe open
            async with asyncio.timeout(_TO_CLOSE):
                await output.ended.wait()
    return Ending(process.returncode, stopped, lasted, output.text())


async def _ask_to_end(process: asyncio.subprocess.Process) -> None:
    _signal(process.pid, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_TO_END):
            await process.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # all of it has ended
        os.killpg(group, number)


async def _end_strays(mark: str) -> None:
    """End those that bear the mark, until none is left: one may start another before it is ended."""
    for _ in range(_SWEEPS):
        strays = tuple(_strays(mark))
        if not strays:
            return
        for pid in strays:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(_BETWEEN)


def _strays(mark: str) -> Iterator[int]:
    wanted = f"{_MARK}={mark}".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it has ended, or is somebody else's
            if wanted in path.read_bytes().split(b"\0"):
                yield int(path.parent.name)


def _environment(mark: str) -> Mapping[str, str]:
    """Ours with the mark, but that the trap is never asked for through a proxy."""
    around = dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1")
    return {**os.environ, **around, _MARK: mark}


@contextlib.asynccontextmanager
async def _reading() -> AsyncIterator[tuple["_Tail", int]]:
    """What is written to a pipe, and the end to write to, which the caller closes.

    The pipe is ours, since one that asyncio makes for a process can't be closed while anybody holds it open.
    """
    ours, theirs = os.pipe()
    transport, output = await asyncio.get_running_loop().connect_read_pipe(_Tail, os.fdopen(ours, "rb", 0))
    try:
        yield output, theirs
    finally:
        transport.close()


class _Tail(asyncio.Protocol):
    """The last of what is read; ``ended`` when nobody can write any more."""

    def __init__(self) -> None:
        self._octets = bytearray()
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self._octets += data
        del self._octets[:-_KEPT]

    def connection_lost(self, _error: Exception | None) -> None:
        self.ended.set()

    def text(self) -> str:
        return self._octets.decode("utf-8", "replace")


class Scratch:
    """Folders for a crawler to write in, one a run, below one that the caller removes."""

    def __init__(self, parent: Path) -> None:
        self._parent, self._made = parent, 0

    def folder(self) -> str:
        self._made += 1
        folder = self._parent / str(self._made)
        folder.mkdir()
        return str(folder)
