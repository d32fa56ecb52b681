"""CachedLookup: the calls of ``load``."""

import asyncio
import functools
import gc
import threading
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import pytest

from aipolicy.core.policy import SitePolicy
from aipolicy.lookup import CachedLookup
from tests.lookup.harness import NO_AI, OPTED_OUT, UNSET, CachedSource, Clock, answer, policy


class AsyncLoad:
    async def __call__(self, host: str) -> bool:
        return True

    async def method(self, host: str, other: int = 0) -> bool:
        return True


class SyncLoad:
    def __call__(self, host: str) -> bool:
        return threading.current_thread() is not threading.main_thread()


def in_thread(host: str, other: int = 0) -> bool:
    return threading.current_thread() is not threading.main_thread()


def returns_a_coroutine(host: str) -> Awaitable[bool]:
    return AsyncLoad().method(host)


@pytest.mark.parametrize(
    "load",
    [
        AsyncLoad(),
        AsyncLoad().method,
        functools.partial(AsyncLoad().method, other=1),
        functools.partial(AsyncLoad()),
        returns_a_coroutine,
        in_thread,
        SyncLoad(),
        functools.partial(in_thread, other=1),
        functools.partial(SyncLoad()),
    ],
)
async def test_load_is_any_callable_and_a_sync_one_runs_in_a_thread(load: Callable[[str], Any]) -> None:
    lookup = CachedLookup(load)
    for host in ("one.example", "two.example"):
        assert await policy(lookup, host) == OPTED_OUT


async def test_load_is_given_the_canonical_host() -> None:
    asked = []
    lookup = CachedLookup(lambda host: asked.append(host))
    await lookup.find("Bücher.Example.:8080".encode())
    assert asked == ["xn--bcher-kva.example"]


async def test_a_malformed_host_is_never_asked_for(cached: CachedSource) -> None:
    await cached.lookup().find(b"a b")
    assert cached.flags.calls == 0


@pytest.mark.parametrize(
    ("answered", "expected"),
    [(True, OPTED_OUT), (False, UNSET), (NO_AI, NO_AI), (NO_AI.for_site("blog.example"), NO_AI)],
)
async def test_a_flag_or_a_policy_is_the_sites(
    cached: CachedSource, answered: object, expected: SitePolicy
) -> None:
    cached.flags.policies["blog.example"] = answered
    assert await policy(cached.lookup(), "blog.example") == expected


async def test_ten_thousand_requests_for_one_cold_host_are_one_load(cached: CachedSource) -> None:
    cached.put("blog.example", NO_AI)
    arrived = asyncio.Event()

    async def load(host: str) -> Any:
        await arrived.wait()
        return cached.flags.load_now(host)

    lookup = CachedLookup(load)
    waiting = [asyncio.create_task(answer(lookup, "blog.example")) for _ in range(10_000)]
    await asyncio.sleep(0)
    arrived.set()
    assert len(set(await asyncio.gather(*waiting))) == 1
    assert cached.flags.calls == 1


async def test_the_spellings_of_a_cold_host_wait_for_one_load(cached: CachedSource) -> None:
    cached.put("blog.example", NO_AI)
    lookup = cached.lookup()
    await asyncio.gather(
        *(answer(lookup, host) for host in ("blog.example", "BLOG.example", "blog.example:80"))
    )
    assert cached.flags.calls == 1


async def test_a_client_that_disconnects_fails_no_other(cached: CachedSource) -> None:
    cached.put("blog.example", NO_AI)
    arrived = asyncio.Event()

    async def load(host: str) -> Any:
        await arrived.wait()
        return cached.flags.load_now(host)

    lookup = CachedLookup(load)
    first, *others = [asyncio.create_task(lookup.find(b"blog.example")) for _ in range(5)]
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.sleep(0)
    arrived.set()
    assert {found.policy for found in await asyncio.gather(*others)} == {NO_AI}
    assert first.cancelled()
    assert cached.flags.calls == 1


async def test_when_all_clients_hang_up_the_answer_is_kept_for_the_next(cached: CachedSource) -> None:
    cached.put("blog.example", NO_AI)
    lookup = cached.lookup()
    only = asyncio.create_task(lookup.find(b"blog.example"))
    await asyncio.sleep(0)
    only.cancel()
    await asyncio.sleep(0.01)
    assert lookup.peek(b"blog.example") is not None


async def test_an_answer_lasts_for_its_ttl(cached: CachedSource) -> None:
    cached.put("blog.example", NO_AI)
    lookup = cached.lookup(ttl=10)
    await answer(lookup, "blog.example")
    cached.clock.advance(9.9)
    assert lookup.peek(b"blog.example") is not None
    cached.clock.advance(0.2)
    assert lookup.peek(b"blog.example") is None
    await answer(lookup, "blog.example")
    assert cached.flags.calls == 2


async def test_an_unknown_host_lasts_for_unknown_ttl(cached: CachedSource) -> None:
    lookup = cached.lookup(unknown_ttl=5)
    for _ in range(3):
        await answer(lookup, "nobody.example")
    assert cached.flags.calls == 1
    cached.clock.advance(5.1)
    await answer(lookup, "nobody.example")
    assert cached.flags.calls == 2


async def test_a_site_that_is_gone_is_an_unknown_host(cached: CachedSource) -> None:
    cached.put("blog.example", UNSET)
    lookup = cached.lookup()
    await answer(lookup, "blog.example")
    del cached.flags.policies["blog.example"]
    cached.pass_freshness()
    assert await answer(lookup, "blog.example") is lookup.default
    assert lookup.peek(b"blog.example") is None


