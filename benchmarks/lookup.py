"""Lookups against the simplest code that could do their work, in one run: ``python benchmarks/lookup.py``.

A ratio is the time per call divided by the peer's in the same round; the median over interleaved rounds
counts. Exits with 1 if a limit is exceeded.
"""

import asyncio
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from aipolicy.core.policy import SitePolicy
from aipolicy.lookup import CachedLookup, LocalLookup
from aipolicy.registry import Registry
from aipolicy.rendering import Rendering

SITES = 200_000
HOT = 1000
ROUNDS, CALLS = 30, 10_000
SHORT_ROUNDS, SHORT_CALLS = 15, 5000  # each host can be missed only once
POLICY = '{"preferences":{"train-ai":"disallow"},"visibility":"public"}'
POINT_READ = "SELECT s.policy FROM host h JOIN site s ON s.id = h.site_id WHERE h.host = ?"


class PlainDict:
    """The peer of a hit: the same call on a dict."""

    def __init__(self) -> None:
        self._known: dict[bytes, Rendering] = {}

    def peek(self, host: bytes) -> Rendering | None:
        return self._known.get(host)


class BareRead:
    """The peer of a miss: the same call with one prepared statement."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)

    async def find(self, host: bytes) -> str:
        row: tuple[str] = self.connection.execute(POINT_READ, (host.decode(),)).fetchone()
        return row[0]


def name(number: int) -> str:
    return f"blog-{number}.platform.example"


def registry_of(path: Path) -> None:
    """Write a registry file with many sites, in bulk."""
    with Registry(f"sqlite:///{path}"):
        pass
    with closing(sqlite3.connect(path)) as connection, connection:
        sites = ((number, name(number), POLICY, number) for number in range(1, SITES + 1))
        connection.executemany("INSERT INTO site (id, name, policy, seq) VALUES (?, ?, ?, ?)", sites)
        hosts = sorted((name(number), number) for number in range(1, SITES + 1))
        connection.executemany("INSERT INTO host (host, site_id) VALUES (?, ?)", hosts)


def run(find: Callable[[bytes], Coroutine[Any, Any, object]], host: bytes) -> None:
    """Run a coroutine that never waits, without the cost of an event loop."""
    try:
        find(host).send(None)
    except StopIteration:
        return
    raise RuntimeError(f"the lookup of {host!r} waited")


def seconds_a_call(call: Callable[[bytes], object], hosts: Sequence[bytes]) -> float:
    start = time.thread_time()
    for host in hosts:
        call(host)
    return (time.thread_time() - start) / len(hosts)


def compare(
    case: str,
    ours: Callable[[bytes], object],
    peer_name: str,
    peer: Callable[[bytes], object],
    bound: float,
    rounds: Sequence[Sequence[bytes]],
) -> bool:
    """Print one line; return True if the ratio is within its limit."""
    times = [(seconds_a_call(ours, hosts), seconds_a_call(peer, hosts)) for hosts in rounds]
    ratio = statistics.median(mine / its for mine, its in times)
    mine, its = (statistics.median(column) * 1e9 for column in zip(*times, strict=True))
    verdict = "" if ratio <= bound else "  OVER"
    print(
        f"{case:<18} {mine:7.0f} ns  {ratio:5.2f} x {peer_name} ({its:.0f} ns), at most {bound:g} x{verdict}"
    )
    return ratio <= bound


async def warm(lookup: CachedLookup | LocalLookup, hosts: Sequence[bytes]) -> None:
    for host in hosts:
        await lookup.find(host)


async def opted_out(host: str) -> SitePolicy | bool:
    return True


def main() -> int:
    chance = random.Random(1)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "registry.db"
        registry_of(path)
        every = [name(number).encode() for number in range(1, SITES + 1)]
        chance.shuffle(every)
        hot, cold = every[:HOT], every[HOT:]
        hits = [chance.choices(hot, k=CALLS) for _ in range(ROUNDS)]
        misses = [cold[n * SHORT_CALLS : (n + 1) * SHORT_CALLS] for n in range(SHORT_ROUNDS)]

        cached = CachedLookup(opted_out)
        local = LocalLookup(path, refresh=3600)  # a hit is timed, not the look at the file
        missing = LocalLookup(path)
        plain, bare = PlainDict(), BareRead(path)
        for lookup in (cached, local):
            asyncio.run(warm(lookup, hot))
        plain._known.update(dict.fromkeys(hot, cached.default))

        within = [
            compare("CachedLookup hit", cached.peek, "dict.get", plain.peek, 7, hits),
            compare("LocalLookup hit", local.peek, "dict.get", plain.peek, 3, hits),
            compare(
                "LocalLookup miss",
                lambda host: run(missing.find, host),
                "bare sqlite3 point read",
                lambda host: run(bare.find, host),
                2.5,
                misses,
            ),
        ]
        for opened in (local, missing, bare.connection):
            opened.close()
    return 0 if all(within) else 1


if __name__ == "__main__":
    sys.exit(main())
