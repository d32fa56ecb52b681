"""Tasks that outlive the request that starts them, under asyncio and trio.

A task that a request starts would inherit the context variables of that request: a tenant, a user, a trace.
What many clients share must depend on none of them, so these tasks run in the context in which the middleware
was made.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any, Generic, TypeVar

import anyio

T = TypeVar("T")


class Background(Generic[T]):
    """Tasks of the running event loop, and the state that they share there.

    State and tasks of another loop are dropped, not waited for: that loop has ended, or is a forked process's
    parent's.
    """

    def __init__(self, make_state: Callable[[], T]) -> None:
        self._make_state = make_state
        self._context = copy_context()
        self._loop: object = None
        self._tasks: set[asyncio.Task[None]] = set()  # asyncio itself holds weak references only

    def state(self) -> T:
        """The state of the running event loop, made at its first use."""
        loop = _running_loop()
        if loop is not self._loop:
            self._state, self._tasks, self._loop = self._make_state(), set(), loop
        return self._state

    def start(self, function: Callable[..., Awaitable[None]], *args: object) -> None:
        """Run ``function(*args)`` in a task. It must not raise; it is cancelled when the event loop ends."""
        self.state()
        trio = _trio()
        # Each task has a copy: it may set context variables of its own.
        context = self._context.copy()
        if trio is not None:
            trio.lowlevel.spawn_system_task(function, *args, context=context)
            return
        coroutine: Any = function(*args)
        task = asyncio.get_running_loop().create_task(coroutine, context=context)
        tasks = self._tasks
        tasks.add(task)
        task.add_done_callback(tasks.discard)


class Calls:
    """Tasks that belong to one piece of work. They may outlive it, each for at most ``seconds`` in all."""

    def __init__(self, background: Background[Any], seconds: float) -> None:
        self._background, self._seconds = background, seconds
        self._scopes: list[anyio.CancelScope] = []

    def start(self, function: Callable[..., Awaitable[None]], *args: object) -> None:
        """Run ``function(*args)`` in a task. It must not raise."""
        scope = anyio.CancelScope(deadline=anyio.current_time() + self._seconds)
        self._scopes.append(scope)
        self._background.start(_within, scope, function, *args)

    def cancel(self) -> None:
        """Cancel all of them."""
        for scope in self._scopes:
            scope.cancel()


async def _within(scope: anyio.CancelScope, function: Callable[..., Awaitable[None]], *args: object) -> None:
    with scope:
        await function(*args)


def _running_loop() -> object:
    trio = _trio()
    return asyncio.get_running_loop() if trio is None else trio.lowlevel.current_trio_token()


def _trio() -> Any:
    """The module trio where one of its event loops runs, else None."""
    trio: Any = sys.modules.get("trio")
    return trio if trio is not None and trio.lowlevel.in_trio_run() else None
