"""What an operator publishes about one product token, and what its lists say of an address."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from aipolicy.core.crawlers import CRAWLERS, Crawler
from aipolicy.errors import ResolverError
from aipolicy.identity.address_index import Index, Lists
from aipolicy.identity.addresses import ClientAddress
from aipolicy.identity.operator_lists import LONG, NEAR, AddressList, Ranges
from aipolicy.identity.resolver import Answer


class Identity(StrEnum):
    """What is known of a client that declares a product token."""

    VERIFIED = "verified"
    """It is that crawler."""
    OPERATOR_VERIFIED = "operator_verified"
    """It is one of that operator's; which one can't be told."""
    SPOOFED = "spoofed"
    """Every check that the operator publishes was made, and failed."""
    UNVERIFIABLE = "unverifiable"
    """The operator publishes no check, or one that was not made: of an address that is not in its list, DNS
    or a signature may still tell that it is the operator's."""
    CHECK_FAILED = "check_failed"
    """The operator publishes a check, and it could not be made: an unreadable address, a proxy's instead of
    the client's, an error of DNS, keys that can't be read."""


@dataclass(frozen=True, slots=True)
class Check:
    """How a product token is checked.

    ``lists`` are its operator's, and ``index`` is over them. The others are positions in them: ``exact`` of
    those that only this crawler comes from, ``named`` of those that name it, maybe besides others,
    ``mixed`` of copies of several lists in one, of which one is its, and ``latest`` of those that tell what
    a single list is now. ``read`` are the days of the first and last readings of all that the crawler has;
    None: not all are known, and an address outside them may be its. ``suffixes`` are the host names of its
    operator, where the crawler has any, and ``own`` those that only this crawler has. ``signs``: it may show
    who it is by a signature.
    """

    lists: tuple[AddressList, ...]
    index: Index
    exact: Lists
    named: Lists
    mixed: Lists
    latest: Lists
    publishes_ranges: bool
    read: tuple[date, date] | None
    suffixes: tuple[str, ...]
    own: tuple[str, ...]
    signs: bool

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

    def left_open(self, found: Identity, *, dns: bool, signatures: bool) -> Identity:
        """``found``, but no forgery where a check was not made that may tell otherwise.

        ``dns`` and ``signatures``: whether host names, and the request's signatures, were looked at.
        """
        unasked = bool(self.suffixes and not dns) or (self.signs and not signatures)
        return Identity.UNVERIFIABLE if found is Identity.SPOOFED and unasked else found

    @property
    def published(self) -> bool:
        """Whether the operator publishes a check at all."""
        return self.publishes_ranges or bool(self.suffixes)

    def conclusive_on(self, day: date) -> bool:
        """Whether an address outside all lists can't have been the crawler's on ``day``."""
        return self.read is not None and self.read[0] - day <= NEAR and not self.outdated_on(day)

    def outdated_on(self, day: date) -> bool:
        """Whether the last reading of its lists was long before ``day``."""
        return self.read is not None and day - self.read[1] > LONG

    def names(self, client: ClientAddress, day: date) -> bool | None:
        """Whether a list names this very crawler for that address, alone or besides others.

        None: a copy of several lists has it, and for which of the crawlers isn't told.
        """
        counting = self._counting(self.index.lists_of(client.version, client.first), day)
        if self._own(counting):
            return True
        return None if counting & self.mixed and not counting & self.latest else False

    def _counting(self, lists: Lists, day: date) -> Lists:
        return frozenset(at for at in lists if self.lists[at].counts_on(day))

    def _own(self, counting: Lists) -> Lists:
        """Those that name this crawler; none where the address has moved into another crawler's list.

        Two crawlers may share an address: that another's list has it, and was read later, tells of no move.
        That it came into that list after this crawler's was last seen to have it does, and so does that it
        has gone from this crawler's.
        """
        own, latest = counting & self.named, counting & self.latest
        if own & latest:
            return own
        held = max((self.lists[at].date for at in own if self.lists[at].gone is None), default=None)
        came = (self.lists[at].came for at in latest)
        moved = bool(latest) if held is None else any(day is not None and day >= held for day in came)
        return _NONE if moved else own

    def _by_lists(self, lists: Lists, day: date) -> Identity:
        counting = self._counting(lists, day)
        if self._own(counting) & self.exact:
            return Identity.VERIFIED
        if counting:
            return Identity.OPERATOR_VERIFIED
        if lists:  # at another time: who had the address on that day isn't known
            return Identity.UNVERIFIABLE
        return Identity.SPOOFED if self.conclusive_on(day) else Identity.UNVERIFIABLE


_NONE: Lists = frozenset()

NO_CHECK = Check((), Index(()), _NONE, _NONE, _NONE, _NONE, False, None, (), (), False)
"""Of a product token that isn't in the crawler table."""


def check_of(crawler: Crawler, ranges: Ranges, index: Index) -> Check:
    """The check of ``crawler``; ``index`` is over ``ranges.of_operator(crawler.operator)``."""
    lists = ranges.of_operator(crawler.operator)
    first: dict[str, date] = {}
    last: dict[str, date] = {}
    alone: dict[str, date] = {}
    for published in lists:
        if published.superseded is None and published.gone is None:
            for url in published.urls:
                first[url] = min(published.since, first.get(url, published.since))
                last[url] = max(published.date, last.get(url, published.date))
            if len(published.urls) == 1:
                alone[published.urls[0]] = published.date
    others = [other for other in CRAWLERS if other.operator == crawler.operator and other != crawler]
    shared = {suffix for other in others for suffix in other.rdns}
    wanted = set(crawler.ranges)
    listed = bool(wanted) and first.keys() >= wanted

    def positions(of: Callable[[AddressList], bool]) -> Lists:
        return frozenset(at for at, each in enumerate(lists) if of(each))

    def mixed(each: AddressList) -> bool:
        """Until each list of the crawler's was read by itself, and later."""
        its = wanted.intersection(each.urls)
        return not wanted.issuperset(each.urls) and any(alone.get(u, date.min) <= each.date for u in its)

    return Check(
        lists=lists,
        index=index,
        exact=positions(lambda each: each.tokens == (crawler.product_token,)),
        named=positions(lambda each: wanted.issuperset(each.urls)),
        mixed=positions(mixed),
        latest=positions(lambda each: len(each.urls) == 1 and each.gone is None and each.superseded is None),
        publishes_ranges=bool(crawler.ranges),
        read=(max(first[url] for url in wanted), min(last[url] for url in wanted)) if listed else None,
        suffixes=tuple(dict.fromkeys((*crawler.rdns, *sorted(shared)))) if crawler.rdns else (),
        own=tuple(suffix for suffix in crawler.rdns if suffix not in shared),
        signs=crawler.web_bot_auth is not None,
    )
