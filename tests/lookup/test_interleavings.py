"""CachedLookup: loads, failures, timeouts, cancellations and invalidations in any order, judged by an oracle.

Each host has a history of policies, with their numbers in them. A load reads the number at some moment while
it runs, and may fail in any way. Time is virtual, so nothing depends on the machine.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from aipolicy.core.policy import SitePolicy, preset_named
from aipolicy.lookup import CachedLookup
from tests.lookup import virtualtime
from tests.sizes import size

TTL, TIMEOUT, UNKNOWN_TTL = 10.0, 2.0, 3.0
LONGEST_DELAY = 60.0  # between two tries while loads fail
PRESETS = ("unset", "no-training", "no-ai", "allow")
FAULTS: tuple[Callable[[], BaseException], ...] = (
    lambda: RuntimeError("down"),
    lambda: SystemExit(3),
    lambda: KeyboardInterrupt(),
    lambda: GeneratorExit(),
    lambda: asyncio.CancelledError(),
)


@dataclass
class Site:
    """The history of a site's policies and of the answers."""

    changes: list[tuple[float, SitePolicy | None]] = field(default_factory=list)
    invalidated: tuple[float, int] = (-1.0, -1)  # when, and the number in force then
    invalidations: list[float] = field(default_factory=list)
    last_fault: float = -1.0  # when a load failed, or was out of time
    answers: list[tuple[float, int, bool]] = field(default_factory=list)  # time, number, opted out

    def invalidate(self, now: float) -> None:
        self.invalidated = (now, self.number)
        self.invalidations.append(now)

    @property
    def number(self) -> int:
        return len(self.changes) - 1

    def number_at(self, time: float) -> int:
        return max((number for number, (at, _) in enumerate(self.changes) if at <= time), default=0)


