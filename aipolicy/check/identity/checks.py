"""What an operator publishes about one product token, and what its lists say of an address."""

from dataclasses import dataclass
from enum import StrEnum

from aipolicy.check.identity.addresses import ClientAddress
from aipolicy.check.identity.index import Index, Lists
from aipolicy.check.identity.lists import Ranges
from aipolicy.check.identity.resolver import Answer
from aipolicy.core.crawlers import CRAWLERS, Crawler
from aipolicy.errors import ResolverError


class Identity(StrEnum):
    """What is known of a client that declares a product token."""

    VERIFIED = "verified"
    """It is that crawler."""
    OPERATOR_VERIFIED = "operator_verified"
    """It is one of that operator's; which one can't be told."""
    SPOOFED = "spoofed"
    """The operator publishes a check, and it failed."""
    UNVERIFIABLE = "unverifiable"
    """The operator publishes no check, or only one that was not made."""
    CHECK_FAILED = "check_failed"
    """The operator publishes a check, and it could not be made: an unreadable address, an error of DNS."""


@dataclass(frozen=True, slots=True)
class Check:
    """How a product token is checked.

    ``exact`` are the positions of the lists in ``index`` that only this crawler comes from; ``conclusive`` is
    whether an address outside all lists can't be the crawler's. ``suffixes`` are the host names of its
    operator, where the crawler has any, and ``own`` those that only this crawler has.
    """

    index: Index
    exact: Lists
    publishes_ranges: bool
    conclusive: bool
    suffixes: tuple[str, ...]
    own: tuple[str, ...]

    def by_ranges(self, client: ClientAddress | None) -> Identity:
        """What the lists say; for an address that can't be read, or isn't the client's: that they can't."""
        if client is None or client.behind_a_proxy:
            return Identity.CHECK_FAILED if self._publishes else Identity.UNVERIFIABLE
        if not client.masked:
            return self._by_lists(self.index.lists_of(client.version, client.first))
        spans = self.index.lists_between(client.version, client.first, client.last)
        found = set(map(self._by_lists, spans))
        if len(found) == 1:
            return found.pop()
        if found == {Identity.VERIFIED, Identity.OPERATOR_VERIFIED}:
            return Identity.OPERATOR_VERIFIED
        return Identity.CHECK_FAILED if self._publishes else Identity.UNVERIFIABLE

    def by_answer(self, answer: Answer) -> Identity:
        """What DNS says of an address that the lists don't have."""
        if isinstance(answer, ResolverError):
            return Identity.CHECK_FAILED
        if answer is None:
            # Without its lists only half of what the operator publishes was checked.
            checked = self.conclusive or not self.publishes_ranges
            return Identity.SPOOFED if checked else Identity.UNVERIFIABLE
        own = any(answer == suffix or answer.endswith(f".{suffix}") for suffix in self.own)
        return Identity.VERIFIED if own else Identity.OPERATOR_VERIFIED

    @property
    def _publishes(self) -> bool:
        return self.publishes_ranges or bool(self.suffixes)

    def _by_lists(self, lists: Lists) -> Identity:
        if lists & self.exact:
            return Identity.VERIFIED
        if lists:
            return Identity.OPERATOR_VERIFIED
        return Identity.SPOOFED if self.conclusive else Identity.UNVERIFIABLE


NO_CHECK = Check(Index(()), frozenset(), False, False, (), ())
"""Of a product token that isn't in the crawler table."""


def check_of(crawler: Crawler, ranges: Ranges, index: Index) -> Check:
    """The check of ``crawler``; ``index`` is over ``ranges.of_operator(crawler.operator)``."""
    lists = ranges.of_operator(crawler.operator)
    current = {url for published in lists if published.superseded is None for url in published.urls}
    others = [other for other in CRAWLERS if other.operator == crawler.operator and other != crawler]
    shared = {suffix for other in others for suffix in other.rdns}
    return Check(
        index=index,
        exact=frozenset(at for at, each in enumerate(lists) if each.tokens == (crawler.product_token,)),
        publishes_ranges=bool(crawler.ranges),
        conclusive=bool(crawler.ranges) and current.issuperset(crawler.ranges),
        suffixes=tuple(dict.fromkeys((*crawler.rdns, *sorted(shared)))) if crawler.rdns else (),
        own=tuple(suffix for suffix in crawler.rdns if suffix not in shared),
    )
