"""The answer to /robots.txt: its status, where it came from, its type and what caches do with it."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from aipolicy.core.preferences import Preference
from aipolicy.errors import FetchTrouble
from aipolicy.report.text import shown
from aipolicy.siteaudit.access import Access
from aipolicy.siteaudit.caching import DAY, caching_of, duration
from aipolicy.siteaudit.crawler_view import UNNAMED, declared
from aipolicy.siteaudit.findings import Finding, finding
from aipolicy.siteaudit.html_signals import looks_like_html
from aipolicy.siteaudit.observation import Answer
from aipolicy.siteaudit.parsed_site import Reading

_WHERE = "robots.txt"
_KEEP_OUT = "crawlers must keep out of the whole site meanwhile, search engines too (RFC 9309 §2.3.1.4)"
_COME_IN = "crawlers may fetch everything, as on a site without rules (RFC 9309 §2.3.1.3)"
_EXEMPT = "answer /robots.txt with 200 to everyone: exempt it from firewalls, limits and logins"


def check(reading: Reading) -> Iterator[Finding]:
    answer = reading.observation.robots.seen
    if answer.trouble is FetchTrouble.REDIRECTS:
        yield finding(
            "robots-redirects",
            _WHERE,
            f"{answer.reason} lead away from it",
            f"{_COME_IN}: §2.3.1.2 lets them stop after five",
            fix="answer it where it is asked for",
        )
    elif answer.trouble is not None and reading.access is Access.NO_RULES:
        yield finding(
            "robots-unreadable",
            _WHERE,
            shown(answer.outcome),
            f"who can't read it knows of no rules: {_COME_IN}",
            fix="answer it where it is asked for, with 200, in no coding or in gzip",
        )
    elif reading.access is Access.UNREACHABLE:
        yield finding(
            "robots-unreachable",
            _WHERE,
            f"{shown(answer.outcome)} instead of a robots.txt",
            f"{_KEEP_OUT}; after some weeks some go on without rules",
            fix="answer it with 200; where its source is away, with the last good copy",
        )
    elif reading.access is Access.NO_RULES:
        yield _without_rules(reading, answer)
    else:
        yield from _kind(answer)
        yield from _cached(answer)
    yield from _redirected(answer)


def _without_rules(reading: Reading, answer: Answer) -> Finding:
    found = f"it is answered with {answer.status}"
    if answer.status == 429:
        effect = f"{_COME_IN}, but Google takes 429 for a 5xx and keeps out of the whole site"
        return finding("robots-rate-limited", _WHERE, found, effect, fix=_EXEMPT)
    if answer.status not in (404, 410) and answer.status >= 400:
        return finding("robots-refused", _WHERE, found, f"{_COME_IN}; few keep out instead", fix=_EXEMPT)
    if any(s.preference is Preference.DISALLOW for s in declared(reading, UNNAMED)):
        return finding(
            "robots-missing",
            _WHERE,
            f"{found}, and the page says no to AI",
            "most AI crawlers read robots.txt alone: to them nothing is said",
            fix="serve one; aipolicy robots --preset no-training writes it",
        )
    return finding("robots-absent", _WHERE, found, _COME_IN)


def _kind(answer: Answer) -> Iterator[Finding]:
    if looks_like_html(answer.body):
        return  # a page: the linter says so, and more
    sent = answer.header("content-type")
    if answer.media_type != "text/plain" or answer.charset not in ("", "utf-8", "utf8", "us-ascii"):
        yield finding(
            "robots-content-type",
            _WHERE,
            f"Content-Type is {shown(sent, 60)!r}" if sent else "it has no Content-Type",
            "RFC 9309 §2.3 asks for UTF-8 and text/plain: some crawlers take no other",
            fix="Content-Type: text/plain; charset=utf-8",
        )


def _cached(answer: Answer) -> Iterator[Finding]:
    caching = caching_of(answer)
    if caching.seconds is not None and caching.seconds > DAY:
        yield finding(
            "robots-cached-long",
            _WHERE,
            f"caches may keep it for {duration(caching.seconds)} ({shown(caching.by)})",
            "a change reaches crawlers that much later, who then keep it for a day; Google goes by max-age",
            fix="Cache-Control: max-age=3600, or less",
        )
    if caching.age > DAY:
        yield finding(
            "robots-old-copy",
            _WHERE,
            f"the copy that came is {duration(caching.age)} old ({', '.join(caching.traces)})",
            "crawlers may keep a robots.txt for a day (RFC 9309 §2.4): that is to be added",
            fix="purge it from the cache, and have /robots.txt kept for an hour at most",
        )


def _redirected(answer: Answer) -> Iterator[Finding]:
    if not answer.hops or answer.trouble is not None:
        return
    asked, led = urlsplit(answer.asked), urlsplit(answer.url)
    way = " -> ".join([shown(hop.url) for hop in answer.hops] + [shown(answer.url)])
    if not _is_same_site(asked.hostname or "", led.hostname or ""):
        yield finding(
            "robots-on-another-host",
            _WHERE,
            f"it redirects to another host: {way}",
            f"crawlers apply the rules of {shown(led.hostname or '')} to this site (RFC 9309 §2.3.1.2)",
            fix="answer it on this host, unless that one is meant to make the rules",
        )
    else:
        yield finding("robots-redirected", _WHERE, way, "crawlers follow five redirects (RFC 9309 §2.3.1.2)")


def _is_same_site(one: str, other: str) -> bool:
    """Whether the hosts are one, or one and its ``www``."""
    return one.removeprefix("www.") == other.removeprefix("www.")
