"""A cache of bounded size whose hits cost what a dict's look-up does."""

from collections.abc import Iterator
from itertools import chain
from typing import Generic, TypeVar

V = TypeVar("V")


class Generations(Generic[V]):
    """At most ``most`` entries by host; where there are more, those stay that are used. No value is false.

    ``young`` holds what was used in this turn, and may be read directly; the others wait to be used, or to
    make room. When few wait any more they are dropped, and the next turn begins, in which each must be used
    again to stay. So a hit moves an entry once a turn, where an LRU cache moves it each time, and needs a
    second table for that.
    """

    __slots__ = ("_most", "_turn", "_waiting", "young")

    def __init__(self, most: int) -> None:
        self._most = most
        # Not all: a dict's table doubles at 87,382 entries, and at twice as many, and so on.
        self._turn = most - most * 3 // 20
        self.young: dict[bytes, V] = {}
        self._waiting: dict[bytes, V] = {}

    def __len__(self) -> int:
        return len(self.young) + len(self._waiting)

    def __iter__(self) -> Iterator[bytes]:
        return chain(self.young, self._waiting)

    def get(self, host: bytes) -> V | None:
        """The value, which counts as its use; or None."""
        value = self.young.get(host)
        if value is None:
            value = self._waiting.pop(host, None)
            if value is not None:
                self.young[host] = value
        return value

    def keep(self, host: bytes, value: V) -> None:
        """Remember ``value``; where there is no room, in place of one that waits."""
        known = self._waiting.pop(host, None) is not None or host in self.young
        if not known and len(self) >= self._most:
            if len(self.young) >= self._turn:
                self.young, self._waiting = {}, self.young
            self._waiting.popitem()  # the last that came: what is used much comes early in a turn
        self.young[host] = value

    def pop(self, host: bytes) -> V | None:
        """Forget ``host``, and return what its value was."""
        value = self.young.pop(host, None)
        return self._waiting.pop(host, None) if value is None else value

    def take_all(self, other: "Generations[V]") -> None:
        """Remember what ``other`` does, which forgets it; and what was here, as far as there is room."""
        young, waiting, before = other.young, other._waiting, self.young | self._waiting
        older = {host: value for host, value in before.items() if host not in young and host not in waiting}
        self.young, self._waiting = young, waiting | older
        other.young, other._waiting = {}, {}
        while len(self) > self._most:
            self._waiting.popitem()
