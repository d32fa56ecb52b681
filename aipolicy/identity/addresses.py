"""A client's address, however a log writes it: brackets, port, zone, IPv4 inside IPv6, masked."""

import ipaddress
import socket
from dataclasses import dataclass

from aipolicy.web.network_set import Spans
from aipolicy.web.public_networks import is_public

_INSIDE = Spans(
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
_TRANSLATED = b"\x00\x64\xff\x9b" + bytes(8)  # RFC 6052 §2.1: by a NAT64 between the client and the server
_LONGEST = 128  # characters


@dataclass(frozen=True, slots=True)
class ClientAddress:
    """An address as a number, and the last of the addresses that it may stand for.

    ``last`` is another one than ``first`` where the address seems masked. Those who shorten addresses before
    they store them write zeros: ``192.0.2.0`` (or ``192.0.0.0``), and in IPv6 the last 64 or 80 bits.
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
        """The /24, or /48, that it is in: who has one address of it may well have them all.

        A site gets a /48 for the asking, and a home a /56 of it (RFC 6177 §2).
        """
        return self.version, self.first >> (8 if self.version == 4 else 80)

    @property
    def behind_a_proxy(self) -> bool:
        """Private, shared, loopback or link-local: not a client's outside, but a proxy's in front."""
        return _INSIDE.touch(self.version, self.first, self.first)

    @property
    def public(self) -> bool:
        """Whether anything on the Internet can have it."""
        return is_public(ipaddress.ip_network(self.value))


def read_address(text: str | None) -> ClientAddress | None:
    """Read an address as it stands in a log; None where it isn't one.

    ``[2001:db8::1]:443``, ``192.0.2.1:8080`` and ``fe80::1%eth0`` lose what isn't the address;
    ``::ffff:192.0.2.1`` and ``64:ff9b::192.0.2.1`` are 192.0.2.1. ``192.0.2.xxx`` can't be read.
    ``192.0.2.0/32`` is not masked: whoever writes its length means that address.
    """
    if not text or len(text) > _LONGEST:
        return None
    octets, whole = _parsed(text) or _parsed(_bare(text)), False
    if octets is None and text.endswith("/128" if ":" in text else "/32"):
        octets, whole = _parsed(text.rpartition("/")[0]), True
    if octets is None:
        return None
    octets = octets.removeprefix(_MAPPED).removeprefix(_TRANSLATED)
    version = 4 if len(octets) == 4 else 6
    first = int.from_bytes(octets)
    for mask in _MASKS[version]:
        if not first & mask and not whole:
            return ClientAddress(version, first, first | mask)
    return ClientAddress(version, first, first)


def _parsed(text: str) -> bytes | None:
    # Not by ipaddress: logs have hundreds of thousands, and it takes five times as long.
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except (OSError, ValueError):
        return None


def _bare(text: str) -> str:
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    return text.partition("%")[0]
