"""Loads under way: one a host, however many requests wait for it."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from aipolicy.core.render import Rendering
from aipolicy.lookup.threads import Threads, is_async


class Flight:
    """One load under way. ``thrown_away``: whatever it finds is not wanted any more."""

    __slots__ = ("_call", "_loop", "_rendered", "_timeout", "landing", "thrown_away")

    landing: asyncio.Task[Rendering | None]

    def __init__(self, call: asyncio.Task[Any], timeout: float) -> None:
        self._call = call
        call.add_done_callback(_noted)
        self._loop = call.get_loop()
        self._timeout = timeout
        self._rendered: Rendering | Exception | None = None
        self.thrown_away = False

    async def over(self) -> None:
        """Wait until the call is over, or out of time."""
        # Waited for, not awaited: a call that ignores its cancellation must not hold anybody up.
        await asyncio.wait({self._call}, timeout=self._timeout)
        self._call.cancel()

    async def render(self, render: Callable[[Any], Awaitable[Rendering | None]]) -> None:
        """Render what the call returned, which takes as long as it takes: the time-out is the call's."""
        try:
            self._rendered = await render(self._result())
        except Exception as error:
            self._rendered = error

    def result(self) -> Rendering | None:
        """The rendering of what the call returned. Raises an Exception, whatever else happened."""
        if isinstance(self._rendered, Exception):
            raise self._rendered
        return self._rendered

    def _result(self) -> Any:
        """What the call returned. Raises an Exception, whatever else happened."""
        if not self._call.done():
            raise TimeoutError(f"it took longer than {self._timeout:g} s")
        if self._call.cancelled():
            raise RuntimeError("it was cancelled from within")
        error = self.error
        if error is None or isinstance(error, Exception):
            return self._call.result()
        raise RuntimeError(f"it raised {error!r}") from error

    @property
    def error(self) -> BaseException | None:
        """What the call itself raised."""
        return self._call.exception() if self._call.done() and not self._call.cancelled() else None

    def throw_away(self) -> None:
        """From any thread."""
        self.thrown_away = True
        with suppress(RuntimeError):  # the event loop has ended, and the call with it
            self._loop.call_soon_threadsafe(self._call.cancel)


class Flights:
    """Calls ``load`` once for all who wait, for at most ``timeout`` seconds, and has the answer rendered.

    ``land(key, flight)`` keeps the result, and returns its rendering, or None where it was thrown away.
    """

    def __init__(
        self,
        load: Callable[[str], Any],
        land: Callable[[bytes, Flight], Rendering | None],
        render: Callable[[Any], Awaitable[Rendering | None]],
        *,
        timeout: float,
        max_threads: int,
    ) -> None:
        self._load, self._land, self._render = load, land, render
        self._timeout = timeout
        self._threads = None if is_async(load) else Threads(max_threads, timeout)
        self._under_way: dict[bytes, Flight] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def wait(self, key: bytes) -> Rendering | None:
        """What the load of that host leads to, or None where it was thrown away meanwhile."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # those of an event loop that ended would never land
            self._loop, self._under_way = loop, {}
        flight = self._under_way.get(key)
        if flight is None:
            call = loop.create_task(self._called(key.decode("ascii")))
            flight = self._under_way[key] = Flight(call, self._timeout)
            flight.landing = loop.create_task(self._landed(key, flight))
        # Shielded: a client that hangs up must fail nobody but itself.
        return await asyncio.shield(flight.landing)

    def throw_away(self, key: bytes) -> None:
        """A request that comes from now on starts a new load. From any thread."""
        flight = self._under_way.pop(key, None)
        if flight is not None:
            flight.throw_away()

    def throw_all_away(self) -> None:
        for key in list(self._under_way):
            self.throw_away(key)

    async def _called(self, host: str) -> Any:
        threads = self._threads
        answer = self._load(host) if threads is None else await threads.run(self._load, host)
        if inspect.isawaitable(answer):
            self._threads = None  # a plain function that returns coroutines needs no thread
            answer = await answer
        return answer

    async def _landed(self, key: bytes, flight: Flight) -> Rendering | None:
        try:
            await flight.over()
            await flight.render(self._render)
            return self._land(key, flight)
        finally:
            if self._under_way.get(key) is flight:
                self._under_way.pop(key, None)


def _noted(call: asyncio.Task[Any]) -> None:
    """Take note of how a call ended, for asyncio would report it as lost where it was given up before."""
    if not call.cancelled():
        call.exception()
