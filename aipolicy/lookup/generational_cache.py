"""A cache bounded in entries and in bytes, with hits that cost no more than a dict's."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import chain
from typing import Any, Generic, TypeVar

from aipolicy.rendering import Rendering

V = TypeVar("V")

_ENTRY = 400  # bytes of one host in the tables, roughly: its name, its slots, its deadlines
_RENDERING, _PATH = 3000, 600  # bytes of a rendering without its files; of one path with headers of its own
_LARGE = 16 * 1024


def rendering_size(rendering: Rendering) -> int:
    """Return the approximate bytes of a rendering with its policy and, if it is large, its fallback."""
    policy = rendering.policy
    files = [document.body for document in (rendering.robots, rendering.tdmrep, rendering.ai_txt) if document]
    texts = [
        policy.robots_base,
        policy.tdm_policy_url,
        policy.license_url,
        *policy.sitemaps,
        *policy.licensed,
    ]
    sizes = sum(map(sys.getsizeof, files)) + sum(sys.getsizeof(text) for text in texts if text)
    size = _RENDERING + sizes + sum(_PATH + 2 * sys.getsizeof(pattern) for pattern, _ in rendering.paths)
    return size if size <= _LARGE or policy.opted_out else 2 * size


class ByteBudget:
    """The bytes of several caches' entries; a rendering that many hosts share is counted once.

    Attributes:
        total: The bytes that are in use.
    """

    __slots__ = ("_max_bytes", "_uses", "total")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.total = 0
        self._uses: dict[Rendering, tuple[int, int]] = {}  # the number of its uses, and its size

    def is_exceeded(self) -> bool:
        return self.total > self._max_bytes

    def add(self, rendering: Rendering) -> bool:
        """Count one more use; return True if the rendering is large."""
        uses, size = self._uses.get(rendering) or (0, rendering_size(rendering))
        self._uses[rendering] = uses + 1, size
        self.total += _ENTRY + (0 if uses else size)
        return size > _LARGE

    def remove(self, rendering: Rendering) -> None:
        """Count one use fewer."""
        uses, size = self._uses.pop(rendering)
        self.total -= _ENTRY
        if uses > 1:
            self._uses[rendering] = uses - 1, size
        else:
            self.total -= size


class GenerationalCache(Generic[V]):
    """A cache of at most ``maxsize`` values by host. Values must not be false.

    ``young`` has the hosts that were used in this generation, the old table all others. A hit in the old
    table moves the entry to ``young``; an eviction takes an old entry. When few old entries are left they
    are dropped, and all young entries become old. So a hit moves an entry once a generation, where an LRU
    cache moves it every time.

    Where the budget is exceeded, entries with large renderings are evicted first, so that a few sites with
    large files evict each other and no small ones.

    Args:
        maxsize: Maximum number of entries.
        budget: The bytes of all entries; several caches may share it.
        lock: Guards the tables. Only reading ``young`` needs no lock.
        rendering: Returns the rendering of a value, for the budget.
        shrink: Returns a smaller value to keep instead of one that the budget evicts, or None.
    """

    __slots__ = (
        "_budget",
        "_generation",
        "_large",
        "_lock",
        "_maxsize",
        "_old",
        "_rendering",
        "_shrink",
        "young",
    )

    def __init__(
        self,
        maxsize: int,
        *,
        budget: ByteBudget,
        lock: AbstractContextManager[Any],
        rendering: Callable[[V], Rendering],
        shrink: Callable[[bytes, V], V | None] = lambda host, value: None,
    ) -> None:
        self._maxsize = maxsize
        # Less than maxsize: a dict's table doubles at 87,382 entries, at twice as many, and so on.
        self._generation = maxsize - maxsize * 3 // 20
        self._budget, self._lock, self._rendering, self._shrink = budget, lock, rendering, shrink
        self.young: dict[bytes, V] = {}
        self._old: dict[bytes, V] = {}
        self._large: dict[bytes, None] = {}  # hosts with a large rendering, the earliest first

    def __len__(self) -> int:
        return len(self.young) + len(self._old)

    def __iter__(self) -> Iterator[bytes]:
        return chain(self.young, self._old)

    def values(self) -> Iterator[V]:
        """Return an iterator over the values. The caller must hold the lock."""
        return chain(self.young.values(), self._old.values())

    def get(self, host: bytes) -> V | None:
        """Return the value of a host, which counts as a use, or None."""
        value = self.young.get(host)
        if value is None and host in self._old:
            with self._lock:
                value = self._old.pop(host, None)
                if value is None:
                    return self.young.get(host)
                self.young[host] = value
        return value

    def put(self, host: bytes, value: V) -> None:
        """Store a value; if the cache is full, evict an old entry."""
        with self._lock:
            before = self.young.get(host)
            if before is not None:  # it keeps its place in the dict: hosts that are used much come early
                self._large.pop(host, None)
                self._budget.remove(self._rendering(before))
            elif self.pop(host) is None and len(self) >= self._maxsize:
                self._evict()
            self._store(host, value)
            while self._budget.is_exceeded() and len(self):
                self._shrink_to_budget()

    def pop(self, host: bytes) -> V | None:
        """Remove a host and return its value, or None."""
        with self._lock:
            value = self.young.pop(host, None)
            if value is None:
                value = self._old.pop(host, None)
            if value is not None:
                self._large.pop(host, None)
                self._budget.remove(self._rendering(value))
            return value

    def take_all(self, other: "GenerationalCache[V]") -> None:
        """Move every entry of ``other`` here, and keep the entries that were here while there is room.

        Both must have the same lock and budget.
        """
        with self._lock:
            young, old = other.young, other._old
            for host in list(self):
                if host in young or host in old:
                    self.pop(host)
            before = self.young | self._old
            self.young, self._old = young, old | before
            self._large |= other._large
            other.young, other._old, other._large = {}, {}, {}
            while len(self) > self._maxsize:
                self._evict_old()

    def _store(self, host: bytes, value: V) -> None:
        self.young[host] = value
        if self._budget.add(self._rendering(value)):
            self._large[host] = None

    def _evict(self) -> tuple[bytes, V]:
        """Remove and return an entry that was not used lately."""
        if len(self.young) >= self._generation or not self._old:
            for host, value in self._old.items():
                self._large.pop(host, None)
                self._budget.remove(self._rendering(value))
            self.young, self._old = {}, self.young
        return self._evict_old()

    def _evict_old(self) -> tuple[bytes, V]:
        host, value = self._old.popitem()  # the last one: hosts that are used much come early in a generation
        self._large.pop(host, None)
        self._budget.remove(self._rendering(value))
        return host, value

    def _shrink_to_budget(self) -> None:
        """Evict until the budget is met, then store the smaller values of what was evicted."""
        evicted = []
        while self._budget.is_exceeded() and len(self):
            host = next(iter(self._large), None)
            value = None if host is None else self.pop(host)
            evicted.append(self._evict() if host is None or value is None else (host, value))
        # Only now: before there is room, the smaller values would be evicted in turn.
        for host, value in evicted:
            smaller = self._shrink(host, value)
            if smaller is not None:
                self._store(host, smaller)
