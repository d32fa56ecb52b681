"""Sync functions called from an event loop, in a bounded number of threads."""

import asyncio
import functools
import inspect
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any


class Threads:
    """At most ``limit`` threads. One that hangs keeps its place until it ends: it can't be stopped.

    ``patience``: the seconds after which a call is taken to hang.
    """

    def __init__(self, limit: int, patience: float) -> None:
        self._limit, self._patience = limit, patience
        # Not anyio's: its limiter gives the place away when the waiter leaves, while the thread lives on.
        self._executor = ThreadPoolExecutor(limit, thread_name_prefix="aipolicy-load")
        self._since: dict[object, float] = {}  # calls that run now, and when each began

    async def run(self, function: Callable[[str], Any], argument: str) -> Any:
        """The function's result. Raises what it raises, and TimeoutError where every thread hangs."""
        since = self._since.copy()
        if len(since) >= self._limit and max(since.values()) < time.monotonic() - self._patience:
            raise TimeoutError(f"all {self._limit} threads hang in earlier calls")
        call = self._executor.submit(copy_context().run, self._timed, function, argument)
        return await asyncio.wrap_future(call)  # cancelled before it began, it never begins

    def _timed(self, function: Callable[[str], Any], argument: str) -> Any:
        call = object()
        self._since[call] = time.monotonic()
        try:
            return function(argument)
        except StopIteration as error:  # asyncio's futures can't carry it
            raise RuntimeError("it raised StopIteration") from error
        finally:
            del self._since[call]


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives a coroutine; also for a partial, and an object that can be called."""
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
