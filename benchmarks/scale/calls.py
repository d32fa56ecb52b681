"""A hit and a miss of LocalLookup, each against the simplest code that could do its work."""

import asyncio
import random
import sqlite3
import statistics
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

from figures import median_ratio, seconds_a_call, verdict
from serving import POINT_READ
from sites import EXPONENT, Sites

from aipolicy.lookup import LocalLookup
from aipolicy.rendering import Rendering

CACHED = 100_000  # hosts: what a lookup remembers by default
ROUNDS, CALLS = 40, 10_000
SHORT_ROUNDS, SHORT_CALLS = 20, 5000  # each host can be missed only once
FIRST_ROUNDS = 4  # which fill SQLite's own caches, and don't count
MOST_HIT, MOST_HIT_TIMES, MOST_MISS_TIMES = 250, 3.0, 2.5  # ns, x a dict, x a bare read


class PlainDict:
    """The peer of a hit: the same call on a dict."""

    def __init__(self, known: dict[bytes, Rendering]) -> None:
        self._known = known

    def peek(self, host: bytes) -> Rendering | None:
        return self._known.get(host)


class BareRead:
    """The peer of a miss: the same call with one prepared statement."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)

    async def find(self, host: bytes) -> str:
        row: tuple[str] = self.connection.execute(POINT_READ, (host.decode(),)).fetchone()
        return row[0]


def run(find: Callable[[bytes], Coroutine[Any, Any, object]], host: bytes) -> None:
    """Run a coroutine that never waits, without the cost of an event loop."""
    try:
        find(host).send(None)
    except StopIteration:
        return
    raise RuntimeError(f"the lookup of {host!r} waited")


def some_hosts(sites: Sites, count: int, chance: random.Random) -> list[bytes]:
    """Return distinct hosts in no order."""
    return [sites.host(number)[0].encode() for number in chance.sample(range(sites.hosts), count)]


def hits(path: Path, sites: Sites) -> bool:
    """Print two lines; return True if both figures are within their bounds."""
    chance = random.Random(4)
    hosts = some_hosts(sites, CACHED, chance)
    lookup = LocalLookup(path, refresh=3600)  # a hit is timed, not the look at the file

    async def warm() -> dict[bytes, Rendering]:
        return {bytes(bytearray(host)): await lookup.find(host) for host in hosts}

    plain = PlainDict(asyncio.run(warm()))
    weights = list(accumulate(rank**-EXPONENT for rank in range(1, len(hosts) + 1)))
    met = [
        _hit(
            "hit, Zipf over 100,000 cached",
            lookup,
            plain,
            lambda: chance.choices(hosts, cum_weights=weights, k=CALLS),
        ),
        _hit("hit, the 1,000 most read", lookup, plain, lambda: chance.choices(hosts[:1000], k=CALLS)),
    ]
    lookup.close()
    return all(met)


def _hit(case: str, lookup: LocalLookup, plain: PlainDict, asked: Callable[[], Sequence[bytes]]) -> bool:
    mine: list[float] = []
    its: list[float] = []
    for _ in range(ROUNDS):
        for calls, times in ((lookup.peek, mine), (plain.peek, its)):
            # As a server makes them: new bytes, of which no hash is known yet.
            times.append(seconds_a_call(calls, [bytes(bytearray(host)) for host in asked()]) * 1e9)
    took, ratio = statistics.median(mine), median_ratio(mine, its)
    met = took <= MOST_HIT and ratio <= MOST_HIT_TIMES
    print(
        f"{case:<30} {took:8,.0f} ns  {ratio:5.2f} x dict.get ({statistics.median(its):,.0f} ns); "
        f"at most {MOST_HIT} ns and {MOST_HIT_TIMES:g} x: {verdict(met)}"
    )
    return met


def misses(path: Path, sites: Sites) -> bool:
    """Print one line; return True if the figure is within its bound. Each host is looked up once."""
    rounds = SHORT_ROUNDS + FIRST_ROUNDS
    hosts = some_hosts(sites, 2 * rounds * SHORT_CALLS, random.Random(5))
    lookup, bare = LocalLookup(path), BareRead(path)
    mine: list[float] = []
    its: list[float] = []
    for start in range(0, len(hosts), 2 * SHORT_CALLS):
        for find, times in ((lookup.find, mine), (bare.find, its)):
            asked, start = hosts[start : start + SHORT_CALLS], start + SHORT_CALLS
            times.append(seconds_a_call(partial(run, find), asked) * 1e9)
    mine, its = mine[FIRST_ROUNDS:], its[FIRST_ROUNDS:]
    took, ratio = statistics.median(mine), median_ratio(mine, its)
    met = ratio <= MOST_MISS_TIMES
    print(
        f"{'miss':<30} {took:8,.0f} ns  {ratio:5.2f} x a bare sqlite3 point read "
        f"({statistics.median(its):,.0f} ns); at most {MOST_MISS_TIMES:g} x: {verdict(met)}"
    )
    lookup.close()
    bare.connection.close()
    return met
