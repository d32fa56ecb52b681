"""The checks that an operator publishes for one crawler, and the answer of its address lists."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from aipolicy.core.crawlers import CRAWLERS, Crawler
from aipolicy.errors import ResolverError
from aipolicy.identity.addresses import ClientAddress
from aipolicy.identity.operator_lists import LIST_MARGIN, LIST_MAX_AGE, AddressList, Ranges
from aipolicy.identity.resolver import DnsAnswer


class Identity(StrEnum):
    """The identity of a client that declares a product token."""

    VERIFIED = "verified"
    """It is that crawler."""
    OPERATOR_VERIFIED = "operator_verified"
    """It is a crawler of the same operator, but the checks don't say which one."""
    SPOOFED = "spoofed"
    """Every check that the operator publishes was made, and failed."""
    UNVERIFIABLE = "unverifiable"
    """The operator publishes no check, or not every check was made: DNS or a signature might verify a client
    whose address is not listed."""
    CHECK_FAILED = "check_failed"
    """A published check could not be made: the address is invalid or a proxy's, DNS failed, or keys can't be
    read."""


ListPositions = frozenset[int]
"""Positions in the sequence of lists that an index was made from."""

_NOWHERE: ListPositions = frozenset()


class AddressIndex:
    """An index of the lists that contain an address, searched by bisection."""

    __slots__ = ("_spans",)

    def __init__(self, lists: Sequence[AddressList]) -> None:
        self._spans = {version: _spans(lists, version) for version in (4, 6)}

    def lists_of(self, version: int, number: int) -> ListPositions:
        """Return the lists that contain the address ``number``."""
        starts, within = self._spans[version]
        at = bisect_right(starts, number) - 1
        return within[at] if at >= 0 else _NOWHERE

    def lists_between(self, version: int, first: int, last: int) -> set[ListPositions]:
        """Return every answer of ``lists_of`` for the addresses from ``first`` to ``last``."""
        starts, within = self._spans[version]
        begin, end = bisect_right(starts, first) - 1, bisect_right(starts, last)
        return {*within[max(begin, 0) : end], *([_NOWHERE] if begin < 0 else ())}


def _spans(lists: Sequence[AddressList], version: int) -> tuple[list[int], list[ListPositions]]:
    """Return the start of each span, and the lists that contain it; a span ends where the next one starts."""
    changes: dict[int, list[tuple[int, bool]]] = defaultdict(list)
    for position, begins, ends in _bounds(lists, version):
        changes[begins].append((position, True))
        changes[ends].append((position, False))
    starts: list[int] = []
    within: list[ListPositions] = []
    current: set[int] = set()
    for at in sorted(changes):
        # Ends before starts, because two prefixes of one list can be adjacent.
        current -= {position for position, enters in changes[at] if not enters}
        current |= {position for position, enters in changes[at] if enters}
        starts.append(at)
        within.append(frozenset(current))
    return starts, within


def _bounds(lists: Sequence[AddressList], version: int) -> Iterator[tuple[int, int, int]]:
    for position, published in enumerate(lists):
        for net in published.prefixes:
            if net.version == version:
                yield position, int(net.network_address), int(net.broadcast_address) + 1


