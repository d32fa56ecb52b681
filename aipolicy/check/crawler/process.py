"""A crawler as a process: run in a group of its own, with a limit of time, and nothing of it left behind."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from aipolicy.check.crawler.seen import Ending
from aipolicy.errors import CrawlerTestError

_KEPT = 16 * 1024  # octets kept of what it prints: the last
_READ = 65536
_TO_END = 2.0  # seconds between being asked to end and being ended
_URL, _FOLDER = "{url}", "{dir}"


def checked(command: Sequence[str]) -> tuple[str, ...]:
    """The command, if it can be run as a crawler. Raises CrawlerTestError."""
    if not any(_URL in part for part in command):
        cure = f"write {_URL} where the crawler takes the page to begin with"
        raise CrawlerTestError(f"the command has no {_URL}: {cure}")
    if shutil.which(command[0]) is None:
        cure = "check its name, that it is installed, and that its words stand apart"
        raise CrawlerTestError(f"{command[0]!r} is no command: {cure}")
    return tuple(command)


def filled(command: Sequence[str], url: str, folder: str) -> tuple[str, ...]:
    return tuple(part.replace(_URL, url).replace(_FOLDER, folder) for part in command)


async def run(command: Sequence[str], seconds: float) -> Ending:
    """Run it until it ends, or for so many seconds; then end it and all that it started in its group.

    Raises CrawlerTestError where it can't be started.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            env=_environment(),
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CrawlerTestError(f"{command[0]!r} can't be started ({reason}): check the command") from None
    output = _Tail()
    reading = asyncio.create_task(output.read(process.stdout))
    stopped = False
    try:
        async with asyncio.timeout(seconds):
            await process.wait()
    except TimeoutError:
        stopped = True
        await _ask_to_end(process)
    finally:
        _signal(process.pid, signal.SIGKILL)
        await asyncio.shield(process.wait())
    with contextlib.suppress(TimeoutError):  # who left the group may hold the pipe open
        async with asyncio.timeout(1):
            await reading
    return Ending(process.returncode, stopped, clock() - began, output.text())


async def _ask_to_end(process: asyncio.subprocess.Process) -> None:
    _signal(process.pid, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_TO_END):
            await process.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # all of it has ended
        os.killpg(group, number)


def _environment() -> dict[str, str]:
    """Ours, but that the trap is never asked for through a proxy."""
    around = dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1")
    return {**os.environ, **around}


class _Tail:
    """The last of what is read."""

    def __init__(self) -> None:
        self._octets = bytearray()

    async def read(self, stream: asyncio.StreamReader | None) -> None:
        while stream and (octets := await stream.read(_READ)):
            self._octets += octets
            del self._octets[:-_KEPT]

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
