"""A crawler's process: run in its own process group, with a time limit, and ended with all its children.

Processes that leave the group, such as daemons, are found by a variable in their environment, which children
inherit. That needs Linux's /proc; on other systems they continue to run.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path

from aipolicy.conformance.recording import CrawlExit
from aipolicy.errors import CrawlerTestError

_OUTPUT_BYTES = 16 * 1024  # of the end of its output
_TERM_TIMEOUT = 2.0  # seconds between SIGTERM and SIGKILL
_OUTPUT_TIMEOUT = 1.0  # seconds to wait for the end of its output
_SEARCHES = 100  # for processes that left its group
_SEARCH_INTERVAL = 0.01  # seconds
_URL, _FOLDER = "{url}", "{dir}"
_MARK = "AIPOLICY_CRAWL"


def check_command(command: Sequence[str]) -> tuple[str, ...]:
    """Return the command.

    Raises:
        CrawlerTestError: It can't be run as a crawler.
    """
    if not any(_URL in part for part in command):
        raise CrawlerTestError(f"the command has no {_URL}: write it in the place of the start URL")
    if shutil.which(command[0]) is None:
        fix = "check its name and that it is installed, and write its arguments as separate words"
        raise CrawlerTestError(f"{command[0]!r} is not a command: {fix}")
    return tuple(command)


def fill_command(command: Sequence[str], url: str, folder: str) -> tuple[str, ...]:
    return tuple(part.replace(_URL, url).replace(_FOLDER, folder) for part in command)


async def run(command: Sequence[str], seconds: float) -> CrawlExit:
    """Run the command until it ends, or for ``seconds``; then end it and all its children.

    Raises:
        CrawlerTestError: It can't be started.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    mark = secrets.token_hex(16)
    async with _output_pipe() as (output, pipe):
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
            os.close(pipe)  # otherwise its other end would never close
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
            await asyncio.shield(asyncio.gather(process.wait(), _end_escaped(mark)))
        with contextlib.suppress(TimeoutError):  # a process that wasn't found may hold the pipe open
            async with asyncio.timeout(_OUTPUT_TIMEOUT):
                await output.ended.wait()
    return CrawlExit(process.returncode, stopped, lasted, output.text())


async def _ask_to_end(process: asyncio.subprocess.Process) -> None:
    _signal(process.pid, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_TERM_TIMEOUT):
            await process.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # the group has ended
        os.killpg(group, number)


async def _end_escaped(mark: str) -> None:
    """End all processes with the mark, repeatedly, because one may start another before it is ended."""
    for _ in range(_SEARCHES):
        escaped = tuple(_escaped(mark))
        if not escaped:
            return
        for pid in escaped:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(_SEARCH_INTERVAL)


def _escaped(mark: str) -> Iterator[int]:
    wanted = f"{_MARK}={mark}".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it has ended, or belongs to another user
            if wanted in path.read_bytes().split(b"\0"):
                yield int(path.parent.name)


def _environment(mark: str) -> Mapping[str, str]:
    """Return our environment with the mark, and without a proxy for the test server."""
    around = dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1")
    return {**os.environ, **around, _MARK: mark}


@contextlib.asynccontextmanager
async def _output_pipe() -> AsyncIterator[tuple["_Tail", int]]:
    """Yield the output of a pipe, and the descriptor to write to, which the caller closes.

    A pipe that asyncio makes for a process can't be closed while another process holds it open.
    """
    reader, writer = os.pipe()
    transport, output = await asyncio.get_running_loop().connect_read_pipe(_Tail, os.fdopen(reader, "rb", 0))
    try:
        yield output, writer
    finally:
        transport.close()


class _Tail(asyncio.Protocol):
    """The last bytes of a pipe; ``ended`` is set when its other end is closed."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        del self._bytes[:-_OUTPUT_BYTES]

    def connection_lost(self, _error: Exception | None) -> None:
        self.ended.set()

    def text(self) -> str:
        return self._bytes.decode("utf-8", "replace")


class ScratchFolders:
    """New folders for the crawler's files, one for each run, in a folder that the caller removes."""

    def __init__(self, parent: Path) -> None:
        self._parent, self._made = parent, 0

    def folder(self) -> str:
        self._made += 1
        folder = self._parent / str(self._made)
        folder.mkdir()
        return str(folder)
