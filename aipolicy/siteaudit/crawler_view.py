"""What each crawler is told: may it fetch the page, and what is declared of each category of use."""

from collections.abc import Iterable
from dataclasses import dataclass

from aipolicy.core.crawlers import CRAWLERS, Purpose, crawler_named
from aipolicy.core.preferences import Category, Preference
from aipolicy.siteaudit.engines import ai_txt, aipref, content_signal, tdmrep, x_robots_tag
from aipolicy.siteaudit.engines.robots import Fetch, fetch_of, robots_statements
from aipolicy.siteaudit.parsed_site import Reading
from aipolicy.siteaudit.statements import PAGE_CARRIERS, Carrier, Signal, Statement

UNNAMED = "any-other-crawler"
"""Stands for a crawler that no file names."""


@dataclass(frozen=True, slots=True)
class Use:
    """What is declared of one category, and the statements that do: any no makes it a no."""

    preference: Preference
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What one crawler is told. ``is_control``: nobody fetches by that token; it governs what others do."""

    fetch: Fetch
    uses: tuple[Use, ...]  # in the order of Category
    is_control: bool = False

    def use(self, category: Category) -> Use:
        return self.uses[list(Category).index(category)]


@dataclass(frozen=True, slots=True)
class Row:
    """The same for several crawlers. ``others``: for every crawler that isn't listed, too."""

    tokens: tuple[str, ...]
    others: bool
    told: Told


def listed_crawlers() -> tuple[str, ...]:
    """Crawlers for AI, and the search engines whose index feeds answers."""
    return tuple(
        crawler.product_token
        for crawler in CRAWLERS
        if crawler.purpose.categories or crawler.purpose is Purpose.SEARCH_ENGINE
    )


def answers(reading: Reading, tokens: Iterable[str] = ()) -> tuple[Row, ...]:
    """What ``tokens`` are told, those with equal answers in one row; else all known, and any other crawler.

    Those who are shut out come first.
    """
    asked = tuple(dict.fromkeys(tokens))
    alike: dict[Told, list[str]] = {}
    for token in asked or (*listed_crawlers(), UNNAMED):
        alike.setdefault(told(reading, token), []).append(token)
    rows = [
        Row(tuple(token for token in names if token != UNNAMED), UNNAMED in names, said)
        for said, names in alike.items()
    ]
    return tuple(sorted(rows, key=lambda row: (row.told.fetch.allowed, row.told.is_control, row.others)))


def told(reading: Reading, token: str) -> Told:
    """What one crawler is told."""
    fetch = fetch_of(reading, token)
    crawler = crawler_named(token)
    control = crawler is not None and crawler.purpose is Purpose.CONTROL
    said = [*robots_statements(reading, token, fetch), *declared(reading, token)]
    if not fetch.allowed:
        # It may read no page, so it meets nothing that a page carries; and see attach-05 §3.
        said = [s for s in said if control or _reaches_the_shut_out(s)]
    return Told(fetch, tuple(_use(category, said) for category in Category), control)


def declared(reading: Reading, token: str) -> list[Statement]:
    """What every signal says to the crawler, by each engine's precedence; whether it gets there or not."""
    kept = reading.remembered
    if "" not in kept:  # what everyone is told alike
        page = reading.page
        kept[""] = (
            aipref.usage_in_headers(page),
            content_signal.signals_in_page(page),
            tdmrep.reservation(reading),
        )
    if token not in kept:
        usage, signals, reservation = kept[""]
        kept[token] = [
            *aipref.usage_in_robots(reading, token),
            *usage,
            *content_signal.signals_in_robots(reading, token),
            *signals,
            *x_robots_tag.tag_statements(reading.page, token),
            *reservation,
            *ai_txt.ai_txt_statements(reading, token),
        ]
    said: list[Statement] = kept[token]
    return said


def _reaches_the_shut_out(statement: Statement) -> bool:
    carrier = statement.place.carrier
    return carrier not in PAGE_CARRIERS and (
        carrier is not Carrier.ROBOTS or statement.signal is not Signal.AIPREF
    )


def _use(category: Category, said: Iterable[Statement]) -> Use:
    statements = tuple(dict.fromkeys(s for s in said if s.category is category))
    refused = any(s.preference is Preference.DISALLOW for s in statements)
    if refused:
        return Use(Preference.DISALLOW, statements)
    return Use(Preference.ALLOW if statements else Preference.UNKNOWN, statements)
