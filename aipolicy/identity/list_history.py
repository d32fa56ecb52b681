"""The history of address lists, to check requests of last month.

It is bounded: a removed prefix is dropped after ``HISTORY``, and a list keeps at most ``MAX_REMOVED``.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from aipolicy.core.crawlers import CRAWLERS
from aipolicy.identity.operator_lists import AddressList, Ranges, ordered
from aipolicy.identity.prefixes import Network
from aipolicy.identity.proxies import PROXY_OF

HISTORY = dt.timedelta(days=400)
MAX_REMOVED = 5000


def with_reading(ranges: Ranges, read: AddressList) -> Ranges:
    """Return ``ranges`` with a new reading of a list.

    Prefixes that it no longer has stay, with the day on which they were missing. A reading older than the
    last one changes nothing.
    """
    proxies = not PROXY_OF.keys().isdisjoint(read.urls)
    lists = ranges.proxies if proxies else ranges.lists
    before = [each for each in lists if each.urls == read.urls]
    last = max((each.date for each in before if each.gone is None), default=None)
    if last is not None and last > read.date:
        return ranges
    # The contents of a superseded list are not known until the next reading.
    covering = (each for each in lists if each.gone is None and each.superseded is None)
    first = min((each.since for each in covering if set(each.urls) >= set(read.urls)), default=read.date)
    parts = _parts(before, replace(read, first=first), last)
    found = [*_others(lists, read), *_bounded(parts, read.date)]
    return ordered(ranges.lists, found) if proxies else ordered(found, ranges.proxies)


def without_later_days(ranges: Ranges, url: str, today: dt.date) -> Ranges:
    """Return ``ranges`` without days after ``today`` for the list at ``url``: a wrong clock wrote them."""

    def bounded(day: dt.date | None) -> dt.date | None:
        return None if day is None else min(day, today)

    def part(each: AddressList) -> AddressList:
        first, came, gone = map(bounded, (each.first, each.came, each.gone))
        return replace(each, date=min(each.date, today), first=first, came=came, gone=gone)

    def parts(lists: Iterable[AddressList]) -> tuple[AddressList, ...]:
        return tuple(part(each) if each.urls == (url,) else each for each in lists)

    return Ranges(parts(ranges.lists), parts(ranges.proxies))


def merged(ranges: Ranges, others: Ranges) -> Ranges:
    """Return ``ranges`` with newer and further lists of ``others``, and tokens of today's crawler table."""
    for each in sorted((*others.current, *others.current_proxies), key=lambda each: each.date):
        known = {url: _last_of(ranges, url) for url in each.urls}
        if any(day is None or day < each.date for day in known.values()):
            ranges = with_reading(ranges, each)
    named = (replace(each, tokens=tokens_of(each.urls)) for each in ranges.lists)
    return ordered(named, ranges.proxies)


def tokens_of(urls: Collection[str]) -> tuple[str, ...]:
    """Return the product tokens of the crawlers that use the lists at ``urls``."""
    return tuple(crawler.product_token for crawler in CRAWLERS if not set(crawler.ranges).isdisjoint(urls))


def _last_of(ranges: Ranges, url: str) -> dt.date | None:
    every = (*ranges.lists, *ranges.proxies)
    days = (each.date for each in every if each.gone is None and url in each.urls)
    return max(days, default=None)


def _parts(before: Sequence[AddressList], read: AddressList, last: dt.date | None) -> Iterator[AddressList]:
    """Return the parts of a list after a reading; ``last`` is the day of the reading before."""
    now = frozenset(read.prefixes)
    known: set[Network] = set()
    for each in before:
        if each.gone is not None:
            yield each
            continue
        kept = tuple(net for net in each.prefixes if net in now)
        known.update(kept)
        yield replace(read, came=each.came, prefixes=kept)
        yield replace(each, gone=read.date, prefixes=tuple(net for net in each.prefixes if net not in now))
    yield replace(read, came=last, prefixes=tuple(n for n in read.prefixes if n not in known))


def _bounded(parts: Iterable[AddressList], today: dt.date) -> Iterator[AddressList]:
    """Drop prefixes that were removed long ago, and the day of those that were added long ago."""
    current, gone = [], []
    for part in parts:
        if part.gone is not None:
            gone.append(part)
        elif part.came is not None and today - part.came > HISTORY:
            current.append(replace(part, came=None))
        else:
            current.append(part)
    for _, same in groupby(sorted(current, key=_came), key=_came):
        yield from _joined(same)
    left = MAX_REMOVED
    for part in sorted(gone, key=_gone, reverse=True):
        prefixes = part.prefixes[:left]
        left -= len(prefixes)
        if prefixes and today - _gone(part) <= HISTORY:
            yield replace(part, prefixes=prefixes)


def _joined(parts: Iterable[AddressList]) -> Iterator[AddressList]:
    several = tuple(parts)
    prefixes = sorted((net for each in several for net in each.prefixes), key=_in_order)
    if prefixes:
        yield replace(several[0], prefixes=tuple(prefixes))


def _in_order(net: Network) -> tuple[int, int]:
    return net.version, int(net.network_address)


def _came(part: AddressList) -> dt.date:
    return part.came or dt.date.min


def _gone(part: AddressList) -> dt.date:
    return part.gone or dt.date.max


def _others(lists: Iterable[AddressList], read: AddressList) -> Iterator[AddressList]:
    """Return the other lists. A copy of several lists ends when each of them was read by itself later."""
    lists = tuple(lists)
    alone = {each.urls[0]: each.date for each in (*lists, read) if len(each.urls) == 1 and each.gone is None}
    for each in lists:
        if each.urls == read.urls:
            continue
        replaced = each.gone is None and len(each.urls) > 1
        if replaced and all(alone.get(url, dt.date.min) > each.date for url in each.urls):
            yield replace(each, gone=read.date)
        else:
            yield each
