"""A cache bounded in entries and in bytes, whose hits cost what a dict's look-up does."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import chain
from typing import Any, Generic, TypeVar

from aipolicy.lookup.byte_count import Weights
from aipolicy.rendering import Rendering

V = TypeVar("V")


class Generations(Generic[V]):
    """At most ``most`` entries by host; where there are more, those stay that are used. No value is false.

    ``young`` holds what was used in this turn, and may be read directly; the others wait to be used, or to
    make room. When few wait any more they are dropped, and the next turn begins, in which each must be used
    again to stay. So a hit moves an entry once a turn, where an LRU cache moves it each time, and needs a
    second table for that.

    Where the entries take more bytes than ``weights`` allows, those with large renderings go first, so that a
    few sites with large files evict each other, and no small one. ``shrink`` says what is kept in place of
    one: a smaller value, or None.

    ``lock`` guards the tables. Only reading ``young`` needs none.
    """

    __slots__ = (
        "_large",
        "_lock",
        "_most",
        "_rendering",
        "_shrink",
        "_turn",
        "_waiting",
        "_weights",
        "young",
    )

    def __init__(
        self,
        most: int,
        *,
        weights: Weights,
        lock: AbstractContextManager[Any],
        rendering: Callable[[V], Rendering],
        shrink: Callable[[bytes, V], V | None] = lambda host, value: None,
    ) -> None:
        self._most = most
        # Not all: a dict's table doubles at 87,382 entries, and at twice as many, and so on.
        self._turn = most - most * 3 // 20
        self._weights, self._lock, self._rendering, self._shrink = weights, lock, rendering, shrink
        self.young: dict[bytes, V] = {}
        self._waiting: dict[bytes, V] = {}
        self._large: dict[bytes, None] = {}  # hosts whose rendering is large, in the order they came

    def __len__(self) -> int:
        return len(self.young) + len(self._waiting)

    def __iter__(self) -> Iterator[bytes]:
        return chain(self.young, self._waiting)

    def values(self) -> Iterator[V]:
        """Return an iterator over the values; only with the lock."""
        return chain(self.young.values(), self._waiting.values())

    def get(self, host: bytes) -> V | None:
        """Return the value, which counts as its use; or None."""
        value = self.young.get(host)
        if value is None and host in self._waiting:
            with self._lock:
                value = self._waiting.pop(host, None)
                if value is None:
                    return self.young.get(host)
                self.young[host] = value
        return value

    def keep(self, host: bytes, value: V) -> None:
        """Remember ``value``; where there is no room, in place of one that waits."""
        with self._lock:
            before = self.young.get(host)
            if before is not None:  # it keeps its place there: what is used much comes early
                self._large.pop(host, None)
                self._weights.remove(self._rendering(before))
            elif self.pop(host) is None and len(self) >= self._most:
                self._evict()
            self._put(host, value)
            while self._weights.are_too_heavy() and len(self):
                self._lighten()

    def pop(self, host: bytes) -> V | None:
        """Forget ``host``, and return what its value was."""
        with self._lock:
            value = self.young.pop(host, None)
            if value is None:
                value = self._waiting.pop(host, None)
            if value is not None:
                self._large.pop(host, None)
                self._weights.remove(self._rendering(value))
            return value

    def take_all(self, other: "Generations[V]") -> None:
        """Remember what ``other`` does, which forgets it; and what was here, as far as there is room.

        Both have the same lock and weights.
        """
        with self._lock:
            young, waiting = other.young, other._waiting
            for host in list(self):
                if host in young or host in waiting:
                    self.pop(host)
            before = self.young | self._waiting
            self.young, self._waiting = young, waiting | before
            self._large |= other._large
            other.young, other._waiting, other._large = {}, {}, {}
            while len(self) > self._most:
                self._forget_one_that_waits()

    def _put(self, host: bytes, value: V) -> None:
        self.young[host] = value
        if self._weights.add(self._rendering(value)):
            self._large[host] = None

    def _evict(self) -> tuple[bytes, V]:
        """Forget one that was not used lately, and return it."""
        if len(self.young) >= self._turn or not self._waiting:
            for host, value in self._waiting.items():
                self._large.pop(host, None)
                self._weights.remove(self._rendering(value))
            self.young, self._waiting = {}, self.young
        return self._forget_one_that_waits()

    def _forget_one_that_waits(self) -> tuple[bytes, V]:
        host, value = self._waiting.popitem()  # the last that came: what is used much comes early in a turn
        self._large.pop(host, None)
        self._weights.remove(self._rendering(value))
        return host, value

    def _lighten(self) -> None:
        """Forget as many as weigh too much, or keep a smaller value in the place of each."""
        forgotten = []
        while self._weights.are_too_heavy() and len(self):
            host = next(iter(self._large), None)
            value = None if host is None else self.pop(host)
            forgotten.append(self._evict() if host is None or value is None else (host, value))
        # Not before there is room: the smaller ones would be taken for what weighs too much.
        for host, value in forgotten:
            smaller = self._shrink(host, value)
            if smaller is not None:
                self._put(host, smaller)
