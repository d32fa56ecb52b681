"""Which addresses are public: IANA's special-purpose registries (RFC 6890), multicast, what is reserved."""

import ipaddress

from aipolicy.web.network_set import Spans

# Addresses that carry an IPv4 address inside are not public, either: who knows where they lead.
_NOT_PUBLIC = Spans(
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
_GLOBAL_UNICAST = Spans("2000::/3")  # all of IPv6 that IANA gives away


def is_public(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    """Whether all of ``network`` can be somebody's on the Internet."""
    first, last = int(network.network_address), int(network.broadcast_address)
    if _NOT_PUBLIC.touch(network.version, first, last):
        return False
    return network.version == 4 or _GLOBAL_UNICAST.touch(6, first, last)
