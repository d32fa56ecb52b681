"""Sets of IP networks, and the addresses that are public."""

import ipaddress
from bisect import bisect_right


class NetworkSet:
    """Networks that don't overlap each other, sorted for bisection."""

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

    def overlaps(self, version: int, first: int, last: int) -> bool:
        """Return True if any address from ``first`` to ``last`` is in the set."""
        starts, ends = self._bounds[version]
        at = bisect_right(starts, last) - 1
        return at >= 0 and ends[at] >= first


# IANA's special-purpose registries (RFC 6890), multicast and reserved networks. Addresses that contain an
# IPv4 address (6to4, Teredo) are included, because that one can be private.
_NOT_PUBLIC = NetworkSet(
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
)
_GLOBAL_UNICAST = NetworkSet("2000::/3")  # the part of IPv6 that IANA allocates


def is_public(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    """Return True if every address of ``network`` can belong to a host on the Internet."""
    first, last = int(network.network_address), int(network.broadcast_address)
    if _NOT_PUBLIC.overlaps(network.version, first, last):
        return False
    return network.version == 4 or _GLOBAL_UNICAST.overlaps(6, first, last)