class World:
    """Sites, their owners, a source that fails, and visitors."""

    def __init__(self, seed: int, clock: Callable[[], float]) -> None:
        self.chance = random.Random(seed)
        self.clock = clock
        self.sites = {f"site{number}.example": Site() for number in range(4)}
        for site in self.sites.values():
            self.change(site)
        late = self.sites["late.example"] = Site()
        late.changes.append((clock(), None))
        self.lookup = CachedLookup(
            self.load,
            ttl=TTL,
            timeout=TIMEOUT,
            unknown_ttl=UNKNOWN_TTL,
            max_stale=15.0,
            max_unknown=self.chance.choice([1, 2, 12]),
            default="unset",
            clock=clock,
        )
        self.faulty = 0.0
        self.answers = 0

    def change(self, site: Site) -> None:
        preset = self.chance.choice(PRESETS)
        sitemap = f"https://sites.example/{len(site.changes)}.xml"
        site.changes.append((self.clock(), SitePolicy.from_preset(preset_named(preset), sitemaps=[sitemap])))

    async def load(self, host: str) -> Any:
        chance = self.chance
        site = self.sites.get(host)
        await anyio.sleep(chance.choice([0, 0.001, 0.1, 0.5]))
        read = site.changes[-1][1] if site is not None else None
        kind = chance.random()
        if kind < self.faulty and site is not None:
            site.last_fault = self.clock() + TIMEOUT  # at the latest
            if kind < self.faulty / 3:
                await anyio.sleep(chance.choice([TIMEOUT + 0.5, 30]))
            elif kind < self.faulty / 2:
                return "nonsense"
            else:
                raise chance.choice(FAULTS)()
        await anyio.sleep(chance.choice([0, 0.001, 0.2, 1]))
        return read

    async def visit(self, host: str) -> None:
        began, raw = self.clock(), host.encode()
        site = self.sites.get(host)
        answers = [] if site is None else list(site.answers)
        invalidated = None if site is None else site.invalidated
        found = self.lookup.peek(raw) or await self.lookup.find(raw)
        self.answers += 1
        if site is None:
            assert found is self.lookup.default or self.lookup.status().refused
        else:
            self.judge(site, began, found.policy, answers, invalidated or site.invalidated)

    def judge(
        self,
        site: Site,
        began: float,
        policy: SitePolicy,
        answers: list[tuple[float, int, bool]],
        invalidated: tuple[float, int],
    ) -> None:
        """Judge an answer; ``answers`` and ``invalidated`` are from before the request."""
        now = self.clock()
        fine = site.last_fault < began - LONGEST_DELAY - 2 * TTL - TIMEOUT
        if sum(at >= began for at in site.invalidations) >= 3:
            fine = False  # a request doesn't wait for that many discarded loads
        known = max(answers, key=lambda each: each[1], default=None)
        number = int(policy.sitemaps[0].split("/")[-1][:-4]) if policy.sitemaps else None
        if number is None:
            if not policy.opted_out:
                assert not (known and known[2]), f"an opt-out is lost: {known}"
                assert site.changes[0][1] is None, "the default is served for a host that was never unknown"
            _, in_force = site.changes[site.number_at(began - UNKNOWN_TTL - 2 * TIMEOUT)]
            crowded = self.lookup.status().refused
            assert not fine or in_force is None or crowded, "the default is served for a site without need"
        else:
            assert known is None or number >= known[1], f"number {number} after {known}"
            loaded = site.changes[number][1]
            if policy != loaded:  # a fallback
                assert not fine, "a fallback is served without need"
                assert loaded is not None, "the host was unknown"
                assert policy.opted_out or not loaded.opted_out, f"the opt-out of {number} is lost"
            if number < invalidated[1]:
                assert policy.opted_out, "an invalidated answer is served"
                assert site.last_fault >= invalidated[0] - TIMEOUT or not fine, "and without need"
            if fine:
                due = site.number_at(began - 2 * TTL - TIMEOUT)
                assert number >= due, f"number {number} is served, and {due} had been in force"
            site.answers.append((now, number, policy.opted_out))

    async def run(self, steps: int) -> None:
        async with anyio.create_task_group() as tasks:
            for step in range(steps):
                await self.step(step, tasks)
        await anyio.sleep(100)  # every failure is over
        self.faulty = 0.0
        for host in self.sites:
            self.lookup.invalidate(host)
            for _ in range(3):
                await self.visit(host)
                await anyio.sleep(2 * TTL)
            site = self.sites[host]
            if site.changes[-1][1] is not None:
                assert site.answers[-1][1] == site.number
        assert self.lookup.status().loads == 0
        assert not self.lookup._flights._running, "a slot is lost"

    async def step(self, step: int, tasks: Any) -> None:
        chance = self.chance
        host = chance.choice(list(self.sites))
        site = self.sites[host]
        kind = chance.random()
        if kind < 0.05:
            self.change(site)
            if chance.random() < 0.5:
                site.invalidate(self.clock())
                self.lookup.invalidate(host.upper())
        elif kind < 0.06:
            for other in self.sites.values():
                other.invalidate(self.clock())
            self.lookup.invalidate_all()
        elif kind < 0.08:
            self.faulty = chance.choice([0.0, 0.0, 0.0, 0.2, 1.0])
        elif kind < 0.2:
            await anyio.sleep(chance.choice([0.01, 1, 5, 11, 25]))
        elif kind < 0.3:
            tasks.start_soon(self.leave_early, host, chance.choice([0, 0.01, 0.3, 1.5]))
        elif kind < 0.4:
            tasks.start_soon(self.visit, f"unknown{step}.example")
        else:
            tasks.start_soon(self.visit, host)
            if chance.random() < 0.5:
                await anyio.sleep(chance.choice([0, 0.01, 0.3]))

    async def leave_early(self, host: str, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self.visit(host)


@pytest.mark.proof
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("seed", range(size(full=400, ci=12)))
def test_no_answer_is_older_than_one_before_it_and_no_opt_out_is_lost(backend: str, seed: int) -> None:
    async def test(clock: Callable[[], float]) -> None:
        world = World(seed, clock)
        await world.run(600)
        assert world.answers > 200

    virtualtime.run(backend, test)
