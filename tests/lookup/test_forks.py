"""A lookup that was used before a fork works in the child and in the parent."""

import asyncio
import multiprocessing
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from aipolicy.asgi import AIPolicyMiddleware, DisallowedFetch
from aipolicy.lookup import CachedLookup, LocalLookup, Lookup
from aipolicy.registry import Registry
from tests.asgi.apps import answering
from tests.asgi_client import request
from tests.forking import in_child, join_child, start_child
from tests.lookup.harness import NO_AI, OPTED_OUT, UNSET, LocalSource, policy


def found(lookup: Lookup, host: str, backend: str = "asyncio") -> Any:
    async def find() -> Any:
        return await policy(lookup, host)

    return anyio.run(find, backend=backend)


def check(lookup: Lookup, host: str, expected: object, backend: str = "asyncio") -> Callable[[], None]:
    def function() -> None:
        assert found(lookup, host, backend) == expected

    return function


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("is_async", [True, False])
def test_a_child_process_loads_a_flag(backend: str, is_async: bool) -> None:
    async def load(host: str) -> bool:
        return True

    lookup = CachedLookup(load if is_async else lambda host: True, default="unset", max_threads=1, timeout=20)
    found(lookup, "health.example", backend)
    for host in ("new.example", "health.example"):
        in_child(check(lookup, host, OPTED_OUT, backend))
    in_child(lambda: in_child(check(lookup, "newer.example", OPTED_OUT, backend)))
    assert found(lookup, "here.example", backend) == OPTED_OUT


def test_a_hanging_thread_of_the_parent_takes_no_slot_in_the_child() -> None:
    release = threading.Event()

    def load(host: str) -> bool:
        return host != "hangs.example" or release.wait(30)

    lookup = CachedLookup(load, default="unset", max_threads=1, timeout=0.05)
    assert found(lookup, "hangs.example") == OPTED_OUT
    in_child(check(lookup, "new.example", OPTED_OUT))
    release.set()


def test_a_process_of_multiprocessing_has_it_too() -> None:
    lookup = CachedLookup(lambda host: True, default="unset", max_threads=1, timeout=20)
    found(lookup, "health.example")
    process = multiprocessing.get_context("fork").Process(target=check(lookup, "new.example", OPTED_OUT))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    process.join(30)
    assert process.exitcode == 0


def test_a_child_opens_the_registry_for_itself_at_once(local: LocalSource) -> None:
    local.put("old.example", UNSET)
    local.put("new.example", NO_AI)
    lookup = local.lookup()
    assert found(lookup, "old.example") == UNSET
    inherited = lookup._file

    def child() -> None:
        assert lookup._file is None, "the parent's connection is closed before anything is asked"
        assert lookup.peek(b"old.example") is None, "and the file looked at before anything is answered"
        assert found(lookup, "old.example") == UNSET
        assert found(lookup, "new.example") == NO_AI
        assert lookup._file is not inherited
        local.put("old.example", NO_AI)
        local.clock.advance(0.2)
        assert found(lookup, "old.example") == NO_AI
        lookup.close()

    in_child(child)
    assert lookup._file is inherited
    local.clock.advance(0.2)
    assert found(lookup, "old.example") == NO_AI
    assert found(lookup, "new.example") == NO_AI


def test_a_child_process_keeps_the_parents_cache(local: LocalSource) -> None:
    local.put("blog.example", NO_AI)
    lookup = local.lookup()
    found(lookup, "blog.example")
    misses = lookup.status().misses

    def child() -> None:
        assert found(lookup, "blog.example") == NO_AI
        assert lookup.status().misses == misses

    in_child(child)


@contextmanager
def busy(work: Callable[[], object]) -> Iterator[None]:
    """Threads that call ``work`` all the time."""
    stop, errors = threading.Event(), []

    def repeat() -> None:
        while not stop.is_set():
            try:
                work()
            except BaseException as error:
                errors.append(error)

    threads = [threading.Thread(target=repeat) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not errors


@pytest.mark.parametrize("kind", ["cached", "local"])
def test_a_fork_while_other_threads_read_does_not_hang_the_child(kind: str, local: LocalSource) -> None:
    hosts = [f"blog{number}.example" for number in range(50)]
    with Registry(local.url) as registry:
        registry.put_many((NO_AI.for_site(host) for host in hosts), by="test")
    lookup: CachedLookup | LocalLookup = local.lookup(maxsize=10)
    if kind == "cached":
        lookup = CachedLookup(lambda host: NO_AI, maxsize=10, default="unset", max_unknown=1000, timeout=20)

    async def find_all() -> None:
        for host in hosts:
            assert await policy(lookup, host) == NO_AI

    with busy(lambda: asyncio.run(find_all())):
        for _ in range(10):
            in_child(lambda: asyncio.run(find_all()))


def test_a_fork_while_a_hook_has_events_to_report(tmp_path: Path) -> None:
    output = tmp_path / "output"
    release = threading.Event()

    def hook(event: DisallowedFetch) -> None:
        if os.getpid() == parent:
            release.wait(30)
        with output.open("a") as file:
            file.write(f"{os.getpid()}\n")

    async def fetch() -> None:
        assert (await request(app, user_agent="GPTBot/1.1")).status == 200

    async def fetch_and_wait() -> None:
        await fetch()
        with anyio.fail_after(20):
            while not output.exists():
                await anyio.sleep(0.001)

    parent = os.getpid()
    app = AIPolicyMiddleware(answering(), CachedLookup(lambda host: True), enforce="monitor", on_event=hook)
    for _ in range(3):
        asyncio.run(fetch())
    child = start_child(lambda: asyncio.run(fetch_and_wait()))
    join_child(child)
    assert output.read_text() == f"{child}\n", "what waited for the parent's thread is the parent's"
    release.set()
