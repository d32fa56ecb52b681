"""A few networks that lie apart, and whether addresses fall into one."""

import ipaddress
from bisect import bisect_right


class Spans:
    """Networks that don't overlap, sorted as numbers."""

    __slots__ = ("_bounds",)

    def __init__(self, *prefixes: str) -> None:
        nets = sorted(map(ipaddress.ip_network, prefixes), key=lambda net: int(net.network_address))
        self._bounds = {
            version: (
                [int(net.network_address) for net in nets if net.version == version],
                [int(net.broadcast_address) for net in nets if net.version == version],
            )
            for version in (4, 6)
        }

    def touch(self, version: int, first: int, last: int) -> bool:
        """Whether any address from ``first`` to ``last`` is in one of them."""
        starts, ends = self._bounds[version]
        at = bisect_right(starts, last) - 1
        return at >= 0 and ends[at] >= first
