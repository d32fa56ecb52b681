"""Checks of the answer to /robots.txt: status, redirects, content type and caching."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from aipolicy.core.preferences import Preference
from aipolicy.errors import FetchTrouble
from aipolicy.report.text import shorten
from aipolicy.siteaudit.caching import DAY, caching_of, duration
from aipolicy.siteaudit.declarations import declared
from aipolicy.siteaudit.findings import SiteFinding, finding
from aipolicy.siteaudit.html_signals import looks_like_html
from aipolicy.siteaudit.observation import Access, FetchResult
from aipolicy.siteaudit.parsed_site import ParsedSite
from aipolicy.siteaudit.statements import UNNAMED

_WHERE = "robots.txt"
_CLOSED = "crawlers, search engines too, must not fetch any page while this lasts (RFC 9309 §2.3.1.4)"
_OPEN = "crawlers may fetch everything, as on a site without a robots.txt (RFC 9309 §2.3.1.3)"
_EXEMPT = "answer /robots.txt with 200 to every client: exempt it from firewalls, rate limits and logins"


def check(site: ParsedSite) -> Iterator[SiteFinding]:
    answer = site.observation.robots.effective
    if answer.trouble is FetchTrouble.REDIRECTS:
        yield finding(
            "robots-redirects",
            _WHERE,
            f"{answer.reason}",
            f"crawlers may stop after five redirects (§2.3.1.2); then {_OPEN}",
            fix="serve the file at /robots.txt itself",
        )
    elif answer.trouble is not None and site.access is Access.NO_RULES:
        yield finding(
            "robots-unreadable",
            _WHERE,
            shorten(answer.outcome),
            f"a crawler that can't read the file has no rules: {_OPEN}",
            fix="answer /robots.txt with 200, uncompressed or compressed with gzip",
        )
    elif site.access is Access.UNREACHABLE:
        yield finding(
            "robots-unreachable",
            _WHERE,
            f"the request for the file failed: {shorten(answer.outcome)}",
            f"{_CLOSED}; after some weeks some crawlers assume that there are no rules",
            fix="answer /robots.txt with 200; if its source fails, serve the last good copy",
        )
    elif site.access is Access.NO_RULES:
        yield _without_rules(site, answer)
    else:
        yield from _content_type(answer)
        yield from _cached(answer)
    yield from _redirected(answer)


def _without_rules(site: ParsedSite, answer: FetchResult) -> SiteFinding:
    found = f"the server answers with status {answer.status}"
    if answer.status == 429:
        effect = f"{_OPEN}; but Google treats 429 like a server error and stops fetching the whole site"
        return finding("robots-rate-limited", _WHERE, found, effect, fix=_EXEMPT)
    if answer.status not in (404, 410) and answer.status >= 400:
        return finding(
            "robots-refused", _WHERE, found, f"{_OPEN}; only a few crawlers stay away instead", fix=_EXEMPT
        )
    if any(s.preference is Preference.DISALLOW for s in declared(site, UNNAMED)):
        return finding(
            "robots-missing",
            _WHERE,
            f"{found}, although the page says no to AI",
            "most AI crawlers read only robots.txt, so they don't learn of the opt-out",
            fix="serve the file that 'aipolicy robots --preset no-training' writes",
        )
    return finding("robots-absent", _WHERE, found, _OPEN)


def _content_type(answer: FetchResult) -> Iterator[SiteFinding]:
    if looks_like_html(answer.body):
        return  # an HTML page: the linter reports it
    sent = answer.header("content-type")
    if answer.media_type != "text/plain" or answer.charset not in ("", "utf-8", "utf8", "us-ascii"):
        yield finding(
            "robots-content-type",
            _WHERE,
            f"its Content-Type is {shorten(sent, 60)!r}" if sent else "it has no Content-Type",
            "RFC 9309 §2.3 requires text/plain in UTF-8, and some crawlers ignore any other file",
            fix="Content-Type: text/plain; charset=utf-8",
        )


def _cached(answer: FetchResult) -> Iterator[SiteFinding]:
    caching = caching_of(answer)
    if caching.seconds is not None and caching.seconds > DAY:
        yield finding(
            "robots-cached-long",
            _WHERE,
            f"caches may keep it for {duration(caching.seconds)} ({shorten(caching.by)})",
            "a change reaches crawlers only after that time, and they may keep their copy for another day;"
            " Google keeps it as long as max-age says",
            fix="Cache-Control: max-age=3600, or less",
        )
    if caching.age > DAY:
        yield finding(
            "robots-old-copy",
            _WHERE,
            f"a cache served a copy that is {duration(caching.age)} old ({', '.join(caching.traces)})",
            "crawlers may keep that copy for another day (RFC 9309 §2.4)",
            fix="purge /robots.txt from the cache, and let caches keep it for an hour at most",
        )


def _redirected(answer: FetchResult) -> Iterator[SiteFinding]:
    if not answer.hops or answer.trouble is not None:
        return
    asked, final = urlsplit(answer.asked), urlsplit(answer.url)
    chain = " -> ".join([shorten(hop.url) for hop in answer.hops] + [shorten(answer.url)])
    if not _is_same_site(asked.hostname or "", final.hostname or ""):
        yield finding(
            "robots-on-another-host",
            _WHERE,
            f"it redirects to another host: {chain}",
            f"crawlers apply the rules of {shorten(final.hostname or '')} to this site (RFC 9309 §2.3.1.2)",
            fix="serve the file on this host, unless the other host is meant to make the rules",
        )
    else:
        yield finding(
            "robots-redirected",
            _WHERE,
            f"it redirects: {chain}",
            "crawlers follow up to five redirects (RFC 9309 §2.3.1.2)",
        )


def _is_same_site(one: str, other: str) -> bool:
    """Return True if the hosts are equal but for ``www``."""
    return one.removeprefix("www.") == other.removeprefix("www.")
