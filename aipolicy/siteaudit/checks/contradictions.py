"""Checks for contradictions: one signal says no to a use, another says yes.

Contradictions between two lines of one robots.txt are reported by the linter.
"""

from collections.abc import Iterable, Iterator
from itertools import product

from aipolicy.core.crawlers import CRAWLERS, Crawler, Purpose
from aipolicy.core.preferences import Category, Preference
from aipolicy.report.text import listed, shorten
from aipolicy.robotstxt.coverage import reach_of
from aipolicy.robotstxt.reach import Reach
from aipolicy.siteaudit.crawler_view import listed_crawlers
from aipolicy.siteaudit.declarations import declared, reservations
from aipolicy.siteaudit.findings import SiteFinding, finding
from aipolicy.siteaudit.observation import Access
from aipolicy.siteaudit.parsed_site import ParsedSite
from aipolicy.siteaudit.robots_diff import best_known_first
from aipolicy.siteaudit.statements import PAGE_CARRIERS, UNNAMED, USES, Carrier, Signal, Statement

_MOST, _LISTED = 50, 5


def check(site: ParsedSite) -> Iterator[SiteFinding]:
    yield from _contradictions(site)
    yield from _opt_out_not_in_robots(site)
    yield from _grants_to_blocked(site)


def _contradictions(site: ParsedSite) -> Iterator[SiteFinding]:
    """Yield a finding for each yes, with the statements that say no, whichever crawlers receive both."""
    conflicts: dict[tuple[Statement, str], tuple[dict[Statement, None], list[str]]] = {}
    reserved = reservations(site)
    for token in (UNNAMED, *listed_crawlers()):
        statements = dict.fromkeys([*declared(site, token), *reserved])
        refusals = [s for s in statements if s.preference is Preference.DISALLOW]
        grants = [s for s in statements if s.preference is Preference.ALLOW]
        for no, yes in product(refusals, grants):
            both_in_robots = no.location.carrier is yes.location.carrier is Carrier.ROBOTS
            if no.category is yes.category and not both_in_robots:
                opposing, tokens = conflicts.setdefault((yes, _precedence(no, yes)), ({}, []))
                opposing[no] = None
                if token not in tokens:
                    tokens.append(token)
    for (yes, effect), (opposing, tokens) in list(conflicts.items())[:_MOST]:
        crawlers = "" if tokens[0] == UNNAMED else f" for {listed(best_known_first(tokens), 4)}"
        yield finding(
            "signals-contradict",
            yes.location.where,
            f"{shorten(yes.location.text)!r} allows {USES[yes.category]}{crawlers}, but it is disallowed by"
            f" {_locations(opposing)}",
            effect,
            fix=f"make all signals agree: if the owner means no, {_change(yes)}",
        )


def _locations(statements: Iterable[Statement]) -> str:
    named = [
        f"{statement.location.where} ({shorten(statement.location.text, 60)})" for statement in statements
    ]
    more = [f"and {len(named) - _LISTED} more"] if len(named) > _LISTED else []
    return ", ".join(named[:_LISTED] + more)


def _change(yes: Statement) -> str:
    if yes.location.carrier in PAGE_CARRIERS:
        return f"find what sends {shorten(yes.location.text)!r}: the application, a plug-in, a proxy or a CDN"
    return f"change {shorten(yes.location.text)!r} in {yes.location.carrier}"


def _precedence(no: Statement, yes: Statement) -> str:
    signals = {no.signal, yes.signal}
    if signals == {Signal.TDMREP}:
        order = (Carrier.TDMREP, Carrier.HEADER, Carrier.META)
        last = max(no, yes, key=lambda statement: order.index(statement.location.carrier))
        counts = "reserved" if last is no else "not reserved"
        return f"the {last.location.carrier} is more specific, so the page is {counts} (TDMRep §4)"
    if signals == {Signal.AIPREF}:
        return "a reader of both follows the stricter one (AIPREF vocab-08 §5.1), but many read only one"
    if signals == {Signal.CONTENT_SIGNAL}:
        return "no published rule says which one counts"
    return f"a reader of {yes.signal} alone understands a yes, and no known reader reads both"


def _collects_for_training(crawler: Crawler) -> bool:
    """Return True if it is documented that the crawler collects for training."""
    return not crawler.listed and crawler.purpose in (Purpose.TRAINING, Purpose.DATASET, Purpose.CONTROL)


def _opt_out_not_in_robots(site: ParsedSite) -> Iterator[SiteFinding]:
    if site.access is not Access.RULES:
        return
    refusals = [
        s
        for s in declared(site, UNNAMED)
        if s.category is Category.TRAIN_AI and s.preference is Preference.DISALLOW
    ]
    outside = [s for s in refusals if s.location.carrier is not Carrier.ROBOTS]
    if outside and all(reach_of(site.file, c) is Reach.OPEN for c in CRAWLERS if _collects_for_training(c)):
        yield finding(
            "opt-out-not-in-robots",
            "robots.txt",
            f"it disallows no training crawler, although {outside[0].location.where} says no to AI training"
            f" ({shorten(outside[0].location.text)})",
            "most AI crawlers read only robots.txt, so they fetch the page",
            fix="add the groups that 'aipolicy robots --preset no-training --base robots.txt' writes",
        )


def _grants_to_blocked(site: ParsedSite) -> Iterator[SiteFinding]:
    """Yield the grants to crawlers that may not fetch the page."""
    if site.access is not Access.RULES:
        return
    found: dict[Statement, list[str]] = {}
    for crawler in CRAWLERS:
        token, uses = crawler.product_token, crawler.purpose.categories
        bound = site.file.index.bound(token)
        if uses and bound.is_named and reach_of(site.file, crawler) is Reach.BLOCKED:
            for statement in declared(site, token):
                outside = statement.location.carrier in PAGE_CARRIERS | {Carrier.TDMREP}
                if outside and statement.preference is Preference.ALLOW and statement.category in uses:
                    found.setdefault(statement, []).append(token)
    for grant, tokens in found.items():
        yield finding(
            "grant-to-the-shut-out",
            grant.location.where,
            f"{shorten(grant.location.text)!r} allows {USES[grant.category]}, but robots.txt disallows"
            f" {listed(best_known_first(tokens), 4)}",
            "they don't fetch the page, but may use copies that they have or get elsewhere",
            fix="say no in both places, or allow these crawlers in robots.txt",
        )
