"""Signals against each other: what one place says no to and another says yes to.

Two lines of one robots.txt are the linter's.
"""

from collections.abc import Iterable, Iterator
from itertools import product

from aipolicy.core.crawlers import CRAWLERS, Crawler, Purpose
from aipolicy.core.preferences import Category, Preference
from aipolicy.report.text import listed, shown
from aipolicy.robotstxt.coverage import reach_of
from aipolicy.robotstxt.reach import Reach
from aipolicy.siteaudit.access import Access
from aipolicy.siteaudit.crawler_view import UNNAMED, declared, listed_crawlers
from aipolicy.siteaudit.engines import tdmrep
from aipolicy.siteaudit.findings import Finding, finding
from aipolicy.siteaudit.parsed_site import Reading
from aipolicy.siteaudit.signal_summary import known_first
from aipolicy.siteaudit.statements import PAGE_CARRIERS, Carrier, Signal, Statement

_MOST, _NAMED = 50, 5


def check(reading: Reading) -> Iterator[Finding]:
    yield from _contradicting(reading)
    yield from _not_in_robots(reading)
    yield from _granted(reading)


def _contradicting(reading: Reading) -> Iterator[Finding]:
    """One finding for each yes, with what says no to it, whichever crawlers they meet at."""
    meeting: dict[tuple[Statement, str], tuple[dict[Statement, None], list[str]]] = {}
    reserved = tdmrep.reservations(reading)
    for token in (UNNAMED, *listed_crawlers()):
        said = dict.fromkeys([*declared(reading, token), *reserved])
        for no, yes in product(_saying(said, Preference.DISALLOW), _saying(said, Preference.ALLOW)):
            both_in_robots = no.place.carrier is yes.place.carrier is Carrier.ROBOTS
            if no.category is yes.category and not both_in_robots:
                saying_no, tokens = meeting.setdefault((yes, _which_counts(no, yes)), ({}, []))
                saying_no[no] = None
                if token not in tokens:
                    tokens.append(token)
    for (yes, effect), (saying_no, tokens) in list(meeting.items())[:_MOST]:
        whose = "" if tokens[0] == UNNAMED else f", to {listed(known_first(tokens), 4)}"
        yield finding(
            "signals-contradict",
            yes.place.where,
            f"yes to {yes.category} by {shown(yes.place.text)!r}{whose}; no by {_places(saying_no)}",
            effect,
            fix=f"have all say the same: if the owner means no, {_change(yes)}",
        )


def _places(statements: Iterable[Statement]) -> str:
    named = [f"{statement.place.where} ({shown(statement.place.text, 60)})" for statement in statements]
    more = [f"and {len(named) - _NAMED} more"] if len(named) > _NAMED else []
    return ", ".join(named[:_NAMED] + more)


def _change(yes: Statement) -> str:
    if yes.place.carrier in PAGE_CARRIERS:
        return f"look what sends {shown(yes.place.text)!r}: the application, a plug-in, a proxy or CDN"
    return f"change {shown(yes.place.text)!r} in {yes.place.carrier}"


def _saying(said: dict[Statement, None], preference: Preference) -> list[Statement]:
    return [statement for statement in said if statement.preference is preference]


def _which_counts(no: Statement, yes: Statement) -> str:
    signals = {no.signal, yes.signal}
    if signals == {Signal.TDMREP}:
        order = (Carrier.TDMREP, Carrier.HEADER, Carrier.META)
        last = max(no, yes, key=lambda statement: order.index(statement.place.carrier))
        counts = "reserved" if last is no else "not reserved"
        return f"the {last.place.carrier} counts, being nearer to the page: {counts} (TDMRep §4)"
    if signals == {Signal.AIPREF}:
        return "the stricter counts, to whoever reads both (AIPREF vocab-08 §5.1); many read one"
    if signals == {Signal.CONTENT_SIGNAL}:
        return "which one counts is up to the reader: nothing published says"
    return f"whoever reads {yes.signal} alone takes it for a yes, and no reader is known to read both"


def _training(crawler: Crawler) -> bool:
    """Return True if it is documented that the crawler collects for training."""
    return not crawler.listed and crawler.purpose in (Purpose.TRAINING, Purpose.DATASET, Purpose.CONTROL)


def _not_in_robots(reading: Reading) -> Iterator[Finding]:
    if reading.access is not Access.RULES:
        return
    saying = [
        s
        for s in declared(reading, UNNAMED)
        if s.category is Category.TRAIN_AI and s.preference is Preference.DISALLOW
    ]
    outside = [s for s in saying if s.place.carrier is not Carrier.ROBOTS]
    if outside and all(reach_of(reading.file, c) is Reach.OPEN for c in CRAWLERS if _training(c)):
        yield finding(
            "opt-out-not-in-robots",
            "robots.txt",
            f"it shuts no training crawler out, yet {shown(str(outside[0].place))}",
            "most AI crawlers read robots.txt alone: they come in, and few are known to read the rest",
            fix="aipolicy robots --preset no-training --base robots.txt writes the groups",
        )


def _granted(reading: Reading) -> Iterator[Finding]:
    """Grants that only those who may not fetch the page are not meant to hear."""
    if reading.access is not Access.RULES:
        return
    found: dict[Statement, list[str]] = {}
    for crawler in CRAWLERS:
        token, uses = crawler.product_token, crawler.purpose.categories
        bound = reading.file.index.bound(token)
        if uses and bound.is_named and reach_of(reading.file, crawler) is Reach.BLOCKED:
            for said in declared(reading, token):
                outside = said.place.carrier in PAGE_CARRIERS | {Carrier.TDMREP}
                if outside and said.preference is Preference.ALLOW and said.category in uses:
                    found.setdefault(said, []).append(token)
    for said, tokens in found.items():
        shut_out = listed(known_first(tokens), 4)
        yield finding(
            "grant-to-the-shut-out",
            said.place.where,
            f"{shown(said.place.text)!r} grants {said.category}; robots.txt shuts out {shut_out}",
            "they don't fetch the page, yet may use what they have of it, or get elsewhere",
            fix="say no in both, or let those in that may use it",
        )
