"""Background tasks that outlive the request that starts them, and don't depend on it.

A task would inherit that request's context variables: a tenant, a user, a trace. Data that many clients share
must not depend on them, so these tasks run in the context in which the middleware was made.
"""

from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from typing import Any, Generic, TypeVar

import anyio

from aipolicy.lookup.event_loop import Loop, running_loop

T = TypeVar("T")


class Background(Generic[T]):
    """Tasks of the running event loop, with state that they share.

    Each event loop has its own tasks and state: those of a loop that has ended, or of the parent process
    before a fork, are never waited for.
    """

    def __init__(self, make_state: Callable[[], T]) -> None:
        self._make_state = make_state
        self._context = copy_context()
        self._loops: dict[Loop, tuple[T, dict[object, object]]] = {}

    def state(self) -> T:
        """Return the state of the running event loop, made at its first use."""
        return self._of_loop(running_loop())[0]

    def start(self, function: Callable[..., Awaitable[None]], *args: object) -> None:
        """Run ``function(*args)`` in a task. It must not raise; it is cancelled when the event loop ends."""
        loop, key = running_loop(), object()
        tasks = self._of_loop(loop)[1]  # kept here because an event loop may drop its tasks

        async def run() -> None:
            try:
                await function(*args)
            finally:
                tasks.pop(key, None)

        tasks[key] = None
        # In a copy, because the task may set context variables.
        cancel = self._context.copy().run(loop.start, run, partial(tasks.pop, key, None))
        if key in tasks:  # it is still running
            tasks[key] = cancel

    def _of_loop(self, loop: Loop) -> tuple[T, dict[object, object]]:
        found = self._loops.get(loop)
        if found is None:
            for other in [other for other in self._loops if other.is_over()]:
                del self._loops[other]
            found = self._loops[loop] = (self._make_state(), {})
        return found


class Calls:
    """Tasks of one piece of work, which they may outlive; each has a time limit."""

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
