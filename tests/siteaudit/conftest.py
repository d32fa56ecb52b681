"""A live site for tests of the command."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from threading import Thread
from typing import Any

import pytest

from tests.siteaudit.commands import PAGE, SENT, TDMREP, TEXT
from tests.siteaudit.servers import NO_TRAINING
from tests.web.server import Server, answer, serving


@pytest.fixture
def server() -> Iterator[Server]:
    """A site that says no to training in every way; its loop runs in a thread of its own."""
    ready: Future[tuple[Server, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        async with serving() as running:
            done = asyncio.Event()
            ready.set_result((running, asyncio.get_running_loop(), done))
            await done.wait()

    thread = Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    running, loop, done = ready.result(timeout=10)
    # Any query is answered alike, as most servers do.
    running.answers = _Answers(
        {
            "/robots.txt": answer(NO_TRAINING.robots.body, TEXT),
            "/": answer(PAGE, "Content-Type: text/html", *SENT),
            "/.well-known/tdmrep.json": answer(TDMREP, "Content-Type: application/json"),
        }
    )
    yield running
    loop.call_soon_threadsafe(done.set)
    thread.join(timeout=10)


class _Answers(dict[str, bytes]):
    def get(self, target: str, default: Any = None) -> Any:
        return super().get(target.partition("?")[0], default)
