"""A bounded cache of answers that may be used for a while after they are due for a refresh."""

from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

from cachetools import LRUCache

from aipolicy.forks import fork_safe_lock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class CachedAnswer(NamedTuple, Generic[V]):
    """An answer with two deadlines, in seconds of the cache's clock.

    From ``refresh_at`` on it should be asked for again; until ``expires_at`` it may be used meanwhile.
    """

    value: V
    refresh_at: float
    expires_at: float


class StaleCache(Generic[K, V]):
    """An LRU cache of ``CachedAnswer``. The cache never asks for anything itself. Thread-safe.

    Args:
        maxsize: Maximum number of answers.
        clock: Returns the time in seconds.
    """

    def __init__(self, maxsize: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._answers: LRUCache[K, CachedAnswer[V]] = LRUCache(maxsize)
        self._lock = fork_safe_lock()

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: K) -> CachedAnswer[V] | None:
        """Return the answer to ``key``, expired or not; None if there is none."""
        with self._lock:
            return self._answers.get(key)

    def usable(self, key: K) -> CachedAnswer[V] | None:
        """Return the answer to ``key`` if it has not expired."""
        answer = self.get(key)
        return answer if answer is not None and self._clock() < answer.expires_at else None

    def is_due(self, key: K) -> bool:
        """Return True if ``key`` should be asked for: it is missing, or due for a refresh."""
        answer = self.get(key)
        return answer is None or self._clock() >= answer.refresh_at

    def put(self, key: K, value: V, *, refresh_after: float, expire_after: float) -> None:
        """Store an answer; both times are in seconds from now."""
        now = self._clock()
        with self._lock:
            self._answers[key] = CachedAnswer(value, now + refresh_after, now + expire_after)

    def postpone(self, key: K, *, refresh_after: float) -> bool:
        """Keep the answer to ``key`` after a failed refresh, and ask again after that many seconds.

        Returns:
            False if there is no answer that has not expired.
        """
        answer = self.usable(key)
        if answer is None:
            return False
        refresh_at = min(self._clock() + refresh_after, answer.expires_at)
        with self._lock:
            self._answers[key] = answer._replace(refresh_at=refresh_at)
        return True

    def discard(self, key: K) -> None:
        """Remove the answer to ``key``, if there is one."""
        with self._lock:
            self._answers.pop(key, None)
