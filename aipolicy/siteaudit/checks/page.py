"""The page: whether it could be had, and whether its signals can be read."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from aipolicy.report.text import listed, shown
from aipolicy.robotstxt.findings import Severity
from aipolicy.signals.headers import named_rules, parse_x_robots_tag
from aipolicy.siteaudit.engines.rsl import licences
from aipolicy.siteaudit.engines.tdmrep import NAME, values_in_page
from aipolicy.siteaudit.engines.x_robots_tag import rules_for
from aipolicy.siteaudit.findings import Finding, finding
from aipolicy.siteaudit.html_signals import MOST_OCTETS
from aipolicy.siteaudit.interstitial import interstitial
from aipolicy.siteaudit.observation import Answer
from aipolicy.siteaudit.parsed_site import PageSignals, Reading
from aipolicy.siteaudit.statements import Carrier, Place

Lines = list[tuple[str, Place]]

_NOAI = frozenset({"noai", "noimageai"})


def check(reading: Reading) -> Iterator[Finding]:
    yield from _had(reading)
    page = reading.page
    yield from _reservations(page)
    yield from _tags(page)
    for value, place in (*page.headers("Content-Signal"), *page.metas("content-signal")):
        yield finding(
            "content-signal-in-page",
            place.where,
            shown(place.text),
            "the policy of contentsignals.org knows robots.txt alone; Cloudflare's Markdown answers send it"
            if value
            else "it is empty",
        )
    yield from _licences(reading)
    if not page.answer.markup.whole:
        yield _partly_read(page.answer)


def _had(reading: Reading) -> Iterator[Finding]:
    answer = reading.page.answer
    if not answer.status:
        yield finding(
            "page-unreachable",
            "page",
            shown(answer.outcome),
            "its headers and tags are unknown: what follows is about the files alone",
        )
        return
    if answer.trouble is not None:
        yield finding(
            "page-unreadable",
            "page",
            shown(answer.outcome),
            "a tag of the page is not known here, and to many crawlers neither",
            fix="answer it whole, in the coding that was asked for, or redirect to a URL",
        )
    for where, came in (("page", answer), ("robots.txt", reading.observation.robots.seen)):
        if stand_in := interstitial(came):
            yield finding(
                "not-the-sites-page",
                where,
                f"it is {stand_in}, answered with {came.status}",
                "it comes from what stands before the site: what the site itself says isn't known",
                fix="let this check through, or run it from behind that; crawlers may be stopped there, too",
            )
    if answer.status >= 400:
        yield finding(
            "page-refused",
            "page",
            f"it is answered with {answer.status}",
            "the headers are those of an error page: others may be sent with the page itself",
            fix="check a URL that is answered with 200",
        )
    asked, led = urlsplit(answer.asked).hostname or "", urlsplit(answer.url).hostname or ""
    if led and asked != led:
        yield finding(
            "page-on-another-host",
            "page",
            f"it redirects to {shown(answer.url)}",
            f"there the robots.txt of {shown(led)} holds, not the one that was read",
            fix=f"aipolicy check site {shown(answer.url)}",
            severity=Severity.NOTE if _same_file(reading, led) else None,
        )
    if len(reading.paths) > 1:
        yield finding(
            "page-redirected",
            "page",
            shown(" -> ".join(reading.paths)),
            "a crawler must be allowed each; what robots.txt and tdmrep.json declare is that of the last",
        )


def _partly_read(answer: Answer) -> Finding:
    if len(answer.body) > MOST_OCTETS:
        found, lost = f"it is longer than {MOST_OCTETS // 1024} KiB", "a tag behind that is not known here"
    else:
        found = "it is sent as XHTML, and isn't well-formed"
        lost = (
            "read as HTML, as here, a tag behind <script/> or <title/> is lost; browsers show no page at all"
        )
    return finding("page-partly-read", "page", found, lost)


def _same_file(reading: Reading, host: str) -> bool:
    """Whether the robots.txt that was read is that host's, too."""
    return urlsplit(reading.observation.robots.seen.url).hostname == host


def _reservations(page: PageSignals) -> Iterator[Finding]:
    for value, place in values_in_page(page):
        if value not in ("0", "1"):
            effect = "any value but 0 and 1 is read as none at all (TDMRep §4)"
            joined = "," in value and place.carrier is Carrier.HEADER
            yield finding(
                "tdm-reservation-unreadable",
                place.where,
                f"{NAME} is {shown(value)!r}",
                f"{effect}; two lines are one value, as proxies join them" if joined else effect,
                fix=f"{NAME}: 1, once" if "1" in value else f"{NAME}: 0 or 1, once",
            )


def _tags(page: PageSignals) -> Iterator[Finding]:
    lines = page.headers("X-Robots-Tag")
    generic = rules_for(page)
    yield from _unread(lines)
    named = [place for value, place in lines if any(name for name, _ in named_rules(value))]
    if named:
        yield finding(
            "rules-for-named-crawlers",
            "header",
            listed(shown(place.text) for place in named),
            "no AI company documents that it reads them",
        )
    if {"noarchive", "nocache"} <= set(generic):
        yield _weaker(generic["nocache"])


def _unread(lines: Lines) -> Iterator[Finding]:
    """Where every line that says noai to all is missed by one of its two readers."""
    saying = [(value, place) for value, place in lines if _NOAI & parse_x_robots_tag([value])]
    for reads, why in (
        (_datadiligence_reads, "datadiligence compares letter by letter"),
        (_img2dataset_reads, "img2dataset takes what stands before a colon for a crawler's name"),
    ):
        if saying and not any(reads(value) for value, _ in saying):
            place = saying[0][1]
            yield finding(
                "noai-unread",
                place.where,
                shown(place.text),
                f"{why}, and misses it",
                fix="X-Robots-Tag: noai, noimageai (alone, on a line of its own)",
            )
            return


def _datadiligence_reads(line: str) -> bool:
    """As of 0.1.7: any member that is exactly so."""
    return not _NOAI.isdisjoint(rule.strip() for rule in line.split(","))


def _img2dataset_reads(line: str) -> bool:
    """As of 1.47.0: a line with a colon is for the crawler that stands before it."""
    return ":" not in line and not _NOAI.isdisjoint(rule.strip() for rule in line.lower().split(","))


def _weaker(place: Place) -> Finding:
    return finding(
        "noarchive-with-nocache",
        place.where,
        "both noarchive and nocache hold",
        "Bing goes by nocache then: title, snippet and URL may be used, for training too",
        fix="leave nocache out",
    )


def _licences(reading: Reading) -> Iterator[Finding]:
    found = licences(reading)
    for licence in found:
        if urlsplit(licence.url).scheme not in ("http", "https"):
            yield finding(
                "licence-not-absolute",
                licence.place.where,
                shown(licence.place.text),
                "RSL names a licence by its whole URL",
                fix="write it with https:// and its host",
            )
    urls = dict.fromkeys(licence.url for licence in found)
    if len(urls) > 1:
        yield finding(
            "licences-differ",
            listed(dict.fromkeys(licence.place.where for licence in found)),
            f"different licences: {listed(urls, 4)}",
            "which one holds is up to the reader",
            fix="name one",
        )
