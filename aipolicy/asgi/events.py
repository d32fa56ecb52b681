"""What the middleware tells the application that mounts it, without making any response wait."""

import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from aipolicy.core.crawlers import Crawler
from aipolicy.core.policy import SitePolicy
from aipolicy.forks import survive_forks
from aipolicy.lookup.event_loop import Loop, is_interrupt, running_loop
from aipolicy.lookup.thread_pool import ThreadPool, is_async

if TYPE_CHECKING:
    from aipolicy.identity import Identity

logger = logging.getLogger("aipolicy.asgi")

_WAITING = 1000  # events that wait for a hook; more are left out
_APART = 60.0  # seconds between two lines of the log about that


@dataclass(frozen=True, slots=True)
class DisallowedFetch:
    """A request by a crawler that the site's policy closes the path to, as its User-Agent declares it.

    ``host`` and ``user_agent`` are as the client sent them, cut at 256 and 512 characters; ``path`` is with
    its query, cut at 2048. ``refused``: whether it was refused, and not only reported.

    With ``enforce="verified"`` also a request by a client that claims the token of a crawler that the owner
    licensed, and is not that crawler as far as can be told: ``identity`` is what it is, ``reason`` why.
    """

    crawler: Crawler
    policy: SitePolicy
    host: str
    method: str
    path: str
    user_agent: str
    refused: bool
    identity: "Identity | None" = None
    reason: str = ""


Hook = Callable[[DisallowedFetch], Awaitable[object] | object]


class Reporter:
    """Calls a hook, sync (in a thread of its own) or async (as a task). Whatever it does, no response waits.

    Where a thousand events wait, further ones are left out, and the log tells how many. After a fork, what
    waits is the parent's to tell.
    """

    def __init__(self, hook: Hook, clock: Callable[[], float] = time.monotonic) -> None:
        if not callable(hook):
            raise TypeError(f"on_event is {hook!r}: give a function that takes an event")
        self._hook, self._clock = hook, clock
        self._thread = None if is_async(hook) else ThreadPool(1, "aipolicy-events")
        self._left_out, self._next_line = 0, 0.0
        self.after_fork()
        survive_forks(self)

    def after_fork(self) -> None:
        self._waiting: dict[object, object] = {}  # events by a number, with what holds their tasks

    def report(self, event: DisallowedFetch) -> None:
        """Hand the event over. Never raises, never waits."""
        try:
            self._report(event)
        except Exception:
            logger.exception("an event could not be handed to on_event")

    def _report(self, event: DisallowedFetch) -> None:
        if len(self._waiting) >= _WAITING:
            self._leave_out()
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
            answer = self._hook(event)
            if inspect.isawaitable(answer):  # a plain function that returns one: it belongs to the event loop
                loop.soon(partial(self._start, loop, key, lambda: answer))
                return
        except BaseException:  # SystemExit, too: it would end this thread, and nothing else
            logger.exception("on_event failed")
        self._waiting.pop(key, None)

    def _start(self, loop: Loop, key: object, call: Callable[[], object]) -> None:
        """Call an async hook, in a task of the event loop."""

        async def run() -> None:
            try:
                answer = call()
                if inspect.isawaitable(answer):
                    await answer
            except BaseException as error:  # whatever it raises, it must not end the server
                if is_interrupt(error):
                    raise
                if not loop.is_ending():
                    logger.exception("on_event failed")
            finally:
                self._waiting.pop(key, None)

        cancel = loop.start(run, partial(self._waiting.pop, key, None))
        if key in self._waiting:
            self._waiting[key] = cancel

    def _leave_out(self) -> None:
        self._left_out += 1
        now = self._clock()
        if now >= self._next_line:
            logger.warning("on_event is too slow: %d events were left out", self._left_out)
            self._left_out, self._next_line = 0, now + _APART
