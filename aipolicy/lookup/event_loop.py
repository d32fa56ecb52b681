"""The running event loop, of asyncio or trio, with tasks that outlive the request that started them.

anyio has no such tasks, because each of its tasks belongs to a task group.
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
    """A running event loop. Two objects for the same loop are equal."""

    def start(self, function: AsyncFunction, lost: Callable[[], object]) -> Callable[[], None]:
        """Run a function in a new task.

        Args:
            function: Must raise nothing but an interrupt (``is_interrupt``), because nobody awaits the task.
            lost: Called if the task was cancelled before ``function`` began.

        Returns:
            A function that cancels the task, to be called in the loop's thread. Keep it until the task ends:
            the loop itself holds only a weak reference to its tasks.
        """

    def later(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after a time; return a function that cancels the call."""

    def soon(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` in the loop's thread. May be called in any thread.

        Raises:
            RuntimeError: The loop has ended.
        """

    def is_over(self) -> bool:
        """Return True if the loop has certainly ended."""

    def is_ending(self) -> bool:
        """Return True if the loop is cancelling the current task, as it does when the server stops."""


def running_loop() -> Loop:
    """Return the loop that runs in this thread.

    Raises:
        RuntimeError: Neither asyncio nor trio runs here.
    """
    trio = sys.modules.get("trio")  # if it runs, it was imported
    if trio is not None and trio.lowlevel.in_trio_task():
        return _Trio(trio)
    try:
        return _Asyncio(asyncio.get_running_loop())
    except RuntimeError:
        raise RuntimeError(
            "no event loop of asyncio or trio runs in this thread; call this within one"
        ) from None


def is_interrupt(error: BaseException) -> bool:
    """Return True if a signal handler raised the error, as Ctrl-C does, and not the function that ran.

    Servers install handlers that raise nothing.
    """
    if not isinstance(error, KeyboardInterrupt):
        return False
    if threading.current_thread() is not threading.main_thread():  # handlers run in the main thread
        return False
    handler: object = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:  # written in C, so it leaves no frame in the traceback
        return True
    while isinstance(handler, partial):
        handler = handler.func
    function = getattr(handler, "__func__", handler)
    code, trace = None, error.__traceback__
    while trace is not None:
        code, trace = trace.tb_frame.f_code, trace.tb_next
    return code is not None and code is getattr(function, "__code__", None)


class _Asyncio:
    """An event loop of asyncio or compatible with it, like uvloop."""

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
    """An event loop of trio. Ctrl-C doesn't reach its tasks: trio raises it in the main task."""

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
            with scope:  # even if it is cancelled by now, the function runs up to its first checkpoint
                await function()

        self._trio.lowlevel.spawn_system_task(run, context=copy_context())
        return scope.cancel  # type: ignore[no-any-return]

    def later(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        async def wait() -> None:
            await self._trio.sleep(seconds)
            callback()

        return self.start(wait, _nothing)

    def soon(self, callback: Callable[[], None]) -> None:
        self._token.run_sync_soon(callback)  # RunFinishedError is a RuntimeError

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
