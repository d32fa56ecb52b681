"""Checks of the page itself: if it was received, and if it is the site's own."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from aipolicy.report.text import shorten
from aipolicy.robotstxt.findings import Severity
from aipolicy.siteaudit.findings import SiteFinding, finding
from aipolicy.siteaudit.html_signals import MOST_BYTES
from aipolicy.siteaudit.interstitial import interstitial
from aipolicy.siteaudit.observation import FetchResult
from aipolicy.siteaudit.parsed_site import ParsedSite


def check(site: ParsedSite) -> Iterator[SiteFinding]:
    """Yield what keeps the page's signals from being read."""
    answer = site.page.answer
    if not answer.status:
        yield finding(
            "page-unreachable",
            "page",
            shorten(answer.outcome),
            "its headers and tags are unknown; the other findings are about the files alone",
        )
    else:
        yield from _received(site, answer)
    if not answer.markup.complete:
        yield _partly_read(answer)


def _received(site: ParsedSite, answer: FetchResult) -> Iterator[SiteFinding]:
    if answer.trouble is not None:
        yield finding(
            "page-unreadable",
            "page",
            shorten(answer.outcome),
            "this check, and many crawlers, can't read the tags of the page",
            fix="send the whole page, in a coding that the client accepts, or redirect to a valid URL",
        )
    for where, fetched in (("page", answer), ("robots.txt", site.observation.robots.effective)):
        if stand_in := interstitial(fetched):
            yield finding(
                "not-the-sites-page",
                where,
                f"the server sends {stand_in}, with status {fetched.status}",
                "it replaces the site's own answer, whose signals are therefore unknown",
                fix="let this check through, or run it behind the firewall; it may stop crawlers too",
            )
    if answer.status >= 400:
        yield finding(
            "page-refused",
            "page",
            f"the server answers with status {answer.status}",
            "the headers are those of an error page; the page itself may have others",
            fix="check a URL that is answered with 200",
        )
    asked, final = urlsplit(answer.asked).hostname or "", urlsplit(answer.url).hostname or ""
    if final and asked != final:
        yield finding(
            "page-on-another-host",
            "page",
            f"the page redirects to {shorten(answer.url)}",
            f"there the robots.txt of {shorten(final)} applies, not the one that was read",
            fix=f"aipolicy check site {shorten(answer.url)}",
            severity=Severity.NOTE if _robots_host(site) == final else None,
        )
    if len(site.paths) > 1:
        yield finding(
            "page-redirected",
            "page",
            f"the page redirects: {shorten(' -> '.join(site.paths))}",
            "a crawler must be allowed to fetch each path; the signals are those of the last",
        )


def _partly_read(answer: FetchResult) -> SiteFinding:
    if len(answer.body) > MOST_BYTES:
        found, effect = f"the page is longer than {MOST_BYTES // 1024} KiB", "tags after that are not read"
    else:
        found = "the page is sent as XHTML, but isn't well-formed"
        effect = "it is read as HTML, so tags after <script/> or <title/> are lost; browsers show no page"
    return finding("page-partly-read", "page", found, effect)


def _robots_host(site: ParsedSite) -> str | None:
    return urlsplit(site.observation.robots.effective.url).hostname
