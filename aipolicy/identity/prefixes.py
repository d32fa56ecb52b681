"""The prefixes of an operator's published list: read in the forms that operators use, and checked.

Nothing that can't be a crawler's gets in: whoever is in a list counts as that operator.
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
from aipolicy.web.public_networks import is_public

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a list may hold, by version: the length of its widest prefix, and addresses in all."""

    whose: str
    widest: Mapping[int, int]
    most: Mapping[int, int]


CRAWLERS = Limits("a crawler", MappingProxyType({4: 12, 6: 29}), MappingProxyType({4: 1 << 25, 6: 1 << 101}))
PROXIES = Limits("a proxy", MappingProxyType({4: 10, 6: 24}), MappingProxyType({4: 1 << 25, 6: 1 << 105}))

_WIDEST_OF = {"Apple": {4: 8, 6: 29}}  # 17.0.0.0/8 is Apple's own, whole
_KEYS = ("ipv4Prefix", "ipv6Prefix", "ip_prefix", "ipv6_prefix", "prefix")
_CODE = re.compile(r"<code(?=[\s>])", re.IGNORECASE)
_CODE_END = re.compile(r"</code", re.IGNORECASE)
_SHOWN = 80  # characters of what can't be read


def network(text: str, operator: str = "", limits: Limits = CRAWLERS) -> Network:
    """The network of a prefix; an address alone is a network of one.

    Raises RangesError for what isn't a prefix, isn't public, or is wider than ``limits`` allow.
    """
    address, slash, length = text.partition("/")
    shown = repr(text[:_SHOWN])
    try:
        if slash and not (length.isascii() and length.isdigit()):
            raise ValueError(f"{length!r} is not a length")
        found = ipaddress.ip_network(text)
    except ValueError as error:
        reason = str(error)[: 2 * _SHOWN]
        raise RangesError(f"{shown} is not a prefix like '192.0.2.0/24' ({reason})") from None
    if "%" in address:
        raise RangesError(f"{shown} has a zone: a published prefix has none")
    if not is_public(found):
        raise RangesError(f"{shown} is not public: private, reserved or for documentation")
    widest = _WIDEST_OF.get(operator, limits.widest)[found.version]
    if found.prefixlen < widest:
        raise RangesError(f"{shown} is too wide for {operator or limits.whose}: at most a /{widest}")
    return found


def networks(texts: Iterable[str], operator: str = "", limits: Limits = CRAWLERS) -> tuple[Network, ...]:
    """The networks of ``texts``: sorted, IPv4 first, joined where they touch. Raises RangesError.

    An empty list is an error, too: it would make a forgery of every request. So is one of half the Internet.
    """
    found = [network(str(text), operator, limits) for text in texts]
    if not found:
        raise RangesError("the list is empty: keep the last good one")
    v4 = (net for net in found if isinstance(net, ipaddress.IPv4Network))
    v6 = (net for net in found if isinstance(net, ipaddress.IPv6Network))
    joined: tuple[Network, ...] = (*ipaddress.collapse_addresses(v4), *ipaddress.collapse_addresses(v6))
    for version, most in limits.most.items():
        if (total := sum(net.num_addresses for net in joined if net.version == version)) > most:
            raise RangesError(f"the list has {total} addresses of IPv{version}: too many for {limits.whose}")
    return joined


def published(text: str) -> list[str]:
    """The prefixes in an operator's list, as it writes them. Raises RangesError where it isn't such a list.

    ``{"prefixes": [{"ipv4Prefix": "192.0.2.0/24"}, {"ipv6Prefix": ...}]}``, with ``ip_prefix`` for short, and
    the same inside the ``<code>`` of a page (Amazon's).
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
    """The first ``<code>`` of a page that holds an object."""
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
        shown = repr(entry)[:_SHOWN]
        raise RangesError(f"{shown} is not a prefix: it has one of {', '.join(_KEYS)}")
    return values[0]
