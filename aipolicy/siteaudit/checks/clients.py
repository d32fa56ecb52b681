"""Checks that all clients receive the same: stale copies, refusals, answers by User-Agent."""

from collections.abc import Iterator

from aipolicy.report.text import listed, shorten
from aipolicy.robotstxt.findings import Severity
from aipolicy.siteaudit.caching import caching_of
from aipolicy.siteaudit.findings import SiteFinding, finding
from aipolicy.siteaudit.observation import Access, FetchResult, access_of, effective
from aipolicy.siteaudit.parsed_site import ParsedSite
from aipolicy.siteaudit.robots_access import fetch_of
from aipolicy.siteaudit.robots_diff import RobotsComparison, effect_text
from aipolicy.siteaudit.signal_summary import PageSummary, summaries_past_caches

_UNKNOWN_ADDRESS = (
    "this check has none of the crawler's addresses, so a firewall that knows them may let the crawler in"
)


def check(site: ParsedSite) -> Iterator[SiteFinding]:
    """Yield the differences between clients, first those that a cache causes."""
    comparison = RobotsComparison(effective(site.observation.robots.plain))
    yield from _stale_robots(site, comparison)
    yield from _stale_page(site)
    yield from _robots_by_client(site, comparison)
    yield from _page_by_client(site)
    yield from comparison.not_compared()


def _stale_robots(site: ParsedSite, comparison: RobotsComparison) -> Iterator[SiteFinding]:
    robots = site.observation.robots
    if robots.fresh is None or not robots.fresh.ok:
        return  # a server that rejects the query proves nothing
    if access_of(robots.plain) is Access.UNREACHABLE or robots.plain.refused:
        return
    differences = comparison("requests past caches", robots.fresh)
    if differences:
        yield finding(
            "robots-stale-copy",
            "robots.txt",
            f"the site's current file is different{_traces(robots.plain)}: {effect_text(differences)}",
            "crawlers receive the old file until it leaves the cache, and may then keep it for another day",
            fix="purge /robots.txt from the cache, and let caches keep it for an hour at most",
        )


def _stale_page(site: ParsedSite) -> Iterator[SiteFinding]:
    page = site.observation.page
    summaries = summaries_past_caches(page)
    if summaries is None or summaries[0] == summaries[1]:
        return
    (cached, fresh), again = summaries, page.again if page.again and page.again.ok else page.plain
    if PageSummary.of(again) == fresh or caching_of(again).is_copy:
        yield finding(
            "page-stale-copy",
            "page",
            f"the site's current page has other signals{_traces(page.plain)}: {cached.changes_to(fresh)}",
            "readers receive the old signals until the page leaves the cache",
            fix="purge the page from the cache, and do so whenever the policy changes",
        )
    else:
        yield finding(
            "page-differs-by-query",
            "page",
            f"the page has other signals at a URL with an unused query: {cached.changes_to(fresh)}",
            "links with a query lead to these signals; or a cache served an old copy without saying so",
        )


def _robots_by_client(site: ParsedSite, comparison: RobotsComparison) -> Iterator[SiteFinding]:
    robots = site.observation.robots
    refused = [(client, answer) for client, answer in robots.crawlers if answer.refused]
    ok = robots.plain.ok or (robots.browser is not None and robots.browser.ok)
    if refused and ok:
        clients = listed(name for name, _ in refused)
        yield finding(
            "robots-refused-to-crawlers",
            "robots.txt",
            f"{clients} receives {shorten(refused[0][1].outcome)}, other clients receive 200",
            f"a crawler that can't read the rules ignores them or stays away; {_UNKNOWN_ADDRESS}",
            fix="answer /robots.txt to every client: exempt it from rules that block crawlers",
        )
    if not robots.plain.ok:
        return
    for client, answer in robots.others:
        differences = comparison(client, answer) if answer.ok else []
        if differences:
            yield finding(
                "robots-differs-by-client",
                "robots.txt",
                f"{client} receives a different file: {effect_text(differences)}",
                "crawlers don't receive the rules that you see in a browser",
                fix="serve the same /robots.txt to every client; no cache may vary it by User-Agent",
            )
            return


def _page_by_client(site: ParsedSite) -> Iterator[SiteFinding]:
    page = site.observation.page
    ok = page.plain.ok or (page.browser is not None and page.browser.ok)
    allowed = [(client, answer) for client, answer in page.crawlers if fetch_of(site, client).allowed]
    refused = [(client, answer) for client, answer in allowed if answer.refused]
    if refused and ok:
        yield finding(
            "page-refused-to-crawlers",
            "page",
            f"{listed(name for name, _ in refused)} receives {shorten(refused[0][1].outcome)},"
            " other clients receive 200",
            f"robots.txt allows this fetch; {_UNKNOWN_ADDRESS}",
            fix="disallow the crawler in robots.txt too, or let it through",
        )
    if not page.plain.ok:
        return
    plain = PageSummary.of(page.plain)
    clients_by_summary: dict[PageSummary, list[str]] = {}
    for client, answer in page.others:
        summary = PageSummary.of(answer) if answer.ok else plain
        if summary != plain:
            clients_by_summary.setdefault(summary, []).append(client)
    for summary, clients in clients_by_summary.items():
        yield finding(
            "page-differs-by-client",
            "page",
            f"{listed(clients)} {'receives' if len(clients) == 1 else 'receive'} other signals:"
            f" {plain.changes_to(summary)}",
            "readers of the page receive different signals",
            fix="send the signals to every client",
            severity=None if summary.has_every_refusal_of(plain) else Severity.ERROR,
        )


def _traces(answer: FetchResult) -> str:
    traces = caching_of(answer).traces
    return f" ({', '.join(traces)})" if traces else ""
