"""Callables of the application that raise SystemExit and the like end neither a server nor a response."""

import asyncio
import threading

import pytest
from starlette.types import Scope

from aipolicy.asgi import AIPolicyMiddleware, DisallowedFetch, PathTenants
from aipolicy.asgi.path_tenants import Listed
from tests.asgi.apps import Recording, lookup
from tests.asgi.test_events import fetch, reporting, until
from tests.asgi.test_tenants import mounted, site_of
from tests.asgi_client import request
from tests.readers import READERS


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit])
async def test_a_sync_hook_that_ends_the_process_ends_nothing(error: type[BaseException]) -> None:
    heard: list[DisallowedFetch] = []
    twice = threading.Event()

    def hook(event: DisallowedFetch) -> None:
        heard.append(event)
        if len(heard) == 2:
            twice.set()
        raise error

    app = reporting(hook)
    for _ in range(2):
        assert (await fetch(app)).status == 200
    await asyncio.to_thread(until, twice)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_an_async_hook_that_ends_the_process_ends_nothing(error: type[BaseException]) -> None:
    async def hook(event: DisallowedFetch) -> None:
        heard.append(event)
        raise error

    async def serve() -> None:
        for _ in range(2):
            assert (await fetch(app)).status == 200
            await asyncio.sleep(0)

    heard: list[DisallowedFetch] = []
    app = reporting(hook)
    asyncio.run(serve())
    assert len(heard) == 2


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
@pytest.mark.parametrize("is_async", [True, False])
def test_a_list_that_ends_the_process_ends_nothing(error: type[BaseException], is_async: bool) -> None:
    def listed(host: str) -> Listed:
        raise error

    async def listed_too(host: str) -> Listed:
        raise error

    app = mounted(PathTenants(site_of, listed_too if is_async else listed))
    robots = asyncio.run(request(app, "/robots.txt")).body
    assert not READERS[0].allowed(robots, "GPTBot", "/@bob/1")


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, IndexError])
async def test_a_site_of_that_ends_the_process_costs_the_visitor_nothing(error: type[BaseException]) -> None:
    def broken(scope: Scope) -> str:
        raise error

    recording = Recording()
    app = AIPolicyMiddleware(recording, lookup(blog=False), tenants=PathTenants(broken, listing="headers"))
    for path in ("/x", "//x"):
        response = await request(app, path)
        assert (response.status, response.one("content-usage")) == (200, "train-ai=n")
