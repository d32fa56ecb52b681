"""The running event loop, asyncio's or trio's, as a lookup and its hooks need it.

A load outlives the request that began it, so it can't be in that request's task: here it is a task of the
loop's own. anyio has no such tasks, for they are in nobody's task group. To wait for one, anyio is enough.
"""

import asyncio
import math
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from typing import Any, Protocol

AsyncFunction = Callable[[], Awaitable[object]]


class Loop(Protocol):
    """One event loop that runs. Two are equal where they are the same loop."""

    def start(self, function: AsyncFunction, lost: Callable[[], object]) -> Callable[[], None]:
        """Run ``function`` in a task of its own, and return what cancels it, from the loop's own thread.

        ``lost`` is called where it was cancelled before it began, and nothing of ``function`` ran.

        Keep that until the end: the loop itself may forget its tasks. ``function`` must raise nothing but an
        interrupt (``is_interrupt``): there is nobody to catch it.
        """

    def later(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after that time, and return what prevents it."""

    def soon(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` in the loop's thread, from any thread. Raises RuntimeError where it has ended."""

    def is_over(self) -> bool:
        """Return True if it has ended for certain."""

    def is_ending(self) -> bool:
        """Return True if the loop itself cancels the task that runs now, as when the server ends."""


def running_loop() -> Loop:
    """Return the loop that runs in this thread. Raises RuntimeError outside of asyncio and trio."""
    trio = sys.modules.get("trio")  # whoever runs it has imported it
    if trio is not None and trio.lowlevel.in_trio_task():
        return _Trio(trio)
    try:
        return _Asyncio(asyncio.get_running_loop())
    except RuntimeError:
        raise RuntimeError("no event loop of asyncio or trio runs here: ask within one") from None


def is_interrupt(error: BaseException) -> bool:
    """Return True if ``error`` is no failure of the function that raised it: somebody pressed Ctrl-C.

    Then a signal handler raised it. Servers have handlers of their own, which raise nothing.
    """
    if not isinstance(error, KeyboardInterrupt):
        return False
    if threading.current_thread() is not threading.main_thread():  # no handler runs there
        return False
    handler: object = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:  # it isn't written in Python, and leaves no trace
        return True
    while isinstance(handler, partial):
        handler = handler.func
    function = getattr(handler, "__func__", handler)
    code, trace = None, error.__traceback__
    while trace is not None:
        code, trace = trace.tb_frame.f_code, trace.tb_next
    return code is not None and code is getattr(function, "__code__", None)


class _Asyncio:
    """asyncio's event loop, or one like it (uvloop)."""

    __slots__ = ("_loop",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asyncio) and self._loop is other._loop

    def __hash__(self) -> int:
        return hash(self._loop)

    def start(self, function: AsyncFunction, lost: Callable[[], object]) -> Callable[[], None]:
        began = False

        async def run() -> None:
            nonlocal began
            began = True
            await function()

        task = self._loop.create_task(run())
        task.add_done_callback(lambda _: None if began else lost())

        def cancel() -> None:
            if not self._loop.is_closed():
                task.cancel()

        return cancel

    def later(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        return self._loop.call_later(seconds, callback).cancel

    def soon(self, callback: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(callback)

    def is_over(self) -> bool:
        return self._loop.is_closed()

    def is_ending(self) -> bool:
        task = asyncio.current_task(self._loop)
        return task is not None and task.cancelling() > 0


class _Trio:
    """trio's event loop. What runs here is protected from Ctrl-C, which trio raises in the main task."""

    __slots__ = ("_token", "_trio")

    def __init__(self, trio: Any) -> None:
        self._trio = trio
        self._token = trio.lowlevel.current_trio_token()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Trio) and self._token is other._token

    def __hash__(self) -> int:
        return hash(self._token)

    def start(self, function: AsyncFunction, lost: Callable[[], object]) -> Callable[[], None]:
        scope = self._trio.CancelScope()

        async def run() -> None:
            with scope:  # also where it is cancelled by now, all runs up to the first checkpoint
                await function()

        self._trio.lowlevel.spawn_system_task(run, context=copy_context())
        return scope.cancel  # type: ignore[no-any-return]

    def later(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        async def wait() -> None:
            await self._trio.sleep(seconds)
            callback()

        return self.start(wait, _nothing)

    def soon(self, callback: Callable[[], None]) -> None:
        self._token.run_sync_soon(callback)  # its RunFinishedError is a RuntimeError

    def is_over(self) -> bool:
        try:
            self._token.run_sync_soon(_nothing)
        except RuntimeError:
            return True
        return False

    def is_ending(self) -> bool:
        return bool(self._trio.current_effective_deadline() == -math.inf)


def _nothing() -> None:
    pass
