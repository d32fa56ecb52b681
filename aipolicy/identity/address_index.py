"""Which lists an address is in: the lists of one operator, cut at every bound into sorted spans."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence

from aipolicy.identity.operator_lists import AddressList

Lists = frozenset[int]
"""Positions in the sequence that the index was made of."""

_NOWHERE: Lists = frozenset()


class Index:
    """Looks an address up in all ``lists`` at once, by bisection."""

    __slots__ = ("_spans",)

    def __init__(self, lists: Sequence[AddressList]) -> None:
        self._spans = {version: _spans(lists, version) for version in (4, 6)}

    def lists_of(self, version: int, number: int) -> Lists:
        """The lists that hold the address ``number``."""
        starts, within = self._spans[version]
        at = bisect_right(starts, number) - 1
        return within[at] if at >= 0 else _NOWHERE

    def lists_between(self, version: int, first: int, last: int) -> set[Lists]:
        """What ``lists_of`` says for any address from ``first`` to ``last``."""
        starts, within = self._spans[version]
        begin, end = bisect_right(starts, first) - 1, bisect_right(starts, last)
        return {*within[max(begin, 0) : end], *([_NOWHERE] if begin < 0 else ())}


def _spans(lists: Sequence[AddressList], version: int) -> tuple[list[int], list[Lists]]:
    """Where each span starts, and the lists that hold it; it ends where the next one starts."""
    changes: dict[int, list[tuple[int, bool]]] = defaultdict(list)
    for position, begins, ends in _bounds(lists, version):
        changes[begins].append((position, True))
        changes[ends].append((position, False))
    starts: list[int] = []
    within: list[Lists] = []
    current: set[int] = set()
    for at in sorted(changes):
        # Out before in: prefixes of one list may touch.
        current -= {position for position, enters in changes[at] if not enters}
        current |= {position for position, enters in changes[at] if enters}
        starts.append(at)
        within.append(frozenset(current))
    return starts, within


def _bounds(lists: Sequence[AddressList], version: int) -> Iterator[tuple[int, int, int]]:
    for position, published in enumerate(lists):
        for net in published.prefixes:
            if net.version == version:
                yield position, int(net.network_address), int(net.broadcast_address) + 1
