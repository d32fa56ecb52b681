"""Calls of ``on_event``, for which no response waits."""

import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial

from aipolicy.forks import survive_forks
from aipolicy.lookup.event_loop import Loop, is_interrupt, running_loop
from aipolicy.lookup.thread_pool import ThreadPool, is_async
from aipolicy.serving.disallowed_fetches import DisallowedFetch

logger = logging.getLogger("aipolicy.asgi")

_MAX_WAITING = 1000  # events that wait for a hook
_SECONDS_BETWEEN_LINES = 60.0  # of the log, about dropped events


Hook = Callable[[DisallowedFetch], Awaitable[object] | object]


class Reporter:
    """Passes events to a hook; no response waits for it.

    A sync hook runs in a thread of its own, an async one as a task. While a thousand events wait, further
    ones are dropped, and the log has their number. After a fork, the parent reports the waiting events.
    """

    def __init__(self, hook: Hook, clock: Callable[[], float] = time.monotonic) -> None:
        if not callable(hook):
            raise TypeError(f"on_event is {hook!r}; use a function that takes an event")
        self._hook, self._clock = hook, clock
        self._thread = None if is_async(hook) else ThreadPool(1, "aipolicy-events")
        self._dropped, self._next_line = 0, 0.0
        self.after_fork()
        survive_forks(self)

    def after_fork(self) -> None:
        """Forget the events that the parent reports."""
        self._waiting: dict[object, object] = {}  # events by a key of their own, with their tasks

    def report(self, event: DisallowedFetch) -> None:
        """Pass an event to the hook. Never raises, never waits."""
        try:
            self._report(event)
        except Exception:
            logger.exception("an event can't be passed to on_event")

    def _report(self, event: DisallowedFetch) -> None:
        if len(self._waiting) >= _MAX_WAITING:
            self._drop()
            return
        loop, key = running_loop(), object()
        self._waiting[key] = None
        try:
            if self._thread is None:
                self._start(loop, key, partial(self._hook, event))
            else:
                self._thread.submit(partial(self._call, loop, key, event))
        except BaseException:
            self._waiting.pop(key, None)
            raise

    def _call(self, loop: Loop, key: object, event: DisallowedFetch) -> None:
        """Call a sync hook, in its thread."""
        try:
            result = self._hook(event)
            if inspect.isawaitable(result):  # a plain function that returns an awaitable, for the event loop
                loop.soon(partial(self._start, loop, key, lambda: result))
                return
        except BaseException:  # a SystemExit would end this thread, and nothing else
            logger.exception("on_event failed")
        self._waiting.pop(key, None)

    def _start(self, loop: Loop, key: object, call: Callable[[], object]) -> None:
        """Call an async hook, in a task of the event loop."""

        async def run() -> None:
            try:
                result = call()
                if inspect.isawaitable(result):
                    await result
            except BaseException as error:  # whatever it raises must not end the server
                if is_interrupt(error):
                    raise
                if not loop.is_ending():
                    logger.exception("on_event failed")
            finally:
                self._waiting.pop(key, None)

        cancel = loop.start(run, partial(self._waiting.pop, key, None))
        if key in self._waiting:
            self._waiting[key] = cancel

    def _drop(self) -> None:
        self._dropped += 1
        now = self._clock()
        if now >= self._next_line:
            logger.warning("on_event is too slow; %d events were dropped", self._dropped)
            self._dropped, self._next_line = 0, now + _SECONDS_BETWEEN_LINES
