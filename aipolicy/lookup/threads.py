"""Functions of the user called in threads: a bounded number of them, whatever happens to one."""

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

_IDLE = 10.0  # seconds after which a thread that has nothing to do ends

Job = Callable[[], object]


class Threads:
    """A bounded pool of daemon threads, which are started when they are needed.

    A thread whose job hangs keeps its place until it ends, for nothing can stop it; but it keeps no process
    from ending. In a child process the pool is empty, and works.
    """

    def __init__(self, limit: int, name: str = "aipolicy") -> None:
        self._limit, self._name = limit, name
        self.after_fork()
        survive_forks(self)

    def after_fork(self) -> None:
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._threads = self._idle = 0
        self._since: dict[object, float] = {}  # jobs that run now, and when each began

    def submit(self, job: Job) -> None:
        """Run ``job`` as soon as a thread is free. Raises RuntimeError where no thread can be started."""
        with self._changed:
            self._jobs.append(job)
            if self._idle >= len(self._jobs):
                self._changed.notify()
            elif self._threads < self._limit:
                try:
                    self._start()
                except RuntimeError:  # too many threads here, or the process is ending
                    if not self._threads:
                        self._jobs.remove(job)
                        raise

    def are_stuck(self, seconds: float) -> bool:
        """Return True if each thread has been busy with one job for longer than that."""
        since = list(self._since.values())
        return len(since) >= self._limit and max(since) < time.monotonic() - seconds

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
            self._since[key] = time.monotonic()
            try:
                job()
            except BaseException:  # SystemExit, too: it would end this thread, and nothing else
                logger.exception("a background job failed")
            finally:
                self._since.pop(key, None)
            del job  # it refers to whoever waited for it

    def _next(self) -> Job | None:
        """Wait for a job; None after a while, and then the thread must end."""
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
    """Return True if calling it gives a coroutine; also for a partial, and an object that can be called."""
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
