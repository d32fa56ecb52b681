"""What one client gets and another doesn't: stale copies, refusals and answers made for a User-Agent."""

from collections.abc import Iterator

from aipolicy.report.text import listed, shown
from aipolicy.robotstxt.findings import Severity
from aipolicy.siteaudit.access import Access, access_of, effective
from aipolicy.siteaudit.caching import caching_of
from aipolicy.siteaudit.engines.robots import fetch_of
from aipolicy.siteaudit.findings import Finding, finding
from aipolicy.siteaudit.observation import Answer
from aipolicy.siteaudit.parsed_site import Reading
from aipolicy.siteaudit.robots_diff import Differing
from aipolicy.siteaudit.signal_summary import PageSaid, effect_text, said_past_caches

_UNKNOWN_ADDRESS = (
    "this machine has none of the crawler's addresses: a firewall that knows them may do otherwise"
)


def check(reading: Reading) -> Iterator[Finding]:
    differing = Differing(effective(reading.observation.robots.plain))
    yield from _stale_robots(reading, differing)
    yield from _stale_page(reading)
    yield from _robots_of_others(reading, differing)
    yield from _page_of_others(reading)
    yield from differing.left_out()


def _stale_robots(reading: Reading, differing: Differing) -> Iterator[Finding]:
    robots = reading.observation.robots
    if robots.fresh is None or not robots.fresh.ok:
        return  # a server that minds the query tells nothing
    if access_of(robots.plain) is Access.UNREACHABLE or robots.plain.refused:
        return
    differences = differing("past the caches", robots.fresh)
    if differences:
        yield finding(
            "robots-stale-copy",
            "robots.txt",
            f"past the caches it says something else{_traces(robots.plain)}: {effect_text(differences)}",
            "crawlers get the old one until the cache lets go of it, and may then keep it for another day",
            fix="purge /robots.txt from the cache, and have it kept for an hour at most",
        )


def _stale_page(reading: Reading) -> Iterator[Finding]:
    page = reading.observation.page
    said = said_past_caches(page)
    if said is None or said[0] == said[1]:
        return
    (was, is_now), again = said, page.again if page.again and page.again.ok else page.plain
    if PageSaid.of(again) == is_now or caching_of(again).is_copy:
        yield finding(
            "page-stale-copy",
            "page",
            f"past the caches it says something else{_traces(page.plain)}: {was.changes_to(is_now)}",
            "readers get the old signals until the cache lets go of them",
            fix="purge the page from the cache; it must be renewed when the policy changes",
        )
    else:
        yield finding(
            "page-differs-by-query",
            "page",
            f"with a query that nobody used: {was.changes_to(is_now)}",
            "links with a query may lead to those; if it is a cache's old copy instead, that doesn't show",
        )


def _robots_of_others(reading: Reading, differing: Differing) -> Iterator[Finding]:
    robots = reading.observation.robots
    refused = [(who, answer) for who, answer in robots.crawlers if answer.refused]
    ok = robots.plain.ok or (robots.browser is not None and robots.browser.ok)
    if refused and ok:
        who = listed(name for name, _ in refused)
        yield finding(
            "robots-refused-to-crawlers",
            "robots.txt",
            f"to {who} it is answered with {shown(refused[0][1].outcome)}, to others with 200",
            f"who can't read the rules goes without them, or keeps out; {_UNKNOWN_ADDRESS}",
            fix="answer /robots.txt to everyone: exempt it from what blocks crawlers",
        )
    if not robots.plain.ok:
        return
    for who, answer in robots.others:
        differences = differing(who, answer) if answer.ok else []
        if differences:
            yield finding(
                "robots-differs-by-client",
                "robots.txt",
                f"{who} gets another one than others: {effect_text(differences)}",
                "what you see in a browser isn't what crawlers are told",
                fix="answer /robots.txt alike to everyone; no cache may vary it by User-Agent",
            )
            return


def _page_of_others(reading: Reading) -> Iterator[Finding]:
    page = reading.observation.page
    ok = page.plain.ok or (page.browser is not None and page.browser.ok)
    let_in = [(who, answer) for who, answer in page.crawlers if fetch_of(reading, who).allowed]
    refused = [(who, answer) for who, answer in let_in if answer.refused]
    if refused and ok:
        who = listed(name for name, _ in refused)
        yield finding(
            "page-refused-to-crawlers",
            "page",
            f"to {who} it is answered with {shown(refused[0][1].outcome)}, to others with 200",
            f"robots.txt lets {'it' if len(refused) == 1 else 'them'} in; {_UNKNOWN_ADDRESS}",
            fix="say the same in both: shut it out in robots.txt, or let it through",
        )
    if not page.plain.ok:
        return
    said = PageSaid.of(page.plain)
    differing: dict[PageSaid, list[str]] = {}
    for who, answer in page.others:
        theirs = PageSaid.of(answer) if answer.ok else said
        if theirs != said:
            differing.setdefault(theirs, []).append(who)
    for theirs, whose in differing.items():
        verb = "gets" if len(whose) == 1 else "get"
        yield finding(
            "page-differs-by-client",
            "page",
            f"{listed(whose)} {verb} other signals than others: {said.changes_to(theirs)}",
            "what one reader is told another isn't",
            fix="send the signals to everyone",
            severity=None if theirs.keeps_every_no(said) else Severity.ERROR,
        )


def _traces(answer: Answer) -> str:
    traces = caching_of(answer).traces
    return f" ({', '.join(traces)})" if traces else ""
