"""The decision of robots.txt for one crawler: its group, and the rule that decides (RFC 9309 §2.2)."""

from collections.abc import Iterator
from dataclasses import dataclass

from aipolicy.core.crawlers import Crawler, Purpose, crawler_named
from aipolicy.core.preferences import Category, Preference
from aipolicy.robotstxt.coverage import group_token, heeds_only_its_name
from aipolicy.siteaudit.observation import Access
from aipolicy.siteaudit.parsed_site import ParsedSite
from aipolicy.siteaudit.statements import Carrier, Location, Signal, Statement


@dataclass(frozen=True, slots=True)
class FetchDecision:
    """The decision about a fetch of the page by a crawler.

    Attributes:
        allowed: True if it may.
        location: The rule that decides, or None.
        reason: The reason in words, if no rule decides.
    """

    allowed: bool
    location: Location | None
    reason: str


def fetch_of(site: ParsedSite, token: str) -> FetchDecision:
    """Return the decision for the crawler ``token``."""
    answer = site.observation.robots.effective
    if site.access is Access.NO_RULES:
        return FetchDecision(True, None, f"robots.txt: {answer.outcome}; this means that there are no rules")
    if site.access is Access.UNREACHABLE:
        return FetchDecision(
            False, None, f"robots.txt: {answer.outcome}; nothing may be fetched until it is back"
        )
    file, name = site.file, group_token(site.file, token)
    bound = file.index.bound(name)
    if not bound.is_named and heeds_only_its_name(token):
        return FetchDecision(True, None, "robots.txt doesn't name it, and it ignores the group for *")
    rulings = [file.index.decide(name, path) for path in site.paths]
    ruling = next((each for each in rulings if not each.allowed), rulings[-1])  # it fetches each redirect too
    if ruling.line:
        text = file.lines[ruling.line - 1].text
        return FetchDecision(ruling.allowed, Location(Carrier.ROBOTS, ruling.line, text), "")
    reason = "no rule of its group matches" if bound.name else "robots.txt has no group for it"
    return FetchDecision(True, None, reason)


def robots_statements(site: ParsedSite, token: str, fetch: FetchDecision) -> Iterator[Statement]:
    """Yield a no to each use that the crawler fetches pages for, if it may not fetch this one."""
    if fetch.allowed:
        return
    crawler = crawler_named(token)
    location = fetch.location or Location(Carrier.ROBOTS, 0, fetch.reason)
    for category in _purposes(crawler):
        yield Statement(Signal.ROBOTS, category, Preference.DISALLOW, location)


def _purposes(crawler: Crawler | None) -> tuple[Category, ...]:
    if crawler is None:
        return ()
    return (Category.SEARCH,) if crawler.purpose is Purpose.SEARCH_ENGINE else crawler.purpose.categories
