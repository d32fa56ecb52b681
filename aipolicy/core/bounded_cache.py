"""What is remembered of what was worked out, bounded whoever asks."""

from collections.abc import Hashable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(dict[K, V]):
    """A dict of at most ``most`` entries, emptied when it is full.

    Where an LRU cache would cost more than it saves: looking up is a plain dict's.
    """

    __slots__ = ("most",)

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def keep(self, key: K, value: V) -> V:
        """Remember ``value``, and return it."""
        if len(self) >= self.most:
            self.clear()
        self[key] = value
        return value
