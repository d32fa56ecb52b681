"""Parser of the prefixes in operators' published lists.

The checks are strict, because every client with an address in a list counts as that operator.
"""

import html
import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from aipolicy.errors import RangesError
from aipolicy.web.networks import is_public

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a list.

    Attributes:
        user: The kind of client in the list, for messages.
        widest: The shortest allowed prefix length, by IP version.
        most: The maximum number of addresses, by IP version.
    """

    user: str
    widest: Mapping[int, int]
    most: Mapping[int, int]


CRAWLERS = Limits("a crawler", MappingProxyType({4: 12, 6: 29}), MappingProxyType({4: 1 << 25, 6: 1 << 101}))
PROXIES = Limits("a proxy", MappingProxyType({4: 10, 6: 24}), MappingProxyType({4: 1 << 25, 6: 1 << 105}))

_WIDEST_OF = {"Apple": {4: 8, 6: 29}}  # Apple owns all of 17.0.0.0/8
_KEYS = ("ipv4Prefix", "ipv6Prefix", "ip_prefix", "ipv6_prefix", "prefix")
_CODE = re.compile(r"<code(?=[\s>])", re.IGNORECASE)
_CODE_END = re.compile(r"</code", re.IGNORECASE)
_MAX_SHOWN = 80  # characters of an invalid prefix in a message


def network(text: str, operator: str = "", limits: Limits = CRAWLERS) -> Network:
    """Parse a prefix; an address alone is a network of one address.

    Raises:
        RangesError: It is not a prefix, not public, or wider than ``limits`` allow.
    """
    address, slash, length = text.partition("/")
    quoted = repr(text[:_MAX_SHOWN])
    try:
        if slash and not (length.isascii() and length.isdigit()):
            raise ValueError(f"{length!r} is not a length")
        found = ipaddress.ip_network(text)
    except ValueError as error:
        reason = str(error)[: 2 * _MAX_SHOWN]
        raise RangesError(f"{quoted} is not a prefix like '192.0.2.0/24' ({reason})") from None
    if "%" in address:
        raise RangesError(f"{quoted} has a zone, which a published prefix can't have")
    if not is_public(found):
        raise RangesError(f"{quoted} is not public: private, reserved or for documentation")
    widest = _WIDEST_OF.get(operator, limits.widest)[found.version]
    if found.prefixlen < widest:
        raise RangesError(f"{quoted} is too wide for {operator or limits.user}: at most a /{widest}")
    return found


def networks(texts: Iterable[str], operator: str = "", limits: Limits = CRAWLERS) -> tuple[Network, ...]:
    """Parse prefixes; return them sorted, IPv4 first, with adjacent ones joined.

    Raises:
        RangesError: A prefix is invalid; or the list is empty, so that every client would count as spoofed;
            or it has more addresses than ``limits`` allow.
    """
    found = [network(str(text), operator, limits) for text in texts]
    if not found:
        raise RangesError("the list is empty")
    joined = tuple(found) if _are_joined(found) else _joined(found)
    for version, most in limits.most.items():
        if (total := sum(net.num_addresses for net in joined if net.version == version)) > most:
            raise RangesError(f"the list has {total} addresses of IPv{version}: too many for {limits.user}")
    return joined


def _joined(found: Iterable[Network]) -> tuple[Network, ...]:
    v4 = (net for net in found if isinstance(net, ipaddress.IPv4Network))
    v6 = (net for net in found if isinstance(net, ipaddress.IPv6Network))
    return (*ipaddress.collapse_addresses(v4), *ipaddress.collapse_addresses(v6))


def _are_joined(found: Iterable[Network]) -> bool:
    """Return True if ``_joined`` would change nothing, as for the packaged lists; it takes far longer."""
    previous = (0, -1, 0, 0)  # version, last address, prefix length, first address
    for net in found:
        first, size = int(net.network_address), 1 << (net.max_prefixlen - net.prefixlen)
        if net.version < previous[0] or (net.version == previous[0] and first <= previous[1]):
            return False
        siblings = (net.version, first - 1, net.prefixlen, first - size)
        if previous == siblings and not first - size & size:
            return False
        previous = (net.version, first + size - 1, net.prefixlen, first)
    return True


def published_prefixes(text: str) -> list[str]:
    """Return the prefixes in an operator's list as it writes them.

    The forms are ``{"prefixes": [{"ipv4Prefix": "192.0.2.0/24"}, {"ipv6Prefix": ...}]}``, the same with
    ``ip_prefix``, and either inside the ``<code>`` of a web page (Amazon's).

    Raises:
        RangesError: It is not such a list.
    """
    in_page = _in_page(text)
    try:
        document = json.loads(text if in_page is None else html.unescape(in_page))
    except (ValueError, RecursionError) as error:
        raise RangesError(f"the list is not JSON ({error})") from None
    entries = document.get("prefixes") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise RangesError('the list has no "prefixes"')
    return [_prefix(entry) for entry in entries]


def _in_page(page: str) -> str | None:
    """Return the first ``<code>`` of a web page that contains an object."""
    at = 0
    while opening := _CODE.search(page, at):
        begins = page.find(">", opening.end())
        ends = _CODE_END.search(page, begins) if begins >= 0 else None
        if ends is None:
            return None
        inside = page[begins + 1 : ends.start()].strip()
        if inside.startswith("{"):
            return inside
        at = ends.end()
    return None


def _prefix(entry: Any) -> str:
    values = [entry[key] for key in _KEYS if key in entry] if isinstance(entry, dict) else [entry]
    if len(values) != 1 or not isinstance(values[0], str):
        raise RangesError(f"{repr(entry)[:_MAX_SHOWN]} is not a prefix: expected one of {', '.join(_KEYS)}")
    return values[0]
