"""Tasks that outlive the request that starts them, and depend on none.

A task that a request starts would inherit the context variables of that request: a tenant, a user, a trace.
What many clients share must depend on none of them, so these tasks run in the context in which the middleware
was made.
"""

from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from typing import Any, Generic, TypeVar

import anyio

from aipolicy.lookup.event_loop import Loop, running_loop

T = TypeVar("T")


class Background(Generic[T]):
    """Tasks of the running event loop, and the state that they share there.

    Each event loop has its own: those of one that has ended, or of a parent process before a fork, are never
    waited for.
    """

    def __init__(self, make_state: Callable[[], T]) -> None:
        self._make_state = make_state
        self._context = copy_context()
        self._of_loops: dict[Loop, tuple[T, dict[object, object]]] = {}

    def state(self) -> T:
        """The state of the running event loop, made at its first use."""
        return self._of_loop(running_loop())[0]

    def start(self, function: Callable[..., Awaitable[None]], *args: object) -> None:
        """Run ``function(*args)`` in a task. It must not raise; it is cancelled when the event loop ends."""
        loop, key = running_loop(), object()
        held = self._of_loop(loop)[1]  # an event loop may forget its tasks

        async def run() -> None:
            try:
                await function(*args)
            finally:
                held.pop(key, None)

        held[key] = None
        # A copy: the task may set context variables of its own.
        cancel = self._context.copy().run(loop.start, run, partial(held.pop, key, None))
        if key in held:  # it has not ended yet
            held[key] = cancel

    def _of_loop(self, loop: Loop) -> tuple[T, dict[object, object]]:
        found = self._of_loops.get(loop)
        if found is None:
            for other in [other for other in self._of_loops if other.is_over()]:
                del self._of_loops[other]
            found = self._of_loops[loop] = (self._make_state(), {})
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