async def test_the_least_recently_used_site_goes_first(cached: CachedSource) -> None:
    for host in ("a.example", "b.example", "c.example"):
        cached.put(host, NO_AI)
    lookup = cached.lookup(maxsize=2)
    for host in ("a.example", "b.example", "a.example", "c.example"):
        await answer(lookup, host)
    assert [lookup.peek(host) is not None for host in (b"a.example", b"b.example", b"c.example")] == [
        True,
        False,
        True,
    ]


@pytest.mark.parametrize("is_async", [True, False])
def test_a_lookup_outlives_the_event_loop_that_a_load_died_with(is_async: bool) -> None:
    release = threading.Event()
    hanging = True

    async def load(host: str) -> bool:
        if hanging:
            await asyncio.sleep(60)
        return False

    def load_now(host: str) -> bool:
        if hanging:
            release.wait(60)
        return False

    lookup = CachedLookup(load if is_async else load_now)

    async def hung_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(lookup.find(b"blog.example"), 0.01)

    async def found() -> SitePolicy:
        return (await asyncio.wait_for(lookup.find(b"blog.example"), 5)).policy

    asyncio.run(hung_up())
    hanging = False
    for _ in range(3):
        assert asyncio.run(found()) == UNSET
    release.set()


@pytest.mark.parametrize("invalidated", [False, True])
def test_a_load_of_an_event_loop_that_was_closed_hard_is_never_awaited(invalidated: bool) -> None:
    gate: asyncio.Future[bool]

    async def load(host: str) -> bool:
        return await gate

    lookup = CachedLookup(load)
    dead = asyncio.new_event_loop()
    gate = dead.create_future()
    waiting = dead.create_task(lookup.find(b"blog.example"))
    dead.run_until_complete(asyncio.sleep(0.01))
    left = asyncio.all_tasks(dead)
    dead.close()

    async def found() -> SitePolicy:
        nonlocal gate
        gate = asyncio.get_running_loop().create_future()
        gate.set_result(False)
        if invalidated:
            lookup.invalidate("blog.example")
        return (await lookup.find(b"blog.example")).policy

    assert asyncio.run(found()) == UNSET
    assert not waiting.done()
    for task in left:  # what Python says about a loop that is closed so is not the lookup's affair
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    gc.collect()


async def test_sync_loads_run_beside_each_other_up_to_a_bound() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def load(host: str) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return True

    lookup = CachedLookup(load, max_threads=4, max_unknown=4)
    found = await asyncio.gather(*(policy(lookup, f"blog{number}.example") for number in range(40)))
    assert set(found) == {OPTED_OUT}
    assert most == 4


async def test_a_sync_load_doesnt_hold_up_the_event_loop() -> None:
    release = threading.Event()
    lookup = CachedLookup(lambda host: release.wait(5))
    waiting = asyncio.create_task(policy(lookup, "blog.example"))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    release.set()
    assert await waiting == OPTED_OUT


@pytest.mark.parametrize(
    ("options", "error", "culprit"),
    [
        ({"load": "no function"}, TypeError, "load is 'no function'; use a function"),
        ({"load": None}, TypeError, "load is None"),
        ({"ttl": 0}, ValueError, "ttl is 0; use more than 0 seconds"),
        ({"ttl": "60"}, TypeError, "ttl is '60'; use a number of seconds"),
        ({"ttl": float("nan")}, ValueError, "ttl is nan"),
        ({"ttl": True}, TypeError, "ttl is True"),
        ({"timeout": -1}, ValueError, "timeout is -1"),
        ({"unknown_ttl": -1}, ValueError, "unknown_ttl is -1; use 0 seconds or more"),
        ({"max_stale": -1}, ValueError, "max_stale is -1"),
        ({"maxsize": 0}, ValueError, "maxsize is 0; use 1 or more"),
        ({"maxsize": 1.5}, TypeError, "maxsize is 1.5; use a whole number"),
        ({"max_threads": 0}, ValueError, "max_threads is 0"),
        ({"default": "no-trainign"}, ValueError, "preset 'no-trainign' is unknown; choose one of"),
        ({"default": True}, TypeError, "default is True; use the name of a preset"),
    ],
)
def test_an_invalid_argument_is_named_with_the_fix(
    options: dict[str, Any], error: type[Exception], culprit: str
) -> None:
    with pytest.raises(error) as raised:
        CachedLookup(**{"load": in_thread} | options)
    assert culprit in str(raised.value)


async def test_an_answer_is_kept_however_slow_its_load_was(clock: Clock) -> None:
    async def load(host: str) -> bool:
        clock.advance(100)
        return True

    lookup = CachedLookup(load, ttl=10, clock=clock)
    await lookup.find(b"blog.example")
    assert lookup.peek(b"blog.example") is not None


@pytest.mark.parametrize("kind", ["async", "sync", "returns a coroutine"])
async def test_a_load_sees_nothing_of_the_request_that_came_first(kind: str) -> None:
    language = ContextVar("language", default="none")
    seen = []

    async def load(host: str) -> bool:
        seen.append(language.get())
        return True

    def load_in_thread(host: str) -> bool:
        seen.append(language.get())
        return True

    loads: dict[str, Any] = {"async": load, "sync": load_in_thread, "returns a coroutine": lambda h: load(h)}
    lookup = CachedLookup(loads[kind])
    language.set("de")
    assert await policy(lookup, "blog.example") == OPTED_OUT
    assert seen == ["none"]
