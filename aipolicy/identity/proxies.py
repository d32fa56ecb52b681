"""Content delivery networks, load balancers and cloud proxies between a client and a server.

The address of such a proxy says nothing about the client. The lists contain only addresses from which an
operator's proxies connect to servers, as it publishes them for firewalls. Machines that anyone can rent are
excluded, because a request from one comes from a client. ``ranges.json`` has copies with source and date.
"""

import ipaddress
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from aipolicy.errors import RangesError
from aipolicy.identity.prefixes import PROXIES as LIMITS
from aipolicy.identity.prefixes import Network, networks


@dataclass(frozen=True, slots=True)
class Proxy:
    """An operator of proxies.

    Attributes:
        operator: The name, which differs from every crawler operator's.
        urls: The URLs of the lists of addresses from which its proxies connect to servers.
        header: The request header with the client's address.
        by_hand: True if the URLs are web pages, or don't return the list to a GET request.
        without: Prefixes of its lists that are not only used by proxies.
    """

    operator: str
    urls: tuple[str, ...]
    header: str
    by_hand: bool = False
    without: tuple[str, ...] = ()


PROXIES: tuple[Proxy, ...] = (
    Proxy(
        "Akamai",
        (
            "https://techdocs.akamai.com/property-manager/pdfs/akamai_ipv4_CIDRs.txt",
            "https://techdocs.akamai.com/property-manager/pdfs/akamai_ipv6_CIDRs.txt",
        ),
        "True-Client-IP",
        without=("172.224.0.0/12",),  # compute (Linode), and exits of iCloud Private Relay
    ),
    Proxy("Amazon CloudFront", ("https://ip-ranges.amazonaws.com/ip-ranges.json",), "X-Forwarded-For"),
    Proxy(
        "Azure Front Door",
        ("https://www.microsoft.com/en-us/download/details.aspx?id=56519",),
        "X-Azure-ClientIP",
        by_hand=True,
    ),
    Proxy(
        "bunny.net",
        (
            "https://api.bunny.net/system/edgeserverlist",
            "https://api.bunny.net/system/edgeserverlist/IPv6",
        ),
        "X-Forwarded-For",
    ),
    Proxy("CacheFly", ("https://cachefly.cachefly.net/ips/cdn.txt",), "X-Forwarded-For"),
    Proxy("CDN77", ("https://prefixlists.tools.cdn77.com/public_lmax_prefixes.json",), "X-Forwarded-For"),
    Proxy("Cloudflare", ("https://api.cloudflare.com/client/v4/ips",), "CF-Connecting-IP"),
    Proxy("Fastly", ("https://api.fastly.com/public-ip-list",), "Fastly-Client-IP"),
    Proxy("Gcore", ("https://api.gcore.com/cdn/public-ip-list",), "X-Forwarded-For"),
    Proxy(
        "Google Cloud Load Balancing",
        ("https://cloud.google.com/load-balancing/docs/firewall-rules",),
        "X-Forwarded-For",
        by_hand=True,
    ),
    Proxy("Imperva", ("https://my.imperva.com/api/integration/v1/ips",), "Incap-Client-IP", by_hand=True),
    Proxy("KeyCDN", ("https://www.keycdn.com/shield-prefixes.json",), "X-Forwarded-For"),
    Proxy(
        "Sucuri",
        ("https://docs.sucuri.net/website-firewall/sucuri-firewall-troubleshooting-guide/",),
        "X-Sucuri-ClientIP",
        by_hand=True,
    ),
)
"""Sorted by operator."""

PROXY_OF: Mapping[str, Proxy] = MappingProxyType({url: proxy for proxy in PROXIES for url in proxy.urls})
"""The proxy of each list, by its URL."""

HEADERS: Mapping[str, str] = MappingProxyType({proxy.operator: proxy.header for proxy in PROXIES})

# Values of "service" in Amazon's file of all its addresses.
_SERVICES = frozenset({"CLOUDFRONT", "CLOUDFRONT_ORIGIN_FACING", "GLOBALACCELERATOR"})
_COMPUTE = "EC2"
_MEMBERS = (
    "prefixes",
    "ipv6_prefixes",
    "addresses",
    "addresses_v6",
    "ipv6_addresses",
    "ipv4_cidrs",
    "ipv6_cidrs",
)
_KEYS = ("ip_prefix", "ipv6_prefix", "prefix", "ipv4Prefix", "ipv6Prefix")


def proxy_networks(text: str, url: str) -> tuple[Network, ...]:
    """Parse a list of proxies.

    It can be lines of prefixes, an array of them, or an object with such arrays (Cloudflare's is below
    ``result``). If the entries have a ``service``, as in Amazon's list, only those of proxies are returned,
    without the compute networks inside them.

    Raises:
        RangesError: It is not such a list.
    """
    taken, compute = [], []
    for prefix, service in _entries(text):
        if service is None or service in _SERVICES:
            taken.append(prefix)
        elif service == _COMPUTE:
            compute.append(prefix)
    other = [ipaddress.ip_network(prefix) for prefix in PROXY_OF[url].without]
    inside = [ipaddress.ip_network(prefix) for prefix in compute]
    found = [net for net in networks(taken, "", LIMITS) if not any(_holds(each, net) for each in other)]
    return networks(map(str, _excluding(found, [*other, *inside])), "", LIMITS)


def _entries(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield each prefix with its service, if it has one."""
    if not text.lstrip().startswith(("{", "[")):
        words = (line.partition("#")[0].split() for line in text.splitlines())
        yield from ((word, None) for line in words for word in line[-1:])
        return
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RangesError(f"the list is not JSON ({error})") from None
    if isinstance(document, dict) and isinstance(document.get("result"), dict):
        document = document["result"]
    if isinstance(document, dict):
        arrays = [document[name] for name in _MEMBERS if name in document]
        if not arrays:
            raise RangesError(f"the list has none of {', '.join(_MEMBERS)}")
    else:
        arrays = [document]
    for array in arrays:
        if not isinstance(array, list):
            raise RangesError("the list's prefixes are not in an array")
        yield from map(_entry, array)


def _entry(entry: Any) -> tuple[str, str | None]:
    if isinstance(entry, str):
        return entry, None
    values = [entry[key] for key in _KEYS if key in entry] if isinstance(entry, dict) else []
    service = entry.get("service") if isinstance(entry, dict) else None
    if len(values) != 1 or not isinstance(values[0], str) or not isinstance(service, str | None):
        raise RangesError(f"{entry!r:.80} is not a prefix: expected one of {', '.join(_KEYS)}")
    return values[0], service


def _excluding(found: Iterable[Network], without: Iterable[Network]) -> Iterator[Network]:
    """Yield ``found`` without the networks in ``without`` that are inside it.

    A wider network removes nothing, because the more specific entry says who uses the addresses.
    """
    others = sorted(without, key=lambda net: net.prefixlen)
    for net in found:
        left: list[Network] = [net]
        for other in others:
            if _holds(net, other):
                left = [part for each in left for part in _exclude(each, other)]
        yield from left


def _exclude(net: Network, other: Network) -> Iterable[Network]:
    if _holds(other, net):
        return ()
    return net.address_exclude(other) if _holds(net, other) else (net,)  # type: ignore[arg-type]


def _holds(wide: Network, net: Network) -> bool:
    return wide.version == net.version and net.subnet_of(wide)  # type: ignore[arg-type]
