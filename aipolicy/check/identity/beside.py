"""Work that is done beside the requests that need it: by threads, bounded, each thing once."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Hashable
from queue import Full, Queue
from typing import Generic, TypeVar

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
        self._queue: Queue[K] = Queue(waiting)
        self._under_way: dict[K, Hashable] = {}
        self._of: Counter[Hashable] = Counter()
        self._whose, self._of_one = whose, of_one
        self._threads: list[threading.Thread] = []
        self._most = threads
        self._lock = threading.Lock()

    def start(self, key: K) -> bool:
        """See to it that ``key`` is worked on. False: too much is under way, so it isn't. Never waits."""
        with self._lock:
            if key in self._under_way:
                return True
            whose = self._whose(key)
            if self._of[whose] >= self._of_one:
                return False
            try:
                self._queue.put_nowait(key)
            except Full:
                return False
            self._under_way[key] = whose
            self._of[whose] += 1
            self._threads = [thread for thread in self._threads if thread.is_alive()]  # a fork leaves them
            if len(self._threads) < self._most:
                # A daemon: what hangs in a look-up must not keep the process from ending.
                thread = threading.Thread(target=self._run, name="aipolicy-identity", daemon=True)
                self._threads.append(thread)
                thread.start()
            return True

    def settle(self) -> None:
        """Wait until nothing is under way."""
        self._queue.join()

    def _run(self) -> None:
        while True:
            key = self._queue.get()
            try:
                self._work(key)
            except Exception as error:
                if ending(error):
                    return
                logger.exception("who a client is could not be looked up")
            finally:
                with self._lock:
                    whose = self._under_way.pop(key)
                    self._of[whose] -= 1
                    if not self._of[whose]:
                        del self._of[whose]
                self._queue.task_done()
