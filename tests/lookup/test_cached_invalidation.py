"""CachedLookup: an invalidation discards every load that is running."""

import asyncio
import threading
from typing import Any

import pytest

from aipolicy.core.policy import SitePolicy
from aipolicy.lookup import CachedLookup
from aipolicy.rendering import Rendering, render
from aipolicy.signals.switches import Signals
from tests.lookup.harness import NO_AI, OPTED_OUT, UNSET, CachedSource, answer, policy


class Gated:
    """An async ``load`` that reads the flag at once and returns it when the test opens it."""

    def __init__(self) -> None:
        self.flag: Any = False
        self.calls = 0
        self.gates: list[asyncio.Event] = []

    async def __call__(self, host: str) -> Any:
        self.calls += 1
        read = self.flag
        gate = asyncio.Event()
        self.gates.append(gate)
        await gate.wait()
        return read


async def soon(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_a_load_that_ran_during_an_invalidation_is_discarded() -> None:
    load = Gated()
    lookup = CachedLookup(load)
    before = [asyncio.create_task(policy(lookup, "blog.example")) for _ in range(5)]
    await soon(lambda: load.calls == 1)
    load.flag = True
    lookup.invalidate("BLOG.example:80")
    after = asyncio.create_task(policy(lookup, "blog.example"))
    await soon(lambda: load.calls == 2)
    for gate in load.gates:
        gate.set()
    assert set(await asyncio.gather(*before, after)) == {OPTED_OUT}
    assert load.calls == 2
    assert await policy(lookup, "blog.example") == OPTED_OUT


async def test_the_result_of_a_discarded_load_is_ignored() -> None:
    go, calls = asyncio.Event(), 0

    async def load(host: str) -> bool:
        nonlocal calls
        calls += 1
        first = calls == 1
        while first and not go.is_set():
            try:
                await go.wait()
            except asyncio.CancelledError:
                continue
        return not first

    lookup = CachedLookup(load)
    before = asyncio.create_task(policy(lookup, "blog.example"))
    await soon(lambda: calls == 1)
    lookup.invalidate("blog.example")
    assert await policy(lookup, "blog.example") == OPTED_OUT
    go.set()
    assert await before == OPTED_OUT
    assert await policy(lookup, "blog.example") == OPTED_OUT


async def test_a_sync_load_that_ran_during_an_invalidation_is_discarded() -> None:
    flag, calls, go = False, 0, threading.Event()

    def load(host: str) -> bool:
        nonlocal calls
        calls += 1
        read = flag
        if calls == 1:
            go.wait(5)
        return read

    lookup = CachedLookup(load)
    before = asyncio.create_task(policy(lookup, "blog.example"))
    await soon(lambda: calls == 1)
    flag = True
    lookup.invalidate("blog.example")
    go.set()
    assert await before == OPTED_OUT
    assert await policy(lookup, "blog.example") == OPTED_OUT


async def test_an_invalidation_beats_even_an_answer_that_is_just_being_kept(
    cached: CachedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread may invalidate while the event loop renders."""
    cached.put("blog.example", UNSET)
    lookup = cached.lookup()

    def rendered(policy: SitePolicy, signals: Signals) -> Rendering:
        monkeypatch.undo()
        cached.put("blog.example", NO_AI)
        lookup.invalidate("blog.example")
        return render(policy, signals)

    monkeypatch.setattr("aipolicy.lookup.renderer.render", rendered)
    assert await policy(lookup, "blog.example") == NO_AI
    assert await policy(lookup, "blog.example") == NO_AI


async def test_a_failure_during_an_invalidation_is_not_counted(caplog: pytest.LogCaptureFixture) -> None:
    gate, calls = asyncio.Event(), 0

    async def load(host: str) -> bool:
        nonlocal calls
        calls += 1
        if calls == 1:
            try:
                await gate.wait()
            finally:
                raise RuntimeError("too late")
        return True

    lookup = CachedLookup(load)
    before = asyncio.create_task(policy(lookup, "blog.example"))
    await soon(lambda: calls == 1)
    lookup.invalidate("blog.example")
    assert await before == OPTED_OUT
    assert not caplog.records


async def test_a_request_gives_up_on_a_host_that_is_invalidated_again_and_again(cached: CachedSource) -> None:
    lookup: CachedLookup

    async def load(host: str) -> bool:
        cached.flags.load_now(host)
        lookup.invalidate(host)
        return False

    lookup = CachedLookup(load)
    assert await asyncio.wait_for(answer(lookup, "blog.example"), 5) is lookup.default
    assert cached.flags.calls == 3


async def test_invalidating_all_forgets_every_host(cached: CachedSource) -> None:
    cached.put("blog.example", UNSET)
    lookup = cached.lookup()
    await answer(lookup, "blog.example")
    await answer(lookup, "new.example")
    cached.put("blog.example", OPTED_OUT)
    cached.put("new.example", NO_AI)
    lookup.invalidate_all()
    assert lookup.peek(b"blog.example") is None
    assert await policy(lookup, "blog.example") == OPTED_OUT
    assert await policy(lookup, "new.example") == NO_AI


async def test_invalidating_all_discards_running_loads() -> None:
    load = Gated()
    lookup = CachedLookup(load)
    before = asyncio.create_task(policy(lookup, "blog.example"))
    await soon(lambda: load.calls == 1)
    load.flag = True
    lookup.invalidate_all()
    await soon(lambda: load.calls == 2)
    load.gates[1].set()
    assert await before == OPTED_OUT


async def test_invalidating_all_loses_no_opt_out_to_a_failure(cached: CachedSource) -> None:
    cached.put("no.example", NO_AI)
    cached.put("silent.example", UNSET)
    lookup = cached.lookup(default="unset")
    silent = await answer(lookup, "silent.example")
    await answer(lookup, "no.example")
    cached.fail()
    lookup.invalidate_all()
    assert await policy(lookup, "no.example") == NO_AI
    assert await answer(lookup, "silent.example") is lookup.strict_default is not silent


async def test_an_invalidation_ends_the_backoff(cached: CachedSource) -> None:
    cached.fail()
    lookup = cached.lookup()
    await answer(lookup, "blog.example")
    cached.mend()
    cached.put("blog.example", NO_AI)
    lookup.invalidate("blog.example")
    assert await policy(lookup, "blog.example") == NO_AI


async def test_an_invalidation_may_come_from_any_thread() -> None:
    """A sync view calls it in a thread. After it, no request gets the state before the change."""
    states, stop = {"blog.example": 0}, threading.Event()
    policies = [NO_AI, OPTED_OUT]
    seen_late: list[int] = []

    async def load(host: str) -> Any:
        read = states[host]
        await asyncio.sleep(0)
        return policies[read % 2]

    lookup = CachedLookup(load)

    def owner() -> None:
        for _ in range(300):
            states["blog.example"] += 1
            lookup.invalidate("blog.example")
            version = states["blog.example"]
            future = asyncio.run_coroutine_threadsafe(policy(lookup, "blog.example"), loop)
            if future.result(5) != policies[version % 2]:
                seen_late.append(version)
        stop.set()

    loop = asyncio.get_running_loop()
    thread = threading.Thread(target=owner)
    thread.start()
    while not stop.is_set():
        await asyncio.gather(*(answer(lookup, "blog.example") for _ in range(5)))
        await asyncio.sleep(0)
    thread.join()
    assert not seen_late
