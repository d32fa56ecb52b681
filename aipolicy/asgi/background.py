"""Tasks that outlive the request that starts them, under asyncio and trio.

A task that a request starts would inherit the context variables of that request: a tenant, a user, a trace.
What many clients share must depend on none of them, so these tasks run in the context in which the middleware
was made.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

import anyio

T = TypeVar("T")


class Background(Generic[T]):
    """Tasks of the running event loop, and the state that they share there.

    Each event loop has its own: those of one that has ended, or of a parent process before a fork, are never
    waited for.
    """

    def __init__(self, make_state: Callable[[], T]) -> None:
        self._make_state = make_state
        self._context = copy_context()
        self._of_loops: WeakKeyDictionary[Any, tuple[T, set[asyncio.Task[None]]]] = WeakKeyDictionary()

    def state(self) -> T:
        """The state of the running event loop, made at its first use."""
        return self._of_loop()[0]

    def start(
        self, function: Callable[..., Awaitable[None]], *args: object, context: Context | None = None
    ) -> None:
        """Run ``function(*args)`` in a task. It must not raise; it is cancelled when the event loop ends.

        Args:
            function: What to run.
            args: Its arguments.
            context: Context variables, where they may be a client's.
        """
        trio = _trio()
        # Each task has a copy: it may set context variables of its own.
        context = (self._context if context is None else context).copy()
        if trio is not None:
            trio.lowlevel.spawn_system_task(function, *args, context=context)
            return
        tasks = self._of_loop()[1]  # asyncio itself holds weak references only
        coroutine: Any = function(*args)
        task = asyncio.get_running_loop().create_task(coroutine, context=context)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def _of_loop(self) -> tuple[T, set[asyncio.Task[None]]]:
        trio = _trio()
        loop = asyncio.get_running_loop() if trio is None else trio.lowlevel.current_trio_token()
        found = self._of_loops.get(loop)
        if found is None:
            found = self._of_loops[loop] = (self._make_state(), set())
        return found


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


def _trio() -> Any:
    """The module trio where one of its event loops runs, else None."""
    trio: Any = sys.modules.get("trio")
    return trio if trio is not None and trio.lowlevel.in_trio_run() else None
