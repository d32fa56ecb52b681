"""Client addresses in any form that logs use: with brackets, port or zone, IPv4 in IPv6, masked."""

import ipaddress
import socket
from dataclasses import dataclass

from aipolicy.web.networks import NetworkSet, is_public

_INTERNAL = NetworkSet(
    "0.0.0.0/32",
    "10.0.0.0/8",
    "100.64.0.0/10",  # RFC 6598
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "::/127",
    "fc00::/7",
    "fe80::/10",
)
_MASKS = {4: (0xFFFF, 0xFF), 6: ((1 << 80) - 1, (1 << 64) - 1)}
_MAPPED = bytes(10) + b"\xff\xff"  # RFC 4291 §2.5.5.2
_NAT64 = b"\x00\x64\xff\x9b" + bytes(8)  # RFC 6052 §2.1: a NAT64 between the client and the server
_MAX_CHARACTERS = 128


@dataclass(frozen=True, slots=True)
class ClientAddress:
    """The range of addresses that a logged address stands for, as numbers.

    ``last`` differs from ``first`` only if the address seems masked. Servers that anonymise their logs set
    the last 8 or 16 bits to zero (``192.0.2.0``, ``192.0.0.0``), and in IPv6 the last 64 or 80 bits.
    """

    version: int
    first: int
    last: int

    @property
    def masked(self) -> bool:
        return self.last > self.first

    @property
    def value(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        return ipaddress.IPv4Address(self.first) if self.version == 4 else ipaddress.IPv6Address(self.first)

    @property
    def last_value(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        return ipaddress.IPv4Address(self.last) if self.version == 4 else ipaddress.IPv6Address(self.last)

    @property
    def network(self) -> tuple[int, int]:
        """The /24 or /48 that contains it: one client may have all its addresses (RFC 6177 §2)."""
        return self.version, self.first >> (8 if self.version == 4 else 80)

    @property
    def behind_a_proxy(self) -> bool:
        """True for a private, shared, loopback or link-local address: a proxy's in front of the server."""
        return _INTERNAL.overlaps(self.version, self.first, self.first)

    @property
    def public(self) -> bool:
        """True if a host on the Internet can have it."""
        return is_public(ipaddress.ip_network(self.value))


def read_address(text: str | None) -> ClientAddress | None:
    """Parse an address from a log; None if it isn't one.

    ``[2001:db8::1]:443``, ``192.0.2.1:8080`` and ``fe80::1%eth0`` are read without port and zone;
    ``::ffff:192.0.2.1`` and ``64:ff9b::192.0.2.1`` as 192.0.2.1. ``192.0.2.xxx`` is invalid.
    ``192.0.2.0/32`` is not masked, because its length says that it is one address.
    """
    if not text or len(text) > _MAX_CHARACTERS:
        return None
    packed, exact = _packed(text) or _packed(_without_port(text)), False
    if packed is None and text.endswith("/128" if ":" in text else "/32"):
        packed, exact = _packed(text.rpartition("/")[0]), True
    if packed is None:
        return None
    packed = packed.removeprefix(_MAPPED).removeprefix(_NAT64)
    version = 4 if len(packed) == 4 else 6
    first = int.from_bytes(packed)
    for mask in _MASKS[version]:
        if not first & mask and not exact:
            return ClientAddress(version, first, first | mask)
    return ClientAddress(version, first, first)


def _packed(text: str) -> bytes | None:
    # inet_pton takes a fifth of the time of ipaddress, and logs have hundreds of thousands of addresses.
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except (OSError, ValueError):
        return None


def _without_port(text: str) -> str:
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    return text.partition("%")[0]
