"""An LRU cache that several threads share."""

from typing import Any, TypeVar

from cachetools import LRUCache

from aipolicy.forks import fork_safe_lock

K = TypeVar("K")
V = TypeVar("V")


class SharedCache(LRUCache[K, V]):
    """An LRU cache that is safe to read and write from any thread.

    Without a lock, two threads can leave a key in only one of the cache's two tables; from then on each
    insertion into the full cache raises KeyError.
    """

    def __init__(self, maxsize: float, **options: Any) -> None:
        super().__init__(maxsize, **options)
        self._lock = fork_safe_lock()

    def __getitem__(self, key: K) -> V:
        with self._lock:
            return super().__getitem__(key)

    def __setitem__(self, key: K, value: V) -> None:
        with self._lock:
            super().__setitem__(key, value)

    def get(self, key: K, default: V | None = None) -> V | None:  # type: ignore[override]
        """Return the value of ``key``, which counts as a use, or ``default``."""
        with self._lock:
            return super().get(key, default)
