"""What an operator publishes about one product token, and what its lists say of an address."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from aipolicy.check.identity.addresses import ClientAddress
from aipolicy.check.identity.index import Index, Lists
from aipolicy.check.identity.lists import NEAR, AddressList, Ranges
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
    """The operator publishes a check, and it could not be made: an unreadable address, an error of DNS, keys
    that can't be read."""


@dataclass(frozen=True, slots=True)
class Check:
    """How a product token is checked.

    ``lists`` are its operator's, ``index`` is over them, and ``exact`` are the positions of those that only
    this crawler comes from. ``since`` is the day from which on an address outside all lists can't be the
    crawler's; None: it always may be. ``suffixes`` are the host names of its operator, where the crawler has
    any, and ``own`` those that only this crawler has.
    """

    lists: tuple[AddressList, ...]
    index: Index
    exact: Lists
    publishes_ranges: bool
    since: date | None
    suffixes: tuple[str, ...]
    own: tuple[str, ...]

    def by_ranges(self, client: ClientAddress | None, day: date) -> Identity:
        """What the lists say; for an address that can't be read, or isn't the client's: that they can't."""
        if client is None or client.behind_a_proxy:
            return Identity.CHECK_FAILED if self.published else Identity.UNVERIFIABLE
        if not client.masked:
            return self._by_lists(self.index.lists_of(client.version, client.first), day)
        spans = self.index.lists_between(client.version, client.first, client.last)
        found = {self._by_lists(lists, day) for lists in spans}
        if len(found) == 1:
            return found.pop()
        if found == {Identity.VERIFIED, Identity.OPERATOR_VERIFIED}:
            return Identity.OPERATOR_VERIFIED
        return Identity.CHECK_FAILED if self.published else Identity.UNVERIFIABLE

    def by_answer(self, answer: Answer, found: Identity) -> Identity:
        """What DNS says of an address of which the lists say ``found``."""
        if isinstance(answer, ResolverError):
            return Identity.CHECK_FAILED
        if answer is None:
            # Without its lists only half of what the operator publishes was checked.
            return found if self.publishes_ranges else Identity.SPOOFED
        own = any(answer == suffix or answer.endswith(f".{suffix}") for suffix in self.own)
        return Identity.VERIFIED if own else Identity.OPERATOR_VERIFIED

    @property
    def published(self) -> bool:
        """Whether the operator publishes a check at all."""
        return self.publishes_ranges or bool(self.suffixes)

    def conclusive_on(self, day: date) -> bool:
        """Whether an address outside all lists can't have been the crawler's on ``day``."""
        return self.since is not None and self.since - day <= NEAR

    def _by_lists(self, lists: Lists, day: date) -> Identity:
        counting = frozenset(at for at in lists if self.lists[at].counts_on(day))
        if counting & self.exact:
            return Identity.VERIFIED
        if counting:
            return Identity.OPERATOR_VERIFIED
        if lists:  # at another time: who had the address on that day isn't known
            return Identity.UNVERIFIABLE
        return Identity.SPOOFED if self.conclusive_on(day) else Identity.UNVERIFIABLE


NO_CHECK = Check((), Index(()), frozenset(), False, None, (), ())
"""Of a product token that isn't in the crawler table."""


def check_of(crawler: Crawler, ranges: Ranges, index: Index) -> Check:
    """The check of ``crawler``; ``index`` is over ``ranges.of_operator(crawler.operator)``."""
    lists = ranges.of_operator(crawler.operator)
    current: dict[str, date] = {}
    for published in lists:
        if published.superseded is None and published.gone is None:
            for url in published.urls:
                current[url] = min(published.since, current.get(url, published.since))
    others = [other for other in CRAWLERS if other.operator == crawler.operator and other != crawler]
    shared = {suffix for other in others for suffix in other.rdns}
    listed = bool(crawler.ranges) and current.keys() >= set(crawler.ranges)
    return Check(
        lists=lists,
        index=index,
        exact=frozenset(at for at, each in enumerate(lists) if each.tokens == (crawler.product_token,)),
        publishes_ranges=bool(crawler.ranges),
        since=max(current[url] for url in crawler.ranges) if listed else None,
        suffixes=tuple(dict.fromkeys((*crawler.rdns, *sorted(shared)))) if crawler.rdns else (),
        own=tuple(suffix for suffix in crawler.rdns if suffix not in shared),
    )
