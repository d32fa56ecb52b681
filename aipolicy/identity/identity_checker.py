"""Verification of clients in log lines, by published addresses and reverse DNS.

Rules of evidence:

- A request is checked against the lists as they were on its day, according to their readings. An address that
  was listed only at another time, more than ``LIST_MARGIN`` away, is *unverifiable*: its user on that day is
  not known.
- A list proves no forgery if it was first read more than ``LIST_MARGIN`` after the request, if it was last
  read more than ``LIST_MAX_AGE`` before it, or if it is known to be superseded. It still verifies.
- DNS answers for today. A missing host name says nothing against a request older than ``LIST_MARGIN``.
- A client is *spoofed* only if every check that its operator publishes was made and failed. A list alone
  proves no forgery of a crawler that may also have a host name, or sign.
- If the address belongs to a CDN, a load balancer or a cloud's proxy (``proxies``), it isn't the client's,
  and the check can't be made. The crawler's own lists are asked first.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TypeVar

from aipolicy.core.bounded_cache import BoundedCache
from aipolicy.core.crawlers import crawler_named
from aipolicy.identity.addresses import ClientAddress, read_address
from aipolicy.identity.operator_lists import LIST_MARGIN, AddressList, Ranges, packaged_ranges
from aipolicy.identity.prefixes import Network
from aipolicy.identity.published_checks import (
    NO_CHECK,
    AddressIndex,
    Identity,
    OperatorCheck,
    operator_check,
)
from aipolicy.identity.resolver import DnsAnswer, DnsQuestion, DnsTrace, Resolver

_MAX_ANSWERS = 1 << 17
_MAX_CHECKS = 4096
_OPEN = frozenset({Identity.SPOOFED, Identity.UNVERIFIABLE})  # a host name may still verify these

A = TypeVar("A", bound=str | None)
D = TypeVar("D", bound=date | None)


def _today() -> date:
    return datetime.now(UTC).date()


@dataclass(frozen=True, slots=True)
class PrefixMatch:
    """A prefix of a list that contains the address.

    Attributes:
        published: The list.
        prefix: The prefix.
        counts: True if the list had the prefix on the day of the request.
        exact: True if only the declared crawler uses the list.
    """

    published: AddressList
    prefix: Network
    counts: bool
    exact: bool


@dataclass(frozen=True, slots=True)
class IdentityEvidence:
    """The identity of a client, and everything it is based on.

    Attributes:
        identity: The identity.
        check: The checks that the operator publishes.
        client: The client's address; None if it is invalid.
        proxy: The proxy's prefix that contains the address, if that is why the check failed.
        day: The day of the request.
        today: The day of the check.
        trace: The answers of DNS; None if it was not asked.
        asks_dns: True if DNS may be asked.
    """

    identity: Identity
    check: OperatorCheck
    client: ClientAddress | None
    proxy: PrefixMatch | None
    day: date
    today: date
    trace: DnsTrace | None
    asks_dns: bool

    @property
    def matches(self) -> tuple[PrefixMatch, ...]:
        """The prefixes that contain the address, or any address it may stand for; those that count first."""
        return tuple(sorted(self._matches(), key=lambda match: (not match.counts, not match.exact)))

    def _matches(self) -> Iterator[PrefixMatch]:
        client = self.client
        if client is None:
            return
        for at, published in enumerate(self.check.lists):
            for net in published.prefixes:
                if (
                    net.version == client.version
                    and int(net.network_address) <= client.last
                    and client.first <= int(net.broadcast_address)
                ):
                    counts = published.counts_on(self.day)
                    yield PrefixMatch(published, net, counts, at in self.check.exact)


class IdentityChecker:
    """A checker of clients by published addresses and, with a resolver, forward-confirmed reverse DNS.

    For logs and commands: a call waits for DNS. ``Verification`` is for servers, and never waits. Without a
    resolver it uses no network, and can be sent to other processes.

    Args:
        ranges: The operators' address lists; by default the packaged snapshot.
        resolver: Asks DNS. Without it, a crawler whose operator also publishes host names is *unverifiable*
            unless its address is listed.
        signatures: True if the caller also checks the requests' signatures. Logs have none.
        today: Returns today's date in UTC.
    """

    def __init__(
        self,
        ranges: Ranges | None = None,
        resolver: Resolver | None = None,
        *,
        signatures: bool = False,
        today: Callable[[], date] = _today,
    ) -> None:
        self.ranges = packaged_ranges() if ranges is None else ranges
        self._resolver = resolver
        self._signatures = signatures
        self._today = today
        self._newest = self.ranges.newest
        self._indexes: dict[str, AddressIndex] = {}
        # A file of an older version has no proxies. Without any, clients behind a CDN would count as spoofed.
        self._proxy_lists = self.ranges.proxies or packaged_ranges().proxies
        self._proxies = AddressIndex(self._proxy_lists)
        self._checks: BoundedCache[str, OperatorCheck] = BoundedCache(_MAX_CHECKS)
        self._answers: BoundedCache[tuple[str, str | None, date], Identity] = BoundedCache(_MAX_ANSWERS)

    def __reduce__(self) -> tuple[type["IdentityChecker"], tuple[Ranges]]:
        if self._resolver is not None:
            raise TypeError(
                "an IdentityChecker with a resolver can't be pickled; make one without a resolver"
            )
        return type(self), (self.ranges,)

    @property
    def lists(self) -> tuple[AddressList, ...]:
        """The published lists, each with the day on which it was read."""
        return self.ranges.current

    @property
    def oldest(self) -> date:
        return self.ranges.oldest

    @property
    def newest(self) -> date:
        return self.ranges.newest

    def identify(self, product_token: str, address: str | None, day: date | None = None) -> Identity:
        """Return the identity of a client that declares a product token.

        The check fails for an address that is invalid, private (a proxy in front of the server) or masked,
        unless all addresses that a masked one may stand for have the same answer.

        Args:
            product_token: The product token.
            address: The client's address as the log has it.
            day: The day of the request in UTC; by default the day of the newest list.
        """
        return self.identify_all([(product_token, address, day)]).popitem()[1]

    def identify_all(self, claims: Iterable[tuple[str, A, D]]) -> dict[tuple[str, A, D], Identity]:
        """Return the identity of each product token, address and day; DNS is asked in parallel."""
        found = {claim: self._check_lists(*claim) for claim in claims}
        if self._resolver is not None:
            self._ask_dns(found)
        return {claim: self._require_all_checks(claim[0], each) for claim, each in found.items()}

    def _ask_dns(self, found: dict[tuple[str, A, D], Identity]) -> None:
        """Replace the answers that the lists leave open with those of DNS."""
        assert self._resolver is not None  # noqa: S101
        questions = {claim: self._question(*claim, each) for claim, each in found.items() if each in _OPEN}
        answers = self._resolver.ask_all(each for each in questions.values() if isinstance(each, tuple))
        for claim, question in questions.items():
            found[claim] = (
                question
                if isinstance(question, Identity)
                else self._check_answer(*claim, answers[question], found[claim])
            )

    def _require_all_checks(self, token: str, identity: Identity, *, signatures: bool = False) -> Identity:
        if identity is not Identity.SPOOFED:
            return identity
        dns, signatures = self._resolver is not None, self._signatures or signatures
        return self._check(token).require_all_checks(identity, dns=dns, signatures=signatures)

    def proxy_of(self, address: str | None) -> PrefixMatch | None:
        """Return the prefix of a CDN's, load balancer's or cloud's proxies that contains the address."""
        client = read_address(address)
        at = None if client is None else self._proxy(client)
        if client is None or at is None:
            return None
        published = self._proxy_lists[at]
        first = client.value
        inside = (net for net in published.prefixes if net.version == client.version and first in net)
        prefix = next(inside, None)  # the prefix may contain only a later address of a masked range
        return PrefixMatch(published, prefix or published.prefixes[0], counts=True, exact=False)

    def _proxy(self, client: ClientAddress) -> int | None:
        """Return the position of a proxy list that contains any address ``client`` may stand for."""
        found = self._proxies.lists_between(client.version, client.first, client.last)
        return min((at for lists in found for at in lists), default=None)

    def evidence(
        self,
        product_token: str,
        address: str | None,
        day: date | None = None,
        *,
        signatures: bool = False,
    ) -> IdentityEvidence:
        """Return the answer of ``identify`` with its evidence. DNS is asked without its cache.

        Args:
            product_token: The product token.
            address: The client's address.
            day: The day of the request in UTC; by default the day of the newest list.
            signatures: True if the request's signatures were checked too.
        """
        day = day or self._newest
        identity = self._check_lists(product_token, address, day)
        trace = None
        if self._resolver is not None and identity in _OPEN:
            question = self._question(product_token, address, day, identity)
            if isinstance(question, Identity):
                identity = question
            else:
                trace = self._resolver.trace(question)
                identity = self._check_answer(product_token, address, day, trace.answer, identity)
        client = read_address(address)
        return IdentityEvidence(
            identity=self._require_all_checks(product_token, identity, signatures=signatures),
            check=self._check(product_token),
            client=client,
            proxy=self.proxy_of(address) if identity is Identity.CHECK_FAILED else None,
            day=day,
            today=self._today(),
            trace=trace,
            asks_dns=self._resolver is not None,
        )

    def lists_crawler(self, product_token: str, address: str | None, day: date) -> bool | None:
        """Return True if the operator lists the address for that very crawler, alone or with others.

        Returns:
            None if the known copy of the lists doesn't say which crawlers use the address.
        """
        client = read_address(address)
        return False if client is None else self._check(product_token).lists_crawler(client, day)

    def outdated_on(self, product_token: str, day: date) -> bool:
        """Return True if the crawler's lists are too old to prove a forgery on ``day``."""
        return self._check(product_token).outdated_on(day)

    def _question(
        self, token: str, address: str | None, day: date | None, identity: Identity
    ) -> DnsQuestion | Identity:
        """Return the question for DNS, or the identity if there is nothing to ask."""
        check = self._check(token)
        client = read_address(address)
        if client is None or not check.suffixes:
            return identity
        if client.masked:
            return Identity.CHECK_FAILED
        return (str(client.value), check.suffixes) if client.public else check.check_answer(None, identity)

    def _check_answer(
        self, token: str, address: str | None, day: date | None, answer: DnsAnswer, identity: Identity
    ) -> Identity:
        check = self._check(token)
        if answer is None and day is not None and self._today() - day > LIST_MARGIN:
            return check.require_all_checks(identity, dns=False, signatures=True)
        return check.check_answer(answer, identity)

    def _check_lists(self, token: str, address: str | None, day: date | None) -> Identity:
        day = day or self._newest
        found = self._answers.get((token, address, day))
        if found is None:
            check, client = self._check(token), read_address(address)
            identity = check.check_address(client, day)
            if identity in _OPEN and check.published and client is not None:
                identity = Identity.CHECK_FAILED if self._proxy(client) is not None else identity
            found = self._answers.keep((token, address, day), identity)
        return found

    def _check(self, token: str) -> OperatorCheck:
        return self._checks.get(token) or self._checks.keep(token, self._make_check(token))

    def _make_check(self, token: str) -> OperatorCheck:
        crawler = crawler_named(token)
        if crawler is None:
            return NO_CHECK
        if crawler.operator not in self._indexes:
            self._indexes[crawler.operator] = AddressIndex(self.ranges.of_operator(crawler.operator))
        return operator_check(crawler, self.ranges, self._indexes[crawler.operator])
