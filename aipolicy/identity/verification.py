"""Is a client that is here now the crawler that it declares to be? Three kinds of evidence, joined.

Its address, against what its operator publishes; its host name; its signature. Nothing here waits: what DNS
or a key directory must be asked for is looked up beside, and counts from a later request on.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from aipolicy.core.crawlers import CRAWLERS, Crawler, crawler_named
from aipolicy.identity.addresses import ClientAddress, read_address
from aipolicy.identity.background import Beside
from aipolicy.identity.fresh_ranges import FreshRanges
from aipolicy.identity.identities import Identities
from aipolicy.identity.operator_lists import Ranges
from aipolicy.identity.published_checks import Identity
from aipolicy.identity.resolver import Resolver
from aipolicy.identity.reverse_dns import BUSY, Names
from aipolicy.identity.signature_evidence import Signed, signed_by, weightier

if TYPE_CHECKING:
    from aipolicy.identity.signatures import Rules, SignatureResult, SignedRequest
    from aipolicy.web.fetcher import Fetcher

_GOOD = frozenset({Identity.VERIFIED, Identity.OPERATOR_VERIFIED})
_DIRECTORIES = 64  # that wait to be read
_TRY, _PATIENCE = 1.0, 3.0  # seconds: strangers whose name servers don't answer must not hold up the others


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a client that declares a product token, and why.

    ``counts`` is whether it is to be taken for that crawler. Of one whose operator alone is certain
    (``operator_verified``) that is so where the operator gives its address, or its host name, for that very
    crawler besides others; not where it is another's of the operator's, which may fetch what its users name.
    ``pending``: more is being looked up, and may tell.
    """

    identity: Identity
    counts: bool
    reason: str
    pending: bool = False
    signature: "SignatureResult | None" = None


class _Evidence(NamedTuple):
    identity: Identity
    counts: bool
    reason: str
    pending: bool = False


