"""Is a client the crawler that its User-Agent declares? What the operator publishes decides.

A published list changes: a snapshot says what it was on a day (``Ranges.oldest``, ``Ranges.newest``). The
further a request is from that day, the less *spoofed* weighs: the operator may have come to new addresses, or
have given some back. Lists that are known to be superseded verify, and never make a forgery.
"""

from collections.abc import Iterable
from datetime import date
from typing import TypeVar

from aipolicy.check.identity.addresses import read_address
from aipolicy.check.identity.checks import NO_CHECK, Check, Identity, check_of
from aipolicy.check.identity.index import Index
from aipolicy.check.identity.lists import AddressList, Ranges, packaged_ranges
from aipolicy.check.identity.resolver import Question, Resolver
from aipolicy.core.crawlers import crawler_named
from aipolicy.core.memo import Memo

_REMEMBERED = 1 << 17
_CHECKS = 4096
_OPEN = frozenset({Identity.SPOOFED, Identity.UNVERIFIABLE})  # host names may say more

A = TypeVar("A", bound=str | None)


class Identities:
    """Verifies clients by published addresses and, with a ``resolver``, by forward-confirmed reverse DNS.

    Without ``ranges`` the packaged snapshot is used. Without a resolver nothing is asked of the network, and
    a crawler whose operator publishes only host names is *unverifiable*: no check was made. It can be sent
    to other processes then.
    """

    def __init__(self, ranges: Ranges | None = None, resolver: Resolver | None = None) -> None:
        self.ranges = packaged_ranges() if ranges is None else ranges
        self._resolver = resolver
        self._indexes: dict[str, Index] = {}
        self._checks: Memo[str, Check] = Memo(_CHECKS)
        self._listed: Memo[tuple[str, str | None], Identity] = Memo(_REMEMBERED)

    def __reduce__(self) -> tuple[type["Identities"], tuple[Ranges]]:
        if self._resolver is not None:
            raise TypeError("identities with a resolver stay in their process: make others without one")
        return type(self), (self.ranges,)

    @property
    def lists(self) -> tuple[AddressList, ...]:
        """The published lists, each with its date."""
        return self.ranges.lists

    @property
    def oldest(self) -> date:
        return self.ranges.oldest

    @property
    def newest(self) -> date:
        return self.ranges.newest

    def identify(self, product_token: str, address: str | None) -> Identity:
        """Say whether a client at ``address``, as the log has it, is the crawler that it declares to be.

        Where the operator publishes a check, it fails for an address that can't be read, for a private one (a
        proxy's in front of the server: the client's is in another column), and for one that seems masked,
        unless all addresses that it may stand for are alike.
        """
        found = self._by_ranges(product_token, address)
        if self._resolver is None or found not in _OPEN:
            return found
        question = self._question(product_token, address, found)
        if isinstance(question, Identity):
            return question
        return self._check(product_token).by_answer(self._resolver.ask(question))

    def identify_all(self, pairs: Iterable[tuple[str, A]]) -> dict[tuple[str, A], Identity]:
        """``identify`` for distinct pairs of product token and address; DNS is asked several at a time."""
        found = {pair: self._by_ranges(*pair) for pair in pairs}
        if self._resolver is None:
            return found
        questions = {pair: self._question(*pair, each) for pair, each in found.items() if each in _OPEN}
        answers = self._resolver.ask_all(each for each in questions.values() if isinstance(each, tuple))
        for (token, address), question in questions.items():
            found[token, address] = (
                question
                if isinstance(question, Identity)
                else self._check(token).by_answer(answers[question])
            )
        return found

    def _question(self, token: str, address: str | None, found: Identity) -> Question | Identity:
        """What to ask DNS after the lists were; the identity where there is nothing to ask."""
        check = self._check(token)
        client = read_address(address)
        if client is None or not check.suffixes:
            return found
        if client.masked:
            return Identity.CHECK_FAILED
        return (str(client.value), check.suffixes) if client.public else check.by_answer(None)

    def _by_ranges(self, token: str, address: str | None) -> Identity:
        found = self._listed.get((token, address))
        if found is None:
            identity = self._check(token).by_ranges(read_address(address))
            found = self._listed.keep((token, address), identity)
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
