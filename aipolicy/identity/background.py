"""Work that is done beside the requests that need it: by threads, bounded, each thing once."""

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


def ending(error: Exception) -> bool:
    """Whether ``error`` is that the process ends: no thread can be started then, and nothing is wrong."""
    return isinstance(error, RuntimeError) and str(error).endswith("shutdown")


class Beside(Generic[K]):
    """Calls ``work`` for keys, in at most ``threads`` threads, while at most ``waiting`` wait.

    ``work`` keeps what it finds, failures too: what it raises is a fault of ours, and logged. ``whose`` says
    whom a key is for: of one at most ``of_one`` are under way, lest a stranger with many keeps all others
    waiting.
    """

    def __init__(
        self,
        work: Callable[[K], object],
        *,
        threads: int,
        waiting: int,
        whose: Callable[[K], Hashable] = lambda key: key,
        of_one: int = 1,
    ) -> None:
        self._work = work
        self._threads = ThreadPool(threads, "aipolicy-identity")
        self._most = waiting + threads
        self._whose, self._of_one = whose, of_one
        self._lock = fork_safe_lock()
        self._changed = threading.Condition(self._lock)
        self.after_fork()
        survive_forks(self)

    def after_fork(self) -> None:
        """Nothing is under way in a child: its parent's threads are not here."""
        self._under_way: dict[K, Hashable] = {}
        self._of: Counter[Hashable] = Counter()

    def start(self, key: K) -> bool:
        """See to it that ``key`` is worked on. False: too much is under way, so it isn't. Never waits."""
        with self._lock:
            if key in self._under_way:
                return True
            whose = self._whose(key)
            if self._of[whose] >= self._of_one or len(self._under_way) >= self._most:
                return False
            self._under_way[key] = whose
            self._of[whose] += 1
            try:
                self._threads.submit(partial(self._run, key))
            except RuntimeError:  # no thread can be started, as while the process ends
                self._done(key)
                return False
            return True

    def settle(self) -> None:
        """Wait until nothing is under way."""
        with self._changed:
            while self._under_way:
                self._changed.wait()

    def _run(self, key: K) -> None:
        try:
            self._work(key)
        except Exception as error:
            if not ending(error):
                logger.exception("who a client is could not be looked up")
        finally:
            self._done(key)

    def _done(self, key: K) -> None:
        with self._changed:
            whose = self._under_way.pop(key)
            self._of[whose] -= 1
            if not self._of[whose]:
                del self._of[whose]
            self._changed.notify_all()
