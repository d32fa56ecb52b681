"""LocalLookup: a change by one process comes into force in every other; a benchmark measures the time."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aipolicy.lookup import LocalLookup
from tests.lookup.harness import OPTED_OUT, UNSET, LocalSource, answer

REFRESH = 0.25
READER = """
import asyncio, sys
from aipolicy.lookup import LocalLookup

async def main():
    lookup = LocalLookup(sys.argv[1], refresh=float(sys.argv[2]))
    ready = False
    while not (lookup.peek(b"blog.example") or await lookup.find(b"blog.example")).policy.opted_out:
        if not ready:
            ready = bool(print("ready", flush=True)) or True
        await asyncio.sleep(0.001)
    print("in force", flush=True)

asyncio.run(main())
"""

WRITER = """
import sys
from aipolicy.core.policy import SitePolicy
from aipolicy.registry import Registry

with Registry(f"sqlite:///{sys.argv[1]}") as registry:
    print("ready", flush=True)
    sys.stdin.readline()
    registry.put(SitePolicy.from_preset("no-training", site="blog.example"), by="test")
    print("written", flush=True)
"""


@contextmanager
def process(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
    ) as started:
        try:
            assert line(started) == "ready"
            yield started
        finally:
            started.kill()


def line(started: subprocess.Popen[str]) -> str:
    assert started.stdout is not None
    return started.stdout.readline().strip()


async def test_a_change_comes_into_force_in_every_process(local: LocalSource) -> None:
    local.put("blog.example", UNSET)
    here = LocalLookup(local.path, refresh=REFRESH)
    with process(READER, local.path, REFRESH) as reader, process(WRITER, local.path) as writer:
        assert (await answer(here, "blog.example")).policy == UNSET
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
        async with asyncio.timeout(60):
            while (await answer(here, "blog.example")).policy != OPTED_OUT:
                await asyncio.sleep(0.001)
        assert (line(writer), line(reader)) == ("written", "in force")
