"""``on_event`` gets every event that it can keep up with, and no response waits for it."""

import asyncio
import contextvars
import functools
import logging
import threading

import pytest
import trio

from aipolicy.asgi import AIPolicyMiddleware, DisallowedFetch
from aipolicy.asgi.events import Hook
from aipolicy.core.policy import SitePolicy
from aipolicy.lookup import LookupStatus
from aipolicy.rendering import Rendering, render
from tests.asgi.apps import answering, lookup
from tests.asgi_client import Response, request


async def fetch(app: AIPolicyMiddleware) -> Response:
    return await request(app, user_agent="GPTBot/1.1")


def reporting(hook: Hook) -> AIPolicyMiddleware:
    return AIPolicyMiddleware(answering(), lookup(), enforce="monitor", on_event=hook)


def until(condition: threading.Event) -> None:
    assert condition.wait(60)


async def test_a_sync_hook_runs_in_a_thread_of_its_own() -> None:
    heard, threads = threading.Event(), []

    def hook(event: DisallowedFetch) -> None:
        threads.append(threading.current_thread())
        heard.set()

    await fetch(reporting(hook))
    await asyncio.to_thread(until, heard)
    assert threads != [threading.main_thread()]


async def test_a_hook_that_is_async_in_disguise_is_awaited() -> None:
    heard: list[object] = []

    class Hooked:
        async def __call__(self, event: DisallowedFetch) -> None:
            heard.append(self)

    async def two(first: str, event: DisallowedFetch) -> None:
        heard.append(first)

    for hook in (Hooked(), functools.partial(two, "first")):
        await fetch(reporting(hook))
        await asyncio.sleep(0)
    assert len(heard) == 2


async def test_no_response_waits_for_a_slow_hook() -> None:
    release, ended = threading.Event(), []
    app = reporting(lambda event: ended.append(release.wait(60)))
    responses = [await fetch(app) for _ in range(20)]
    assert not ended
    release.set()
    assert {response.status for response in responses} == {200}


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_hook_that_raises_breaks_nothing_and_is_logged(
    is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()

    def broken(event: DisallowedFetch) -> None:
        done.set()
        raise RuntimeError("broken hook")

    async def broken_too(event: DisallowedFetch) -> None:
        broken(event)

    assert (await fetch(reporting(broken_too if is_async else broken))).status == 200
    await asyncio.to_thread(until, done)
    for _ in range(100):
        if "on_event failed" in caplog.text:
            break
        await asyncio.sleep(0.01)
    assert "broken hook" in caplog.text


async def test_events_beyond_a_thousand_waiting_are_dropped_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    release = asyncio.Event()
    heard = 0

    async def hook(event: DisallowedFetch) -> None:
        nonlocal heard
        await release.wait()
        heard += 1

    app = reporting(hook)
    with caplog.at_level(logging.WARNING):
        for _ in range(1100):
            await fetch(app)
    release.set()
    await asyncio.sleep(0.05)
    assert heard == 1000
    assert caplog.text.count("on_event is too slow") == 1


async def test_an_async_hook_runs_in_the_context_of_the_request() -> None:
    request_id = contextvars.ContextVar("request_id", default="")
    heard: list[str] = []

    async def hook(event: DisallowedFetch) -> None:
        heard.append(request_id.get())

    app = reporting(hook)
    request_id.set("17")
    await fetch(app)
    await asyncio.sleep(0)
    assert heard == ["17"]


async def test_a_hook_that_raises_systemexit_ends_no_server(caplog: pytest.LogCaptureFixture) -> None:
    async def hook(event: DisallowedFetch) -> None:
        raise SystemExit(3)

    app = reporting(hook)
    assert (await fetch(app)).status == 200
    await asyncio.sleep(0)
    assert "on_event failed" in caplog.text
    assert (await fetch(app)).status == 200


def test_under_trio_an_async_hook_is_called() -> None:
    heard = trio.Event()

    async def hook(event: DisallowedFetch) -> None:
        await trio.sleep(0)
        heard.set()

    class OptedOut:
        default = strict_default = render(SitePolicy.from_preset("unset"))
        policy = render(SitePolicy.from_preset("no-training"))

        def peek(self, host: bytes) -> Rendering:
            return self.policy

        async def find(self, host: bytes) -> Rendering:
            return self.policy

        def invalidate(self, host: str) -> None: ...

        def status(self) -> LookupStatus:
            return LookupStatus(sites=1, maxsize=1)

    async def run() -> None:
        app = AIPolicyMiddleware(answering(), OptedOut(), enforce="monitor", on_event=hook)
        await fetch(app)
        with trio.fail_after(60):
            await heard.wait()

    trio.run(run)
