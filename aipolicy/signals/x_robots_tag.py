"""The ``X-Robots-Tag`` header, and the robots meta tag with the same rules.

The opt-out values ``noai`` and ``noimageai`` are DeviantArt's. Search engines read ``noarchive`` and
``nosnippet`` as opt-outs from some AI uses: Bing (blog of September 2023), Amazon (its crawlers' page),
Google (robots meta tag specification, 2026-03-24).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from aipolicy.core.paths import WHITE_SPACE
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Category, Preferences
from aipolicy.core.validation import Visibility
from aipolicy.signals.header_field import HeaderField, Joining
from aipolicy.signals.switches import Signals

# The text before the colon of these rules is not a crawler's name.
_VALUED = frozenset({"max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"})
_RULES = _VALUED | {
    *("all", "index", "follow", "noindex", "nofollow", "none", "noarchive", "nocache", "nosnippet"),
    *("noimageindex", "notranslate", "indexifembedded", "noai", "noimageai", "noml", "noodp", "noydir"),
}
# A date may have a comma behind the day's name (RFC 822, RFC 850) or behind the day ("June 25, 2010").
_REST_OF_DATE = re.compile(
    r"[ \t]*(?:(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ \t]+)?"
    r"\d+(?:[ \t/]|-[a-z]{3}-|-\d|$)"
)
_COMMAS_OF_DATE = 2

OPT_OUT_RULES = frozenset({"noai", "noimageai"})
"""The rules that mean "no AI training" to all their readers."""

_READ_BY_ALL: dict[str, tuple[Category, ...]] = {
    "noai": (Category.TRAIN_AI,),
    "noindex": (Category.SEARCH,),
    "none": (Category.SEARCH,),
}
_READ_BY: dict[str, dict[str, tuple[Category, ...]]] = {
    "bingbot": {"noarchive": (Category.TRAIN_AI, Category.AI_USE)},
    "amazonbot": {"noarchive": (Category.TRAIN_AI,)},
    "googlebot": {"nosnippet": (Category.AI_USE,), "max-snippet:0": (Category.AI_USE,)},
}
RULES_ABOUT_USE = tuple(
    dict.fromkeys(
        [
            *_READ_BY_ALL,
            "noimageai",
            "noml",
            "nocache",
            *(rule for read in _READ_BY.values() for rule in read),
        ]
    )
)
"""The rules about use; the others are about indexing alone."""


def _values(policy: SitePolicy, preferences: Preferences, signals: Signals) -> Iterator[str]:
    no_training = preferences.disallows(Category.TRAIN_AI)
    if no_training and signals.noai:
        # Alone on the first line, lower case: datadiligence and img2dataset miss it otherwise.
        yield "noai, noimageai"
    if no_training and signals.noarchive:
        yield "noarchive"
    if preferences.disallows(Category.AI_USE) and signals.nosnippet:
        yield "nosnippet"
    if policy.visibility is not Visibility.PUBLIC:
        yield "noindex, nofollow"


FIELD = HeaderField("X-Robots-Tag", _values, joining=Joining.BEFORE, meta_name="robots")


def parse_x_robots_tag(lines: Iterable[str], agent: str = "") -> frozenset[str]:
    """Return the rules of header ``lines`` that apply to a crawler named ``agent``, in lower case.

    Google's robots meta tag specification (2026-03-24): rules without a name apply to all crawlers, those
    after ``name:`` to that crawler alone; names and rules are not case-sensitive.
    """
    return frozenset(
        rule for line in lines for name, rule in named_rules(line) if not name or name == agent.lower()
    )


def named_rules(line: str) -> list[tuple[str, str]]:
    """Return the rules of one line in lower case, each after its crawler's name, or "" for all.

    Proxies join lines with commas (RFC 9110 §5.3), so a name may come before any rule, and applies up to the
    next name: ``BadBot: noindex, nofollow, GPTBot: noai``.
    """
    found: list[tuple[str, str]] = []
    name = ""
    for member in line.lower().split(","):
        if _goes_on(found, member):
            found[-1] = name, f"{found[-1][1]},{member.rstrip(WHITE_SPACE)}"
            continue
        before, colon, after = member.partition(":")
        before, rule = before.strip(WHITE_SPACE), member.strip(WHITE_SPACE)
        if colon and before not in _RULES:
            name, rule = before, after.strip(WHITE_SPACE)
        if rule:
            found.append((name, rule))
    return found


def _goes_on(found: list[tuple[str, str]], member: str) -> bool:
    """Return True if ``member`` is the rest of a date in the last rule."""
    last = found[-1][1] if found else ""
    is_date = last.startswith("unavailable_after") and last.count(",") < _COMMAS_OF_DATE
    return is_date and _REST_OF_DATE.match(member) is not None


def categories_by_rule(rules: Iterable[str], token: str = "") -> Mapping[str, tuple[Category, ...]]:
    """Return the categories that each of ``rules`` disallows to the crawler ``token``, as documented."""
    rules = set(rules)
    known = _READ_BY_ALL | _READ_BY.get(token.lower(), {})
    if token.lower() == "bingbot" and "nocache" in rules:
        known.pop("noarchive")  # Bing obeys the weaker of the two
    return MappingProxyType({rule: categories for rule, categories in known.items() if rule in rules})


def missed_by(lines: Iterable[str]) -> str:
    """Return the reason that a known reader of ``noai`` misses it in all ``lines``; "" if both find it."""
    opt_outs = [line for line in lines if OPT_OUT_RULES & parse_x_robots_tag([line])]
    if opt_outs and not any(map(_datadiligence_reads, opt_outs)):
        return "datadiligence compares letter by letter"
    if opt_outs and not any(map(_img2dataset_reads, opt_outs)):
        return "img2dataset takes the text before a colon for a crawler's name"
    return ""


def _datadiligence_reads(line: str) -> bool:
    """Return True if datadiligence 0.1.7 finds the opt-out: it compares whole members exactly."""
    return not OPT_OUT_RULES.isdisjoint(rule.strip() for rule in line.split(","))


def _img2dataset_reads(line: str) -> bool:
    """Return True if img2dataset 1.47.0 finds the opt-out: a line with a colon is for one crawler."""
    return ":" not in line and not OPT_OUT_RULES.isdisjoint(rule.strip() for rule in line.lower().split(","))
