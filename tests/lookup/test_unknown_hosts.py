"""CachedLookup: unknown hosts have a share of the loads, and known sites never wait for them."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from aipolicy.core.policy import SitePolicy
from aipolicy.lookup import CachedLookup
from tests.lookup.harness import NO_AI, OPTED_OUT, Clock, settled

pytestmark = pytest.mark.parametrize("backend", ["asyncio", "trio"])

SITES = {f"site{number}.example": NO_AI for number in range(40)}


class Gates:
    """An async ``load`` that returns for one host at a time, and counts those that wait."""

    def __init__(self) -> None:
        self.waiting: dict[str, anyio.Event] = {}
        self.asked: list[str] = []
        self.most = 0
        self.open = False

    async def __call__(self, host: str) -> SitePolicy | None:
        self.asked.append(host)
        if not self.open:
            gate = self.waiting[host] = anyio.Event()
            self.most = max(self.most, len(self.waiting))
            try:
                await gate.wait()
            finally:
                del self.waiting[host]
        return SITES.get(host)

    def let(self, host: str) -> None:
        self.waiting[host].set()

    async def let_all(self) -> None:
        self.open = True
        while self.waiting:
            for gate in self.waiting.values():
                gate.set()
            await anyio.lowlevel.checkpoint()


def run(backend: str, test: Callable[[], Awaitable[None]]) -> None:
    async def in_time() -> None:
        with anyio.fail_after(30):
            await test()

    anyio.run(in_time, backend=backend)


class Asked:
    """Running requests and their answers."""

    def __init__(self, lookup: CachedLookup, tasks: Any) -> None:
        self._lookup, self._tasks = lookup, tasks
        self.answers: dict[str, SitePolicy] = {}

    async def ask(self, *hosts: str) -> None:
        for host in hosts:
            self._tasks.start_soon(self._find, host)
        await anyio.wait_all_tasks_blocked()

    async def _find(self, host: str) -> None:
        raw = host.encode()
        self.answers[host] = (self._lookup.peek(raw) or await self._lookup.find(raw)).policy


UNKNOWN = [f"unknown{number}.example" for number in range(1000)]


def test_a_flood_of_unknown_hosts_runs_few_loads_and_most_are_answered_at_once(backend: str) -> None:
    async def test() -> None:
        gates = Gates()
        lookup = CachedLookup(gates, max_unknown=3, default="unset", timeout=20)
        async with anyio.create_task_group() as tasks:
            asked = Asked(lookup, tasks)
            await asked.ask(*UNKNOWN)
            assert len(gates.waiting) == 3
            refused = 1000 - 3 - 128
            assert len(asked.answers) == refused
            assert (lookup.status().refused, lookup.status().loads) == (refused, 131)
            assert set(asked.answers.values()) == {OPTED_OUT}
            await gates.let_all()
        assert gates.most == 3
        await settled(lookup)
        assert lookup.status().unknown_hosts <= 4096

    run(backend, test)


def test_known_sites_are_loaded_past_any_number_of_unknown_hosts(backend: str) -> None:
    async def test() -> None:
        gates, clock = Gates(), Clock()
        gates.open = True
        lookup = CachedLookup(gates, max_unknown=2, default="unset", timeout=20, clock=clock)
        for host in SITES:
            await lookup.find(host.encode())
        gates.open = False
        async with anyio.create_task_group() as tasks:
            asked = Asked(lookup, tasks)
            await asked.ask(*UNKNOWN[:300])
            clock.advance(61)
            await asked.ask(*SITES)  # are answered at once, and renewed
            assert {asked.answers[host] for host in SITES} == {NO_AI}
            assert set(SITES) <= set(gates.waiting)
            for host in SITES:
                gates.let(host)
            await anyio.wait_all_tasks_blocked()
            clock.advance(30)
            for host in SITES:
                assert lookup.peek(host.encode()) is not None
                lookup.invalidate(host)
            await asked.ask(*SITES)  # wait, but not for their turn
            assert set(SITES) <= set(gates.waiting)
            await gates.let_all()
        assert gates.asked.count("site0.example") == 3

    run(backend, test)


def test_a_rejected_blog_is_loaded_in_the_background(backend: str) -> None:
    async def test() -> None:
        gates = Gates()
        lookup = CachedLookup(gates, max_unknown=2, default="unset", timeout=20)
        async with anyio.create_task_group() as tasks:
            asked = Asked(lookup, tasks)
            await asked.ask(*UNKNOWN[:200])
            await asked.ask("site7.example")
            assert asked.answers["site7.example"] == OPTED_OUT
            await gates.let_all()
        await settled(lookup)
        found = lookup.peek(b"site7.example")
        assert found is not None
        assert found.policy == NO_AI

    run(backend, test)


def test_a_rejected_blog_that_comes_again_has_priority(backend: str) -> None:
    async def test() -> None:
        gates = Gates()
        lookup = CachedLookup(gates, max_unknown=1, default="unset", timeout=20)
        async with anyio.create_task_group() as tasks:
            asked = Asked(lookup, tasks)
            await asked.ask(*UNKNOWN[:200])
            await asked.ask("site7.example")
            assert asked.answers.pop("site7.example") == OPTED_OUT
            await asked.ask(*UNKNOWN[200:400])
            await asked.ask("site7.example")
            assert "site7.example" not in asked.answers, "it waits for its turn"
            gates.let(*gates.waiting)
            await anyio.wait_all_tasks_blocked()
            assert list(gates.waiting) == ["site7.example"]
            gates.let("site7.example")
            await anyio.wait_all_tasks_blocked()
            assert asked.answers["site7.example"] == NO_AI
            await gates.let_all()

    run(backend, test)


def test_hanging_loads_keep_their_slots_and_no_unknown_host_waits(backend: str) -> None:
    async def test() -> None:
        gates = Gates()
        gates.open = True
        hang = True

        async def load(host: str) -> Any:
            with anyio.CancelScope(shield=True):  # it heeds no cancellation
                while hang and host != "site0.example":
                    with suppress(asyncio.CancelledError):
                        await anyio.sleep(0.01)
            return SITES.get(host)

        lookup = CachedLookup(load, max_unknown=2, default="unset", timeout=0.05)
        async with anyio.create_task_group() as tasks:
            asked = Asked(lookup, tasks)
            tasks.start_soon(lookup.find, b"one.example")
            tasks.start_soon(lookup.find, b"two.example")
            while len(lookup._flights._running) < 2 or lookup.status().loads:
                await anyio.sleep(0.01)
            before = lookup.status().refused
            await lookup.find(b"site0.example")
            assert lookup.status().refused == before + 1, "at once: all places hang"
            hang = False
        while lookup.peek(b"site0.example") is None:  # it was marked, and is loaded now
            await anyio.sleep(0.01)
        assert not asked.answers

    run(backend, test)


def test_an_unknown_host_that_becomes_a_site_is_one_after_unknown_ttl(backend: str) -> None:
    async def test() -> None:
        clock = Clock()
        sites: dict[str, SitePolicy] = {}

        async def load(host: str) -> Any:
            return sites.get(host)

        lookup = CachedLookup(load, unknown_ttl=5, default="unset", clock=clock)
        assert await lookup.find(b"new.example") is lookup.default
        sites["new.example"] = NO_AI
        clock.advance(5)
        assert (await lookup.find(b"new.example")).policy == NO_AI, (
            "an unknown host is never served while renewed"
        )

    run(backend, test)


def test_after_twice_the_ttl_a_request_waits_and_after_a_timeout_nobody_does(backend: str) -> None:
    async def test() -> None:
        clock, hang, calls = Clock(), False, 0

        async def load(host: str) -> Any:
            nonlocal calls
            calls += 1
            if hang:
                await anyio.sleep_forever()
            return NO_AI

        lookup = CachedLookup(load, ttl=10, timeout=0.05, default="unset", clock=clock)
        await lookup.find(b"blog.example")
        hang = True
        clock.advance(20)
        assert lookup.peek(b"blog.example") is None
        assert (await lookup.find(b"blog.example")).policy == NO_AI
        assert calls == 2
        for _ in range(9):
            assert lookup.peek(b"blog.example") is not None
            clock.advance(0.1)
        clock.advance(0.1)
        with anyio.CancelScope() as waits:
            waits.cancel()  # whoever waits now goes away
            assert (await lookup.find(b"blog.example")).policy == NO_AI
        assert not waits.cancelled_caught, "the next try holds nobody up either"
        hang = False
        await settled(lookup)
        assert calls == 3

    run(backend, test)


def test_a_load_that_is_discarded_before_it_began_frees_its_slot(backend: str) -> None:
    async def test() -> None:
        gates = Gates()
        gates.open = True
        lookup = CachedLookup(gates, max_unknown=1, default="unset", timeout=20)
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(lookup.find, b"site%d.example" % number)
                await anyio.lowlevel.checkpoint()
                lookup.invalidate(f"site{number}.example")
                lookup.invalidate_all()
        await settled(lookup)
        assert (await lookup.find(b"site30.example")).policy == NO_AI
        assert not lookup._flights._running

    run(backend, test)
