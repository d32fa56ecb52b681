"""A bounded cache that is cleared when it is full."""

from collections.abc import Hashable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(dict[K, V]):
    """A dict of at most ``max_entries`` entries that is cleared when it is full.

    A look-up costs as much as a dict's; an LRU cache would often cost more than it saves.
    """

    __slots__ = ("max_entries",)

    def __init__(self, max_entries: int) -> None:
        super().__init__()
        self.max_entries = max_entries

    def keep(self, key: K, value: V) -> V:
        """Store ``value``, and return it."""
        if len(self) >= self.max_entries:
            self.clear()
        self[key] = value
        return value
