"""robots.txt: which group binds a crawler, and which rule decides (RFC 9309 §2.2)."""

from collections.abc import Iterator
from dataclasses import dataclass

from aipolicy.core.crawlers import Crawler, Purpose, crawler_named
from aipolicy.core.preferences import Category, Preference
from aipolicy.robotstxt.coverage import group_token, heeds_only_its_name
from aipolicy.siteaudit.access import Access
from aipolicy.siteaudit.parsed_site import Reading
from aipolicy.siteaudit.statements import Carrier, Place, Signal, Statement


@dataclass(frozen=True, slots=True)
class Fetch:
    """Whether a crawler may fetch the page. ``place`` is the rule that says so, None where none does.

    ``because`` says it in words where no rule does.
    """

    allowed: bool
    place: Place | None
    because: str


def fetch_of(reading: Reading, token: str) -> Fetch:
    """May the crawler ``token`` fetch the page?"""
    answer = reading.observation.robots.seen
    if reading.access is Access.NO_RULES:
        return Fetch(True, None, f"robots.txt: {answer.outcome}, which means that there are no rules")
    if reading.access is Access.UNREACHABLE:
        return Fetch(False, None, f"robots.txt: {answer.outcome}, which shuts everyone out until it is back")
    file, name = reading.file, group_token(reading.file, token)
    bound = file.index.bound(name)
    if not bound.is_named and heeds_only_its_name(token):
        return Fetch(True, None, "robots.txt doesn't name it, and it honours nothing else")
    rulings = [file.index.decide(name, path) for path in reading.paths]
    ruling = next((one for one in rulings if not one.allowed), rulings[-1])  # each redirect is fetched, too
    if ruling.line:
        text = file.lines[ruling.line - 1].text
        return Fetch(ruling.allowed, Place(Carrier.ROBOTS, ruling.line, text), "")
    because = "no rule of its group matches" if bound.name else "robots.txt has no group for it"
    return Fetch(True, None, because)


def robots_statements(reading: Reading, token: str, fetch: Fetch) -> Iterator[Statement]:
    """What being shut out says: no to what the crawler comes for."""
    if fetch.allowed:
        return
    crawler = crawler_named(token)
    place = fetch.place or Place(Carrier.ROBOTS, 0, fetch.because)
    for category in _comes_for(crawler):
        yield Statement(Signal.ROBOTS, category, Preference.DISALLOW, place)


def _comes_for(crawler: Crawler | None) -> tuple[Category, ...]:
    if crawler is None:
        return ()
    return (Category.SEARCH,) if crawler.purpose is Purpose.SEARCH_ENGINE else crawler.purpose.categories
