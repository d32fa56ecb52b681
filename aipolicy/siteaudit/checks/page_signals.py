"""Checks of the signals in the headers and tags of the page: if their readers can read them."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from aipolicy.core.preferences import Category, Preference, members_of
from aipolicy.report.text import listed, shorten
from aipolicy.signals.content_usage import guess_usage, strictest_of
from aipolicy.signals.tdmrep import NAME
from aipolicy.signals.x_robots_tag import OPT_OUT_RULES, missed_by, named_rules, parse_x_robots_tag
from aipolicy.siteaudit.declarations import header_preferences, licences, reservation_values, rules_for
from aipolicy.siteaudit.findings import SiteFinding, finding
from aipolicy.siteaudit.parsed_site import PageSignals, ParsedSite
from aipolicy.siteaudit.statements import Carrier, Location

_USAGE = "header Content-Usage"
_MEMBERS = {Preference.ALLOW: "{}=y", Preference.DISALLOW: "{}=n"}


def check(site: ParsedSite) -> Iterator[SiteFinding]:
    """Yield what is wrong with each signal, whatever the policy."""
    page = site.page
    yield from _reservations(page)
    yield from _x_robots_tag(page)
    for value, location in (*page.headers("Content-Signal"), *page.metas("content-signal")):
        yield finding(
            "content-signal-in-page",
            location.where,
            shorten(location.text),
            "contentsignals.org defines it for robots.txt only; Cloudflare also sends it with Markdown pages"
            if value
            else "it is empty",
        )
    yield from _licences(site)
    yield from _content_usage(page)


def _reservations(page: PageSignals) -> Iterator[SiteFinding]:
    for value, location in reservation_values(page):
        if value not in ("0", "1"):
            effect = "any value other than 0 and 1 says nothing (TDMRep §4)"
            repeated = "," in value and location.carrier is Carrier.HEADER
            yield finding(
                "tdm-reservation-unreadable",
                location.where,
                f"{NAME} is {shorten(value)!r}",
                f"{effect}; two lines count as one value, because proxies join them" if repeated else effect,
                fix=f"send {NAME}: 1 once" if "1" in value else f"send {NAME}: 0 or 1 once",
            )


def _x_robots_tag(page: PageSignals) -> Iterator[SiteFinding]:
    lines = page.headers("X-Robots-Tag")
    reason = missed_by(value for value, _ in lines)
    if reason:
        first = next(place for value, place in lines if OPT_OUT_RULES & parse_x_robots_tag([value]))
        yield finding(
            "noai-unread",
            first.where,
            shorten(first.text),
            f"{reason}, and doesn't find the opt-out",
            fix="X-Robots-Tag: noai, noimageai (alone, on a line of its own)",
        )
    named = [location for value, location in lines if any(name for name, _ in named_rules(value))]
    if named:
        yield finding(
            "rules-for-named-crawlers",
            "header",
            listed(shorten(location.text) for location in named),
            "no AI company documents that it reads rules for its crawler alone",
        )
    generic = rules_for(page)
    if {"noarchive", "nocache"} <= set(generic):
        yield _weaker(generic["nocache"])


def _weaker(location: Location) -> SiteFinding:
    return finding(
        "noarchive-with-nocache",
        location.where,
        "the page has both noarchive and nocache",
        "Bing then follows nocache: it may use title, snippet and URL, also for training",
        fix="remove nocache",
    )


def _licences(site: ParsedSite) -> Iterator[SiteFinding]:
    found = licences(site)
    for licence in found:
        if urlsplit(licence.url).scheme not in ("http", "https"):
            yield finding(
                "licence-not-absolute",
                licence.location.where,
                shorten(licence.location.text),
                "RSL requires the complete URL of a licence",
                fix="write the URL with https:// and its host",
            )
    urls = dict.fromkeys(licence.url for licence in found)
    if len(urls) > 1:
        yield finding(
            "licences-differ",
            listed(dict.fromkeys(licence.location.where for licence in found)),
            f"they name different licences: {listed(urls, 4)}",
            "no rule says which one applies",
            fix="name one licence everywhere",
        )


def _content_usage(page: PageSignals) -> Iterator[SiteFinding]:
    sent = page.answer.header("Content-Usage")
    members, meant = members_of(sent), guess_usage(sent)
    if members is None:
        yield finding(
            "content-usage-unreadable",
            _USAGE,
            f"the value can't be parsed: {_sent(page)}",
            "one error makes the whole header invalid: write labels in lower case, commas between members and"
            " no space around = (RFC 9651 §4.2.2)",
            fix=f"Content-Usage: {meant}" if meant else "",
        )
        return
    stated, strictest = header_preferences(page), strictest_of(sent)
    for category in Category:
        # A value that a later member replaced is reported below.
        if category in members and stated[category] is strictest[category] is Preference.UNKNOWN:
            yield finding(
                "content-usage-unreadable",
                _USAGE,
                f"{category} is neither y nor n: {_sent(page)}",
                "any other value says nothing (AIPREF vocab-08 §6.5)",
                fix=_MEMBERS.get(meant[category], "{0}=n or {0}=y").format(category),
            )
    if strictest != stated:
        yield finding(
            "content-usage-repeated",
            _USAGE,
            f"of {_sent(page)} {f'only {stated}' if stated else 'nothing'} counts",
            "all lines are one dictionary, in which the last value of a label counts (RFC 9651 §4.2.2)",
            fix=f"Content-Usage: {strictest.combined(meant)}",
        )
    unknown = [label for label in members if label not in set(Category)]
    if unknown:
        yield finding(
            "content-usage-unknown-label",
            _USAGE,
            f"unknown labels: {listed(unknown)}",
            f"readers ignore them (AIPREF vocab-08 §6.5); the known labels are {listed(Category)}",
        )


def _sent(page: PageSignals) -> str:
    return listed(repr(shorten(value)) for value in page.answer.values("Content-Usage"))
