"""Is a client the crawler that its User-Agent declares? What the operator publishes decides.

A published list changes: a snapshot says what it was on a day (``Ranges.oldest``, ``Ranges.newest``). The
further a request is from that day, the less *spoofed* weighs: the operator may have come to new addresses, or
have given some back. Lists that are known to be superseded verify, and never make a forgery.

A request is checked against what the lists were on its day, as far as their readings tell. An address that
a list had at another time, more than ``NEAR`` away, is *unverifiable*: who had it on that day isn't known.
A list that was first read more than ``NEAR`` after the request makes no forgery, nor does one that was last
read more than ``LONG`` before. DNS tells of today: that a host name is missing now says nothing against a
request that is older than ``NEAR``.

A client is *spoofed* only where every check that its operator publishes was made and failed: a list alone
makes no forgery of who may have a host name, or sign. The address of a CDN, a load balancer or a cloud's
proxy (``proxies``) isn't the client's: the check can't be made. A crawler's own list is asked first.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import TypeVar

from aipolicy.core.bounded_cache import Memo
from aipolicy.core.crawlers import crawler_named
from aipolicy.identity.address_index import Index
from aipolicy.identity.addresses import ClientAddress, read_address
from aipolicy.identity.evidence import Evidence, Match
from aipolicy.identity.operator_lists import NEAR, AddressList, Ranges, packaged_ranges
from aipolicy.identity.published_checks import NO_CHECK, Check, Identity, check_of
from aipolicy.identity.resolver import Answer, Question, Resolver

_REMEMBERED = 1 << 17
_CHECKS = 4096
_OPEN = frozenset({Identity.SPOOFED, Identity.UNVERIFIABLE})  # host names may say more

A = TypeVar("A", bound=str | None)
D = TypeVar("D", bound=date | None)


def _today() -> date:
    return datetime.now(UTC).date()


class Identities:
    """Verifies clients by published addresses and, with a ``resolver``, by forward-confirmed reverse DNS.

    Without ``ranges`` the packaged snapshot is used. Without a resolver nothing is asked of the network, and
    a crawler whose operator publishes host names, too, is *unverifiable* unless a list has its address. It
    can be sent to other processes then. ``signatures``: the requests' signatures are looked at beside; in a
    log they are not.
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
        self._indexes: dict[str, Index] = {}
        # A file that an older version wrote has none; without any, everyone behind a CDN would be a forgery.
        self._proxy_lists = self.ranges.proxies or packaged_ranges().proxies
        self._proxies = Index(self._proxy_lists)
        self._checks: Memo[str, Check] = Memo(_CHECKS)
        self._listed: Memo[tuple[str, str | None, date], Identity] = Memo(_REMEMBERED)

    def __reduce__(self) -> tuple[type["Identities"], tuple[Ranges]]:
        if self._resolver is not None:
            raise TypeError("identities with a resolver stay in their process: make others without one")
        return type(self), (self.ranges,)

    @property
    def lists(self) -> tuple[AddressList, ...]:
        """The published lists, each with its date."""
        return self.ranges.current

    @property
    def oldest(self) -> date:
        return self.ranges.oldest

    @property
    def newest(self) -> date:
        return self.ranges.newest

    def identify(self, product_token: str, address: str | None, day: date | None = None) -> Identity:
        """Say whether a client at ``address``, as the log has it, is the crawler that it declares to be.

        ``day`` is that of the request, in UTC; None: that of the newest list. Where the operator publishes a
        check, it fails for an address that can't be read, for a private one (a proxy's in front of the
        server: the client's is in another column), and for one that seems masked, unless all addresses that
        it may stand for are alike.
        """
        return self.identify_all([(product_token, address, day)]).popitem()[1]

    def identify_all(self, claims: Iterable[tuple[str, A, D]]) -> dict[tuple[str, A, D], Identity]:
        """``identify`` for many product tokens, addresses and days; DNS is asked several at a time."""
        found = {claim: self._by_ranges(*claim) for claim in claims}
        if self._resolver is not None:
            self._ask(found)
        return {claim: self._left_open(claim[0], each) for claim, each in found.items()}

    def _ask(self, found: dict[tuple[str, A, D], Identity]) -> None:
        """Put what DNS says in the place of what the lists leave open."""
        assert self._resolver is not None  # noqa: S101
        questions = {claim: self._question(*claim, each) for claim, each in found.items() if each in _OPEN}
        answers = self._resolver.ask_all(each for each in questions.values() if isinstance(each, tuple))
        for claim, question in questions.items():
            found[claim] = (
                question
                if isinstance(question, Identity)
                else self._by_answer(*claim, answers[question], found[claim])
            )

    def _left_open(self, token: str, found: Identity, *, signatures: bool = False) -> Identity:
        if found is not Identity.SPOOFED:
            return found
        dns, signatures = self._resolver is not None, self._signatures or signatures
        return self._check(token).left_open(found, dns=dns, signatures=signatures)

    def proxy_of(self, address: str | None) -> Match | None:
        """The prefix of a CDN's, load balancer's or cloud's proxies that the address is in, or None."""
        client = read_address(address)
        at = None if client is None else self._proxy(client)
        if client is None or at is None:
            return None
        published = self._proxy_lists[at]
        first = client.value
        inside = (net for net in published.prefixes if net.version == client.version and first in net)
        prefix = next(inside, None)  # an address that is masked may only touch it
        return Match(published, prefix or published.prefixes[0], counts=True, exact=False)

    def _proxy(self, client: ClientAddress) -> int | None:
        """The list of proxies that any address is in that ``client`` may stand for."""
        found = self._proxies.lists_between(client.version, client.first, client.last)
        return min((at for lists in found for at in lists), default=None)

    def evidence(
        self,
        product_token: str,
        address: str | None,
        day: date | None = None,
        *,
        signatures: bool = False,
    ) -> Evidence:
        """Return the answer of ``identify``, and what it rests on; DNS is asked anew.

        ``signatures``: those of this request were looked at.
        """
        day = day or self._newest
        identity = self._by_ranges(product_token, address, day)
        trace = None
        if self._resolver is not None and identity in _OPEN:
            question = self._question(product_token, address, day, identity)
            if isinstance(question, Identity):
                identity = question
            else:
                trace = self._resolver.trace(question)
                identity = self._by_answer(product_token, address, day, trace.answer, identity)
        client = read_address(address)
        return Evidence(
            identity=self._left_open(product_token, identity, signatures=signatures),
            check=self._check(product_token),
            client=client,
            proxy=self.proxy_of(address) if identity is Identity.CHECK_FAILED else None,
            day=day,
            today=self._today(),
            trace=trace,
            asks_dns=self._resolver is not None,
        )

    def names(self, product_token: str, address: str | None, day: date) -> bool | None:
        """Whether its operator publishes an address for that very crawler, alone or besides others.

        None: the copy of the operator's lists does not tell for which of its crawlers.
        """
        client = read_address(address)
        return False if client is None else self._check(product_token).names(client, day)

    def outdated_on(self, product_token: str, day: date) -> bool:
        """Whether its lists were last read so long before ``day`` that who isn't in them is no forgery."""
        return self._check(product_token).outdated_on(day)

    def _question(
        self, token: str, address: str | None, day: date | None, found: Identity
    ) -> Question | Identity:
        """What to ask DNS after the lists were; the identity where there is nothing to ask."""
        check = self._check(token)
        client = read_address(address)
        if client is None or not check.suffixes:
            return found
        if client.masked:
            return Identity.CHECK_FAILED
        return (str(client.value), check.suffixes) if client.public else check.by_answer(None, found)

    def _by_answer(
        self, token: str, address: str | None, day: date | None, answer: Answer, found: Identity
    ) -> Identity:
        check = self._check(token)
        if answer is None and day is not None and self._today() - day > NEAR:
            return check.left_open(found, dns=False, signatures=True)
        return check.by_answer(answer, found)

    def _by_ranges(self, token: str, address: str | None, day: date | None) -> Identity:
        day = day or self._newest
        found = self._listed.get((token, address, day))
        if found is None:
            check, client = self._check(token), read_address(address)
            identity = check.by_ranges(client, day)
            if identity in _OPEN and check.published and client is not None:
                identity = Identity.CHECK_FAILED if self._proxy(client) is not None else identity
            found = self._listed.keep((token, address, day), identity)
        return found

    def _check(self, token: str) -> Check:
        return self._checks.get(token) or self._checks.keep(token, self._made(token))

    def _made(self, token: str) -> Check:
        crawler = crawler_named(token)
        if crawler is None:
            return NO_CHECK
        if crawler.operator not in self._indexes:
            self._indexes[crawler.operator] = Index(self.ranges.of_operator(crawler.operator))
        return check_of(crawler, self.ranges, self._indexes[crawler.operator])
