"""Views of a site by crawler: if it may fetch the page, and the preference for each category of use."""

from collections.abc import Iterable
from dataclasses import dataclass

from aipolicy.core.crawlers import CRAWLERS, Purpose, crawler_named
from aipolicy.core.preferences import Category, Preference
from aipolicy.siteaudit.declarations import declared
from aipolicy.siteaudit.parsed_site import ParsedSite
from aipolicy.siteaudit.robots_access import FetchDecision, fetch_of, robots_statements
from aipolicy.siteaudit.statements import PAGE_CARRIERS, UNNAMED, Carrier, Signal, Statement


@dataclass(frozen=True, slots=True)
class Use:
    """The preference for one category, and the statements it comes from: any no makes it a no."""

    preference: Preference
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class CrawlerView:
    """The site as one crawler sees it.

    Attributes:
        fetch: The decision whether it may fetch the page.
        uses: One for each category, in the order of ``Category``.
        is_control: True for a control token, which no crawler sends: it governs what others do.
    """

    fetch: FetchDecision
    uses: tuple[Use, ...]
    is_control: bool = False

    def use(self, category: Category) -> Use:
        return self.uses[list(Category).index(category)]


@dataclass(frozen=True, slots=True)
class CrawlerRow:
    """A view that several crawlers share. ``others``: also every crawler that isn't listed."""

    tokens: tuple[str, ...]
    others: bool
    view: CrawlerView


def listed_crawlers() -> tuple[str, ...]:
    """Return the product tokens of crawlers for AI, and of search engines whose index feeds AI answers."""
    return tuple(
        crawler.product_token
        for crawler in CRAWLERS
        if crawler.purpose.categories or crawler.purpose is Purpose.SEARCH_ENGINE
    )


def crawler_rows(site: ParsedSite, tokens: Iterable[str] = ()) -> tuple[CrawlerRow, ...]:
    """Return the views of ``tokens``, or of all known crawlers and any other; equal views share a row.

    Crawlers that may not fetch the page come first.
    """
    wanted = tuple(dict.fromkeys(tokens))
    by_view: dict[CrawlerView, list[str]] = {}
    for token in wanted or (*listed_crawlers(), UNNAMED):
        by_view.setdefault(crawler_view(site, token), []).append(token)
    rows = [
        CrawlerRow(tuple(token for token in names if token != UNNAMED), UNNAMED in names, view)
        for view, names in by_view.items()
    ]
    return tuple(sorted(rows, key=lambda row: (row.view.fetch.allowed, row.view.is_control, row.others)))


def crawler_view(site: ParsedSite, token: str) -> CrawlerView:
    """Return the site as one crawler sees it."""
    fetch = fetch_of(site, token)
    crawler = crawler_named(token)
    control = crawler is not None and crawler.purpose is Purpose.CONTROL
    statements = [*robots_statements(site, token, fetch), *declared(site, token)]
    if not fetch.allowed:
        # It doesn't receive the page's headers and tags; on AIPREF's lines in robots.txt see attach-05 §3.
        statements = [s for s in statements if control or _reaches_blocked(s)]
    return CrawlerView(fetch, tuple(_use(category, statements) for category in Category), control)


def _reaches_blocked(statement: Statement) -> bool:
    """Return True if the statement reaches a crawler that may not fetch the page."""
    carrier = statement.location.carrier
    return carrier not in PAGE_CARRIERS and (
        carrier is not Carrier.ROBOTS or statement.signal is not Signal.AIPREF
    )


def _use(category: Category, statements: Iterable[Statement]) -> Use:
    found = tuple(dict.fromkeys(s for s in statements if s.category is category))
    if any(s.preference is Preference.DISALLOW for s in found):
        return Use(Preference.DISALLOW, found)
    return Use(Preference.ALLOW if found else Preference.UNKNOWN, found)
