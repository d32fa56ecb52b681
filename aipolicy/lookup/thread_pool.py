"""A bounded pool of daemon threads for callables of the application, which may hang or raise anything."""

import functools
import inspect
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from aipolicy.forks import survive_forks

logger = logging.getLogger("aipolicy.lookup")

_IDLE = 10.0  # seconds after which an idle thread ends

Job = Callable[[], object]


class ThreadPool:
    """A bounded pool of daemon threads, each started when it is needed.

    A job that hangs keeps its thread busy, but doesn't keep the process from ending. After a fork the child's
    pool is empty and usable.
    """

    def __init__(self, limit: int, name: str = "aipolicy") -> None:
        self._limit, self._name = limit, name
        self.after_fork()
        survive_forks(self)

    def after_fork(self) -> None:
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._threads = self._idle = 0
        self._started: dict[object, float] = {}  # when each running job began

    def submit(self, job: Job) -> None:
        """Run ``job`` as soon as a thread is free.

        Raises:
            RuntimeError: No thread runs, and none can be started.
        """
        with self._changed:
            self._jobs.append(job)
            if self._idle >= len(self._jobs):
                self._changed.notify()
            elif self._threads < self._limit:
                try:
                    self._start()
                except RuntimeError:  # the system has too many threads, or the process is ending
                    if not self._threads:
                        self._jobs.remove(job)
                        raise

    def are_stuck(self, seconds: float) -> bool:
        """Return True if every thread has been busy with one job for longer than ``seconds``."""
        started = list(self._started.values())
        return len(started) >= self._limit and max(started) < time.monotonic() - seconds

    def _start(self) -> None:
        # A daemon: a job that hangs must not keep the process from ending.
        thread = threading.Thread(target=self._work, name=self._name, daemon=True)
        self._threads += 1
        try:
            thread.start()
        except RuntimeError:
            self._threads -= 1
            raise

    def _work(self) -> None:
        while (job := self._next()) is not None:
            key = object()
            self._started[key] = time.monotonic()
            try:
                job()
            except BaseException:  # also SystemExit, which would end only this thread
                logger.exception("a background job failed")
            finally:
                self._started.pop(key, None)
            del job  # it holds references to the request that waited for it

    def _next(self) -> Job | None:
        """Wait for a job and return it, or None if the thread was idle for too long and must end."""
        with self._changed:
            self._idle += 1
            try:
                if not self._jobs:
                    self._changed.wait(_IDLE)
                with suppress(IndexError):
                    return self._jobs.popleft()
                self._threads -= 1
                return None
            finally:
                self._idle -= 1


def is_async(function: Callable[..., object]) -> bool:
    """Return True if a callable returns coroutines: a function, a partial, or an object with ``__call__``."""
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
