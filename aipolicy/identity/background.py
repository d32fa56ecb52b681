"""A bounded pool of background workers that runs each key once."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Hashable
from functools import partial
from typing import Generic, TypeVar

from aipolicy.forks import fork_safe_lock, survive_forks
from aipolicy.lookup.thread_pool import ThreadPool

logger = logging.getLogger("aipolicy.identity")

K = TypeVar("K", bound=Hashable)


def is_shutdown(error: Exception) -> bool:
    """Return True if ``error`` only says that the process is ending, when no thread can be started."""
    return isinstance(error, RuntimeError) and str(error).endswith("shutdown")


class BackgroundWorkers(Generic[K]):
    """A pool of threads that run ``work(key)``, each key at most once at a time.

    ``work`` stores its own result, failures included. An exception that it raises is a bug, and is logged.

    Args:
        work: The function to run.
        threads: Maximum number of threads.
        max_waiting: Maximum number of keys that wait for a thread.
        group_of: The group that a key belongs to, so that one client with many keys can't delay all others.
        per_group: Maximum number of keys of one group, running or waiting.
    """

    def __init__(
        self,
        work: Callable[[K], object],
        *,
        threads: int,
        max_waiting: int,
        group_of: Callable[[K], Hashable] = lambda key: key,
        per_group: int = 1,
    ) -> None:
        self._work = work
        self._threads = ThreadPool(threads, "aipolicy-identity")
        self._limit = max_waiting + threads
        self._group_of, self._per_group = group_of, per_group
        self._lock = fork_safe_lock()
        self._changed = threading.Condition(self._lock)
        self.after_fork()
        survive_forks(self)

    def after_fork(self) -> None:
        """Forget the keys of the parent process: its threads don't exist in the child."""
        self._running: dict[K, Hashable] = {}
        self._group_sizes: Counter[Hashable] = Counter()

    def start(self, key: K) -> bool:
        """Run ``key`` in the background unless it is running already. Never waits.

        Returns:
            False if a limit is reached, so that the key isn't run.
        """
        with self._lock:
            if key in self._running:
                return True
            group = self._group_of(key)
            if self._group_sizes[group] >= self._per_group or len(self._running) >= self._limit:
                return False
            self._running[key] = group
            self._group_sizes[group] += 1
            try:
                self._threads.submit(partial(self._run, key))
            except RuntimeError:  # no thread can be started, for example while the process ends
                self._finish(key)
                return False
            return True

    def wait_until_idle(self) -> None:
        """Wait until no key is running or waiting."""
        with self._changed:
            while self._running:
                self._changed.wait()

    def _run(self, key: K) -> None:
        try:
            self._work(key)
        except Exception as error:
            if not is_shutdown(error):
                logger.exception("a client could not be verified because of an internal error")
        finally:
            self._finish(key)

    def _finish(self, key: K) -> None:
        with self._changed:
            group = self._running.pop(key)
            self._group_sizes[group] -= 1
            if not self._group_sizes[group]:
                del self._group_sizes[group]
            self._changed.notify_all()
