"""X-Robots-Tag and robots meta tags: the sum of the negative rules, generic and of one's own name."""

from collections.abc import Iterator

from aipolicy.check.site.reading import PageSignals
from aipolicy.check.site.statements import Place, Signal, Statement
from aipolicy.core.headers import parse_x_robots_tag
from aipolicy.core.preferences import Category, Preference

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


def rules_for(page: PageSignals, token: str = "") -> Rules:
    """Each rule that holds for the crawler, in lower case, and the first place that has it."""
    found: Rules = {}
    for value, place in page.headers("X-Robots-Tag"):
        for rule in parse_x_robots_tag([value], token):
            found.setdefault(rule.replace(" ", ""), place)
    for name in dict.fromkeys(("robots", token.lower())) if token else ("robots",):
        for content, place in page.metas(name):
            for rule in content.lower().split(","):
                found.setdefault(rule.replace(" ", ""), place)
    found.pop("", None)
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
