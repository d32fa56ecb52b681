"""What is said, put so that two answers can be compared by meaning, and told in a line."""

from collections.abc import Iterable

from aipolicy.analysis import Difference
from aipolicy.analysis.shown import listed, shown
from aipolicy.check.site.engines import contentsignal, tdmrep
from aipolicy.check.site.engines.aipref import header_preferences
from aipolicy.check.site.engines.xrobots import rules_for
from aipolicy.check.site.reading import PageSignals

# Rules of X-Robots-Tag that are about use; others are the application's business.
ABOUT_USE = frozenset(
    {"noai", "noimageai", "noml", "noarchive", "nocache", "nosnippet", "max-snippet:0", "noindex", "none"}
)
_SHOWN = 3  # differences in one line
_KNOWN = (
    *("GPTBot", "ClaudeBot", "CCBot", "Google-Extended", "Googlebot", "bingbot", "OAI-SearchBot"),
    *("meta-externalagent", "Bytespider", "Applebot-Extended", "PerplexityBot", "ChatGPT-User", "Amazonbot"),
)
_RANKS = {name: rank for rank, name in enumerate(_KNOWN)}


def page_said(page: PageSignals) -> dict[str, str]:
    """Signal → what an answer's headers and tags say, in one spelling; what says nothing is left out."""
    rules = sorted(ABOUT_USE & set(rules_for(page)))
    signals = contentsignal.signals_in_page(page)
    reservation = tdmrep.in_page(page)[-1:]
    said = {
        "X-Robots-Tag": ", ".join(rules),
        "Content-Usage": str(header_preferences(page)),
        "Content-Signal": ", ".join(sorted({f"{s.category}: {s.preference}" for s in signals})),
        "tdm-reservation": "".join("1" if s.preference == "disallow" else "0" for s in reservation),
    }
    return {name: text for name, text in said.items() if text}


def effect_text(differences: Iterable[Difference]) -> str:
    """What changes from one robots.txt to another, in a line."""
    told = list(differences)
    parts = [difference_text(difference) for difference in told[:_SHOWN]]
    more = len(told) - _SHOWN
    return "; ".join([*parts, f"and {more} more" if more > 0 else ""]).removesuffix("; ")


def difference_text(difference: Difference, *, after: str = "now") -> str:
    """``GPTBot may now fetch /``."""
    whose, change = whom(difference), difference.change
    parts = []
    if change.opened:
        parts.append(f"may {after} fetch {listed(change.opened, 3)}".replace("  ", " "))
    if change.closed:
        parts.append(f"may {'no longer' if after == 'now' else 'not'} fetch {listed(change.closed, 3)}")
    if not parts:  # whoever is shut out, or let in, has other signals by that alone
        for where, was, is_now in change.signals[:_SHOWN]:
            parts.append(f"{where} is {shown(is_now) or 'nothing'} instead of {shown(was) or 'nothing'}")
    return f"{whose}: {', '.join(parts)}"


def whom(difference: Difference) -> str:
    """Whose difference it is."""
    names = listed(known_first(difference.tokens), 4)
    if difference.others:
        return f"any crawler that isn't named, {names}" if names else "every crawler"
    return names


def known_first(names: Iterable[str]) -> list[str]:
    """Product tokens, those that most people know first: of a hundred, a reader sees three."""
    return sorted(names, key=lambda name: (_RANKS.get(name, len(_RANKS)), name.lower()))