@dataclass(frozen=True, slots=True)
class OperatorCheck:
    """The checks that an operator publishes for one of its crawlers.

    Attributes:
        lists: All address lists of the operator.
        index: The index over ``lists``.
        exact: Positions of the lists that only this crawler uses.
        named: Positions of the lists that this crawler uses, alone or with others.
        mixed: Positions of copies that combine several lists, one of which this crawler uses.
        latest: Positions of current readings of single lists.
        publishes_ranges: True if the operator publishes address lists for this crawler.
        read: The days of the first and last readings of all this crawler's lists; None if a list was never
            read, so that an address outside the others may be the crawler's.
        suffixes: The operator's host name suffixes, if the crawler has any.
        own: The suffixes that only this crawler uses.
        signs: True if the crawler can sign its requests.
    """

    lists: tuple[AddressList, ...]
    index: AddressIndex
    exact: ListPositions
    named: ListPositions
    mixed: ListPositions
    latest: ListPositions
    publishes_ranges: bool
    read: tuple[date, date] | None
    suffixes: tuple[str, ...]
    own: tuple[str, ...]
    signs: bool

    def check_address(self, client: ClientAddress | None, day: date) -> Identity:
        """Return the answer of the lists; *check_failed* for an invalid address or one that is a proxy's."""
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

    def check_answer(self, answer: DnsAnswer, identity: Identity) -> Identity:
        """Return the identity after an answer of DNS; ``identity`` is the answer of the lists."""
        if isinstance(answer, ResolverError):
            return Identity.CHECK_FAILED
        if answer is None:
            # If the crawler's lists are missing, only half of the published checks were made.
            return identity if self.publishes_ranges else Identity.SPOOFED
        own = any(answer == suffix or answer.endswith(f".{suffix}") for suffix in self.own)
        return Identity.VERIFIED if own else Identity.OPERATOR_VERIFIED

    def require_all_checks(self, identity: Identity, *, dns: bool, signatures: bool) -> Identity:
        """Return *unverifiable* instead of *spoofed* if a published check was not made.

        Args:
            identity: The identity after the checks that were made.
            dns: True if host names were checked.
            signatures: True if the request's signatures were checked.
        """
        unchecked = bool(self.suffixes and not dns) or (self.signs and not signatures)
        return Identity.UNVERIFIABLE if identity is Identity.SPOOFED and unchecked else identity

    @property
    def published(self) -> bool:
        """True if the operator publishes address lists or host names."""
        return self.publishes_ranges or bool(self.suffixes)

    def conclusive_on(self, day: date) -> bool:
        """Return True if an address outside all lists can't have been the crawler's on ``day``."""
        return self.read is not None and self.read[0] - day <= LIST_MARGIN and not self.outdated_on(day)

    def outdated_on(self, day: date) -> bool:
        """Return True if the lists were last read more than ``LIST_MAX_AGE`` before ``day``."""
        return self.read is not None and day - self.read[1] > LIST_MAX_AGE

    def lists_crawler(self, client: ClientAddress, day: date) -> bool | None:
        """Return True if a list of this very crawler contains the address.

        Returns:
            None if only a copy of several lists contains it, which doesn't say which crawlers use it.
        """
        counting = self._counting(self.index.lists_of(client.version, client.first), day)
        if self._own(counting):
            return True
        return None if counting & self.mixed and not counting & self.latest else False

    def _counting(self, lists: ListPositions, day: date) -> ListPositions:
        return frozenset(at for at in lists if self.lists[at].counts_on(day))

    def _own(self, counting: ListPositions) -> ListPositions:
        """Return this crawler's lists; none if the address has moved to another crawler's list.

        Two crawlers may share an address, so a later reading of the other list proves no move. These do: the
        address was added to the other list after this crawler's list last had it, or was removed from this
        crawler's list.
        """
        own, latest = counting & self.named, counting & self.latest
        if own & latest:
            return own
        last_had = max((self.lists[at].date for at in own if self.lists[at].gone is None), default=None)
        came = (self.lists[at].came for at in latest)
        moved = bool(latest) if last_had is None else any(day is not None and day >= last_had for day in came)
        return _NOWHERE if moved else own

    def _by_lists(self, lists: ListPositions, day: date) -> Identity:
        counting = self._counting(lists, day)
        if self._own(counting) & self.exact:
            return Identity.VERIFIED
        if counting:
            return Identity.OPERATOR_VERIFIED
        if lists:  # listed at another time: its user on that day is not known
            return Identity.UNVERIFIABLE
        return Identity.SPOOFED if self.conclusive_on(day) else Identity.UNVERIFIABLE


NO_CHECK = OperatorCheck(
    (), AddressIndex(()), _NOWHERE, _NOWHERE, _NOWHERE, _NOWHERE, False, None, (), (), False
)
"""The check of a product token that is not in the crawler table."""


def operator_check(crawler: Crawler, ranges: Ranges, index: AddressIndex) -> OperatorCheck:
    """Return the check of ``crawler``; ``index`` is over ``ranges.of_operator(crawler.operator)``."""
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

    def positions(matches: Callable[[AddressList], bool]) -> ListPositions:
        return frozenset(at for at, each in enumerate(lists) if matches(each))

    def mixed(each: AddressList) -> bool:
        """Return True until each of the crawler's lists in the copy was read by itself later."""
        used = wanted.intersection(each.urls)
        return not wanted.issuperset(each.urls) and any(alone.get(u, date.min) <= each.date for u in used)

    return OperatorCheck(
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
