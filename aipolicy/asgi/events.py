"""What the middleware tells the application that mounts it, without making any response wait."""

import asyncio
import inspect
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from dataclasses import dataclass
from queue import Full, Queue
from typing import TYPE_CHECKING

from anyio import get_cancelled_exc_class

from aipolicy.asgi.background import Background
from aipolicy.core.crawlers import Crawler
from aipolicy.core.policy import SitePolicy
from aipolicy.lookup.threads import is_async

if TYPE_CHECKING:
    from aipolicy.check.identity import Identity

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

    Where a thousand events wait, further ones are left out, and the log tells how many.
    """

    def __init__(self, hook: Hook, clock: Callable[[], float] = time.monotonic) -> None:
        if not callable(hook):
            raise TypeError(f"on_event is {hook!r}: give a function that takes an event")
        self._hook, self._clock = hook, clock
        self._background: Background[set[object]] = Background(set)  # calls of an async hook under way
        self._queue: Queue[DisallowedFetch] | None = None if is_async(hook) else Queue(_WAITING)
        self._thread: threading.Thread | None = None
        self._left_out, self._next_line = 0, 0.0

    def report(self, event: DisallowedFetch) -> None:
        """Hand the event over. Never raises, never waits."""
        try:
            if self._queue is not None:
                self._queue.put_nowait(event)
                self._start_thread(self._queue)
            elif len(calls := self._background.state()) < _WAITING:
                calls.add(call := object())
                self._background.start(self._call, event, calls, call, context=copy_context())
            else:
                self._leave_out()
        except Full:
            self._leave_out()
        except Exception:
            logger.exception("an event could not be handed to on_event")

    def _start_thread(self, queue: Queue[DisallowedFetch]) -> None:
        if self._thread is None or not self._thread.is_alive():  # a fork leaves threads behind
            # A daemon: a hook that hangs must not keep the process from ending.
            self._thread = threading.Thread(
                target=self._work, args=(queue,), name="aipolicy-events", daemon=True
            )
            self._thread.start()

    def _work(self, queue: Queue[DisallowedFetch]) -> None:
        while True:
            event = queue.get()
            try:
                answer = self._hook(event)
                if inspect.iscoroutine(answer):  # a plain function that returns one
                    asyncio.run(answer)
            except Exception:
                logger.exception("on_event failed")

    async def _call(self, event: DisallowedFetch, calls: set[object], call: object) -> None:
        try:
            answer = self._hook(event)
            if inspect.isawaitable(answer):
                await answer
        except get_cancelled_exc_class():
            raise
        except BaseException:  # a SystemExit must not end the server
            logger.exception("on_event failed")
        finally:
            calls.discard(call)

    def _leave_out(self) -> None:
        self._left_out += 1
        now = self._clock()
        if now >= self._next_line:
            logger.warning("on_event is too slow: %d events were left out", self._left_out)
            self._left_out, self._next_line = 0, now + _APART
