"""X-Robots-Tag and robots meta tags: the sum of the negative rules, generic and of one's own name."""

from collections.abc import Iterator

from aipolicy.core.preferences import Category, Preference
from aipolicy.signals.headers import parse_x_robots_tag
from aipolicy.siteaudit.parsed_site import PageSignals, meta_place
from aipolicy.siteaudit.statements import Place, Signal, Statement

Rules = dict[str, Place]

# Who documents reading what: Bing's blog of September 2023, Amazon's page, Google's page of 2026-03-24.
_READ_BY: dict[str, dict[str, tuple[Category, ...]]] = {
    "bingbot": {"noarchive": (Category.TRAIN_AI, Category.AI_USE)},
    "amazonbot": {"noarchive": (Category.TRAIN_AI,)},
    "googlebot": {"nosnippet": (Category.AI_USE,), "max-snippet:0": (Category.AI_USE,)},
}
_READ_BY_ALL: dict[str, tuple[Category, ...]] = {
    "noai": (Category.TRAIN_AI,),
    "noindex": (Category.SEARCH,),
    "none": (Category.SEARCH,),
}
# Those, and what else is told; other rules are about indexing alone.
_ABOUT_USE = tuple(
    dict.fromkeys(
        (
            *_READ_BY_ALL,
            "noimageai",
            "noml",
            "nocache",
            *(rule for read in _READ_BY.values() for rule in read),
        )
    )
)


def rules_for(page: PageSignals, token: str = "") -> Rules:
    """Each rule about use that holds for the crawler, and the first place that has it."""
    found: Rules = {}
    for value, place in page.headers("X-Robots-Tag"):
        for rule in parse_x_robots_tag([value], token):
            if (bare := rule.replace(" ", "")) in _ABOUT_USE:
                found.setdefault(bare, place)
    for name in ("robots", token.lower()) if token else ("robots",):
        rules = page.answer.markup.rules(name)
        for rule in _ABOUT_USE:  # a page may list a hundred thousand others
            if rule in rules:
                found.setdefault(rule, meta_place(rules[rule]))
    return found


def tag_statements(page: PageSignals, token: str) -> Iterator[Statement]:
    """What the rules say of use, to that crawler."""
    rules = rules_for(page, token)
    read = _READ_BY_ALL | _READ_BY.get(token.lower(), {})
    if token.lower() == "bingbot" and "nocache" in rules:
        read.pop("noarchive")  # of the pair Bing takes the weaker
    for rule, place in rules.items():
        for category in read.get(rule, ()):
            yield Statement(Signal.X_ROBOTS_TAG, category, Preference.DISALLOW, place)
