"""Verification of live clients by address, host name and signature, without waiting.

DNS and key directories are asked in the background. Their answers count from a later request on.
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
from aipolicy.identity.background import BackgroundWorkers
from aipolicy.identity.identity_checker import IdentityChecker
from aipolicy.identity.operator_lists import Ranges
from aipolicy.identity.published_checks import Identity
from aipolicy.identity.ranges_file import RangesWatcher
from aipolicy.identity.resolver import Resolver
from aipolicy.identity.reverse_dns import BUSY, ReverseDns
from aipolicy.identity.signature_evidence import SignatureEvidence, signature_evidence, stronger_identity

if TYPE_CHECKING:
    from aipolicy.identity.signatures import Rules, SignatureResult, SignedRequest
    from aipolicy.web.fetcher import Fetcher

_VERIFIED = frozenset({Identity.VERIFIED, Identity.OPERATOR_VERIFIED})
_MAX_WAITING_DIRECTORIES = 64
# Seconds. Clients whose name servers don't answer must not delay the others.
_DNS_TIMEOUT, _DNS_TOTAL_TIMEOUT = 1.0, 3.0


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """The identity of a client that declares a product token.

    Attributes:
        identity: The identity.
        counts: True if the client is accepted as that crawler. An *operator_verified* client is accepted if
            the operator publishes its address or host name for that very crawler, perhaps with others. An
            address of the operator's other crawlers is not enough: one may fetch URLs that its users choose.
        reason: The reason, for people.
        pending: True if a look-up in the background may change the answer.
        signature: The result of the signature that decided, if any.
    """

    identity: Identity
    counts: bool
    reason: str
    pending: bool = False
    signature: "SignatureResult | None" = None


class _Result(NamedTuple):
    identity: Identity
    counts: bool
    reason: str
    pending: bool = False


class Verification:
    """A verifier of live clients, for servers.

    Its caches hold up to 8,192 verified clients, as many others, and 256 key directories. One object can be
    shared by threads and sites.

    Args:
        ranges: The operators' address lists; by default those of ``ranges_in_force``, which are read again
            within a minute after ``aipolicy crawlers update``.
        resolver: Asks DNS; by default the machine's name servers, for up to 3 s for one client.
        dns: False to never ask DNS. Crawlers that can only be verified by host name then stay unverified.
        agents: Signature agents besides those of the crawler table, with the product tokens that they sign
            for: ``{"https://chatgpt.com": ["ChatGPT-User"]}``. No other agent's keys are fetched.
        rules: The requirements for signatures.
        fetcher: Returns the HTTP client that reads key directories.
        clock: Returns the time in seconds since 1970.

    Raises:
        MissingExtraError: ``asgi-aipolicy[identity]`` is not installed.
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

        self._watcher = RangesWatcher() if ranges is None else None
        if self._watcher is not None:
            ranges = self._watcher.ranges
        self._clock = clock
        self._checker = IdentityChecker(ranges, signatures=True)
        self._reverse_dns: ReverseDns | None = None
        if dns:
            if resolver is None:
                resolver = Resolver(timeout=_DNS_TIMEOUT, total_timeout=_DNS_TOTAL_TIMEOUT)
            self._reverse_dns = ReverseDns(self._checker.ranges, resolver, clock=clock)
        self._list_reader: BackgroundWorkers[str] = BackgroundWorkers(
            self._reload_lists, threads=1, max_waiting=1
        )
        self._agents = Agents(agents)
        self._signing = {c.operator for c in CRAWLERS if self._agents.agent_of(c.product_token)}
        self._directories = Directories(self._agents, fetcher=fetcher, clock=clock)
        self._verifier = Verifier(self._directories, rules=rules, clock=clock)
        self._directory_reader: BackgroundWorkers[str] = BackgroundWorkers(
            self._fetch_directory, threads=2, max_waiting=_MAX_WAITING_DIRECTORIES
        )

    def verify(
        self, product_token: str, address: str | None, request: "SignedRequest | None" = None
    ) -> VerificationResult:
        """Return the identity as it is known now. Never waits.

        Args:
            product_token: The product token that the client declares.
            address: The client's own address, or None if it is not known.
            request: The request, if it is signed.
        """
        if self._watcher is not None and self._watcher.due:
            self._list_reader.start("lists")
        crawler = crawler_named(product_token)
        if crawler is None:
            return VerificationResult(Identity.UNVERIFIABLE, False, "it is not in the crawler table")
        client = read_address(address)
        # With the prefix length, which says that the address of a live client is not masked.
        text = None if client is None else f"{client.value}/{client.value.max_prefixlen}"
        found = self._by_lists(crawler, text, datetime.fromtimestamp(self._clock(), UTC).date())
        if found.counts:
            return VerificationResult(*found)
        signed = None
        if request is not None and crawler.operator in self._signing:
            signed = self._by_signature(crawler, request)
        if signed is not None and signed.counts:
            return VerificationResult(signed.identity, True, signed.reason, signature=signed.result)
        if client is not None and text is not None and found.identity not in _VERIFIED:
            found = self._by_host_name(crawler, client, text) or found
        if signed is None or found.counts:
            return VerificationResult(*found)
        return VerificationResult(
            stronger_identity(found.identity, signed.identity),
            False,
            f"{found.reason}; {signed.reason}",
            found.pending or bool(signed.pending),
            signed.result,
        )

    def verification_methods(self, product_token: str) -> Mapping[str, object]:
        """Return the ways to verify a crawler that its operator publishes; empty if there are none."""
        crawler = crawler_named(product_token)
        agent = None if crawler is None else self._agents.agent_of(crawler.product_token)
        methods = {
            "addresses": list(crawler.ranges) if crawler else [],
            "host_names": list(crawler.rdns) if crawler and self._reverse_dns else [],
            "web_bot_auth": agent.url if agent else None,
        }
        return {name: value for name, value in methods.items() if value}

    def wait_until_idle(self) -> None:
        """Wait until no look-up is running: for tests and commands."""
        if self._reverse_dns is not None:
            self._reverse_dns.wait_until_idle()
        self._directory_reader.wait_until_idle()
        self._list_reader.wait_until_idle()

    def _reload_lists(self, _: str) -> None:
        ranges = None if self._watcher is None else self._watcher.reload()
        if ranges is not None:
            self._checker = IdentityChecker(ranges, signatures=True)
            if self._reverse_dns is not None:
                self._reverse_dns.use_ranges(ranges)

    def _fetch_directory(self, directory: str) -> None:
        asyncio.run(self._directories.fetch(directory))

    def _by_lists(self, crawler: Crawler, address: str | None, today: date) -> _Result:
        token, checker = crawler.product_token, self._checker
        identity = checker.identify(token, address, today)
        if identity is Identity.VERIFIED:
            return _Result(identity, True, "its operator publishes its address")
        if identity is Identity.OPERATOR_VERIFIED:
            listed = checker.lists_crawler(token, address, today)
            crawlers = {
                True: "for this crawler and others",
                False: "for others of its crawlers",
                None: "but the known copy of its lists doesn't say for which of its crawlers "
                "(`aipolicy crawlers update` reads each list by itself)",
            }[listed]
            return _Result(identity, bool(listed), f"its operator publishes its address, {crawlers}")
        return _Result(identity, False, self._failure(crawler, identity, address, today))

    def _failure(self, crawler: Crawler, identity: Identity, address: str | None, today: date) -> str:
        """Return the reason why the lists don't verify a client."""
        if identity is Identity.SPOOFED:
            return "its operator doesn't publish its address"
        if identity is Identity.CHECK_FAILED:
            proxy = self._checker.proxy_of(address)
            if proxy is not None:
                return (
                    f"its address is not known: the request comes from a proxy of {proxy.published.operator}"
                )
            proxied = ": the request comes from a proxy" if address else ""
            return f"its address is not known{proxied}"
        if self._checker.outdated_on(crawler.product_token, today):
            return "the known copy of its operator's lists is too old; run `aipolicy crawlers update`"
        if crawler.ranges or crawler.rdns or self._agents.agent_of(crawler.product_token):
            return "the checks that its operator publishes don't decide"
        return "its operator publishes nothing to verify it by"

    def _by_host_name(self, crawler: Crawler, client: ClientAddress, text: str) -> _Result | None:
        """Return the answer of DNS, or None if there is nothing to ask or the answer doesn't decide."""
        if self._reverse_dns is None or not crawler.rdns or not client.public:
            return None
        if self._checker.proxy_of(text) is not None:
            return None  # its host name is the proxy's
        found = self._reverse_dns.find(crawler.product_token, text)
        if found is None:
            return _Result(Identity.CHECK_FAILED, False, "its host name is being looked up", True)
        identity, own = found
        if found is BUSY:
            reason = "its host name can't be looked up now: too many clients are waiting"
            return _Result(identity, False, reason)
        if identity in _VERIFIED:
            others = "" if own else ", for others of its crawlers"
            return _Result(identity, own, f"its operator publishes its host name{others}")
        if identity is Identity.CHECK_FAILED:
            return _Result(identity, False, "its host name could not be looked up")
        if identity is Identity.UNVERIFIABLE:
            return None
        return _Result(identity, False, "its operator publishes neither its address nor its host name")

    def _by_signature(self, crawler: Crawler, request: "SignedRequest") -> SignatureEvidence | None:
        results = self._verifier.verify_each(request)
        started = {r.fetch for r in results if r.fetch is not None and self._directory_reader.start(r.fetch)}
        signed = signature_evidence(crawler, results, self._agents)
        return None if signed is None else signed._replace(pending=signed.pending & started)
