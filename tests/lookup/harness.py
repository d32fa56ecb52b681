"""A clock that stands still, and a source of policies for each kind of lookup."""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import anyio.lowlevel

from aipolicy.core.policy import SitePolicy
from aipolicy.lookup import CachedLookup, LocalLookup, Lookup
from aipolicy.registry import Registry
from aipolicy.rendering import Rendering

OPTED_OUT = SitePolicy.from_preset("no-training")
UNSET = SitePolicy.from_preset("unset")
ALLOW = SitePolicy.from_preset("allow")
NO_AI = SitePolicy.from_preset("no-ai")


class Clock:
    """A clock that a test advances."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Flags:
    """An application's own flags, with a ``load`` that counts its calls and can be made to fail."""

    def __init__(self) -> None:
        self.policies: dict[str, Any] = {}
        self.calls = 0
        self.trouble = ""

    async def load(self, host: str) -> Any:
        return self.load_now(host)

    def load_now(self, host: str) -> Any:
        self.calls += 1
        if self.trouble:
            raise RuntimeError(self.trouble)
        return self.policies.get(host)


class CachedSource:
    """A source of policies behind a CachedLookup."""

    freshness = 60.0
    """Seconds after which the source is asked again."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.flags = Flags()

    def lookup(self, **options: Any) -> CachedLookup:
        return CachedLookup(self.flags.load, clock=self.clock, **options)

    def put(self, host: str, policy: SitePolicy, hosts: Iterable[str] = ()) -> None:
        for name in (host, *hosts):
            self.flags.policies[name] = policy

    def put_all(self, policies: dict[str, SitePolicy]) -> None:
        self.flags.policies |= policies

    def fail(self) -> None:
        self.flags.trouble = "the database is down"

    def mend(self) -> None:
        self.flags.trouble = ""

    def pass_freshness(self) -> None:
        """Advance the clock until a request waits for the source."""
        self.clock.advance(121)


class LocalSource:
    """A source of policies behind a LocalLookup: a real registry."""

    freshness = 0.1

    def __init__(self, clock: Clock, path: Path) -> None:
        self.clock = clock
        self.path = path
        self.made: list[LocalLookup] = []
        self.url = f"sqlite:///{quote(str(path))}"
        with Registry(self.url):
            pass

    def lookup(self, **options: Any) -> LocalLookup:
        self.made.append(LocalLookup(self.path, clock=self.clock, **options))
        return self.made[-1]

    def close(self) -> None:
        for lookup in self.made:
            lookup.close()

    def put(self, host: str, policy: SitePolicy, hosts: Iterable[str] = ()) -> None:
        with Registry(self.url) as registry:
            registry.put(policy.for_site(host), by="test", hosts=hosts)

    def put_all(self, policies: dict[str, SitePolicy]) -> None:
        with Registry(self.url) as registry:
            registry.put_many((policy.for_site(host) for host, policy in policies.items()), by="test")

    def fail(self) -> None:
        """Put a directory in the place of the file. A deleted file would still be read."""
        self.path.rename(self.path.with_suffix(".away"))
        self.path.mkdir()

    def mend(self) -> None:
        self.path.rmdir()
        self.path.with_suffix(".away").rename(self.path)

    def pass_freshness(self) -> None:
        self.clock.advance(5.1)


Source = CachedSource | LocalSource
MakeSource = Callable[[], Source]


async def answer(lookup: Lookup, host: str | bytes) -> Rendering:
    """Return the rendering for a request, asked for as the middleware does."""
    raw = host.encode() if isinstance(host, str) else host
    found = lookup.peek(raw) or await lookup.find(raw)
    await settled(lookup)
    return found


async def settled(lookup: Lookup) -> None:
    """Wait until nothing is being loaded in the background."""
    if isinstance(lookup, CachedLookup):
        with anyio.fail_after(10):
            while lookup.status().loads:
                await anyio.lowlevel.checkpoint()


async def policy(lookup: Lookup, host: str | bytes) -> SitePolicy:
    return (await answer(lookup, host)).policy


def sql(path: Path, *statements: str) -> None:
    """Change the registry's file without the registry."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def another_registry(path: Path, host: str, policy: SitePolicy) -> Path:
    """Create a registry with one site."""
    with Registry(f"sqlite:///{path}") as registry:
        registry.put(policy.for_site(host), by="test")
    return path