class Verification:
    """Verifies clients while they are here: ``look(product_token, address, request)``.

    ``ranges``      the operators' published lists; by default those in force (``ranges_in_force``), read anew
                    within a minute when ``aipolicy crawlers update`` has refreshed them.
    ``resolver``    asks DNS; by default one that asks the machine's name servers, for at most 3 s a client.
                    ``dns=False``: nobody is asked, and crawlers that only have host names can't be verified.
    ``agents``      more signature agents than the crawler table's, and the product tokens that they sign for:
                    ``{"https://chatgpt.com": ["ChatGPT-User"]}``. No other agent's keys are ever fetched.
    ``rules``       what a signature must be.
    ``fetcher``     makes the client that reads key directories.

    What is remembered is bounded: 8,192 clients that are verified and as many that aren't, 256 directories.
    Safe to share between threads, and between sites. Raises MissingExtraError without
    ``asgi-aipolicy[identity]``.
    """

    def __init__(
        self,
        ranges: Ranges | None = None,
        *,
        resolver: Resolver | None = None,
        dns: bool = True,
        agents: Mapping[str, str | Iterable[str]] = MappingProxyType({}),
        rules: "Rules | None" = None,
        fetcher: "Callable[[], Fetcher] | None" = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        from aipolicy.identity.signatures import Agents, Directories, Verifier

        self._fresh = FreshRanges() if ranges is None else None
        if self._fresh is not None:
            ranges = self._fresh.ranges
        self._clock = clock
        self._identities = Identities(ranges, signatures=True)
        self._names: Names | None = None
        if dns:
            resolver = Resolver(timeout=_TRY, patience=_PATIENCE) if resolver is None else resolver
            self._names = Names(self._identities.ranges, resolver, clock=clock)
        self._refreshing: Beside[str] = Beside(self._refresh, threads=1, waiting=1)
        self._agents = Agents(agents)
        self._signing = {c.operator for c in CRAWLERS if self._agents.agent_of(c.product_token)}
        self._directories = Directories(self._agents, fetcher=fetcher, clock=clock)
        self._verifier = Verifier(self._directories, rules=rules, clock=clock)
        self._reading: Beside[str] = Beside(self._read, threads=2, waiting=_DIRECTORIES)

    def look(
        self, product_token: str, address: str | None, request: "SignedRequest | None" = None
    ) -> Standing:
        """What is known now. ``address`` is the client's own, ``request`` what it sent, if that is signed."""
        if self._fresh is not None and self._fresh.due:
            self._refreshing.start("lists")
        crawler = crawler_named(product_token)
        if crawler is None:
            return Standing(Identity.UNVERIFIABLE, False, "it is not in the crawler table")
        client = read_address(address)
        # With its length, for the address of a client that is here was not masked by anybody.
        text = None if client is None else f"{client.value}/{client.value.max_prefixlen}"
        found = self._by_lists(crawler, text, datetime.fromtimestamp(self._clock(), UTC).date())
        if found.counts:
            return Standing(*found)
        signed = None
        if request is not None and crawler.operator in self._signing:  # else there is nothing to gain
            signed = self._by_signature(crawler, request)
        if signed is not None and signed.counts:
            return Standing(signed.identity, True, signed.reason, signature=signed.result)
        if client is not None and text is not None and found.identity not in _GOOD:
            found = self._by_name(crawler, client, text) or found
        if signed is None or found.counts:
            return Standing(*found)
        return Standing(
            weightier(found.identity, signed.identity),
            False,
            f"{found.reason}; {signed.reason}",
            found.pending or bool(signed.pending),
            signed.result,
        )

    def ways(self, product_token: str) -> Mapping[str, object]:
        """How that crawler can be verified, as its operator publishes it; empty: it can't be."""
        crawler = crawler_named(product_token)
        agent = None if crawler is None else self._agents.agent_of(crawler.product_token)
        ways = {
            "addresses": list(crawler.ranges) if crawler else [],
            "host_names": list(crawler.rdns) if crawler and self._names else [],
            "web_bot_auth": agent.url if agent else None,
        }
        return {name: way for name, way in ways.items() if way}

    def settle(self) -> None:
        """Wait until nothing is looked up any more: for tests, and for who asks once."""
        if self._names is not None:
            self._names.settle()
        self._reading.settle()
        self._refreshing.settle()

    def _refresh(self, _: str) -> None:
        ranges = None if self._fresh is None else self._fresh.again()
        if ranges is not None:
            self._identities = Identities(ranges, signatures=True)
            if self._names is not None:
                self._names.use(ranges)

    def _by_lists(self, crawler: Crawler, address: str | None, today: date) -> _Evidence:
        token, identities = crawler.product_token, self._identities
        identity = identities.identify(token, address, today)
        if identity is Identity.VERIFIED:
            return _Evidence(identity, True, "its operator publishes its address")
        if identity is Identity.OPERATOR_VERIFIED:
            named = identities.names(token, address, today)
            whose = {
                True: "for this crawler and others",
                False: "for others of its crawlers",
                None: "but the lists known here don't tell for which of its crawlers "
                "(aipolicy crawlers update reads each by itself)",
            }
            return _Evidence(identity, bool(named), f"its operator publishes its address, {whose[named]}")
        return _Evidence(identity, False, self._why_not(crawler, identity, address, today))

    def _why_not(self, crawler: Crawler, identity: Identity, address: str | None, today: date) -> str:
        if identity is Identity.SPOOFED:
            return "its address is none that its operator publishes"
        if identity is Identity.CHECK_FAILED:
            proxy = self._identities.proxy_of(address)
            if proxy is not None:
                operator = proxy.published.operator
                return f"its address is not known: one of {operator}'s proxies stands for it"
            return (
                "its address is not known: a proxy's stands for it" if address else "its address is not known"
            )
        if self._identities.outdated_on(crawler.product_token, today):
            fix = "aipolicy crawlers update reads them anew"
            return f"its operator's lists were read too long ago to tell ({fix})"
        if crawler.ranges or crawler.rdns or self._agents.agent_of(crawler.product_token):
            return "what its operator publishes does not tell"
        return "its operator publishes nothing to verify it by"

    def _by_name(self, crawler: Crawler, client: ClientAddress, text: str) -> _Evidence | None:
        """What DNS says, or None where there is nothing to ask."""
        if self._names is None or not crawler.rdns or not client.public:
            return None
        if self._identities.proxy_of(text) is not None:
            return None  # its host name is the proxy's
        named = self._names.find(crawler.product_token, text)
        if named is None:
            return _Evidence(Identity.CHECK_FAILED, False, "its host name is being looked up", True)
        if named is BUSY:
            return _Evidence(
                named.identity, False, "its host name can't be looked up now: too many are waiting"
            )
        if named.identity in _GOOD:
            whose = "" if named.own else ", of others of its crawlers"
            return _Evidence(named.identity, named.own, f"its host name is its operator's{whose}")
        if named.identity is Identity.CHECK_FAILED:
            return _Evidence(named.identity, False, "its host name could not be looked up")
        if named.identity is Identity.UNVERIFIABLE:
            return None  # the lists leave it open, and so does a host name that isn't its operator's
        return _Evidence(named.identity, False, "neither its address nor its host name is its operator's")

    def _by_signature(self, crawler: Crawler, request: "SignedRequest") -> Signed | None:
        results = self._verifier.verify_each(request)
        started = {r.fetch for r in results if r.fetch is not None and self._reading.start(r.fetch)}
        signed = signed_by(crawler, results, self._agents)
        return None if signed is None else signed._replace(pending=signed.pending & started)

    def _read(self, directory: str) -> None:
        asyncio.run(self._directories.fetch(directory))
