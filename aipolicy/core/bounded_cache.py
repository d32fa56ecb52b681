"""A bounded cache that is cleared when it is full."""

from collections.abc import Hashable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(dict[K, V]):
    """A dict of at most ``most`` entries that is cleared when it is full.

    A look-up costs as much as a dict's; an LRU cache would often cost more than it saves.
    """

    __slots__ = ("most",)

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def keep(self, key: K, value: V) -> V:
        """Store ``value``, and return it."""
        if len(self) >= self.most:
            self.clear()
        self[key] = value
        return value
