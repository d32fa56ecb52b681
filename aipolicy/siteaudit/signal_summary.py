"""What is said, put so that two answers can be compared by meaning, and told in a line."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from aipolicy.core.preferences import Preference
from aipolicy.report.text import listed, shown
from aipolicy.robotstxt import Difference
from aipolicy.siteaudit.engines import tdmrep
from aipolicy.siteaudit.engines.aipref import usage_in_headers
from aipolicy.siteaudit.engines.content_signal import signals_in_page
from aipolicy.siteaudit.engines.x_robots_tag import rules_for
from aipolicy.siteaudit.observation import Answer, Views
from aipolicy.siteaudit.parsed_site import PageSignals
from aipolicy.siteaudit.statements import Signal

_SAME = {"none": "noindex", "max-snippet:0": "nosnippet"}
# Many sites send it with any URL that has a query, so that a page is in no index twice.
_OF_QUERIES = frozenset({(Signal.X_ROBOTS_TAG, "noindex")})
_SHOWN = 3  # differences in one line
_KNOWN = (
    *("GPTBot", "ClaudeBot", "CCBot", "Google-Extended", "Googlebot", "bingbot", "OAI-SearchBot"),
    *("meta-externalagent", "Bytespider", "Applebot-Extended", "PerplexityBot", "ChatGPT-User", "Amazonbot"),
)
_RANKS = {name: rank for rank, name in enumerate(_KNOWN)}


@dataclass(frozen=True, slots=True)
class PageSaid:
    """What the headers and tags of an answer say, equal where the meaning is.

    Each no and each yes is a signal with the category it speaks of, or with the rule of X-Robots-Tag.
    """

    noes: frozenset[tuple[Signal, str]]
    yeses: frozenset[tuple[Signal, str]]

    @classmethod
    def of(cls, answer: Answer) -> Self:
        page = PageSignals(answer)
        rules = {_SAME.get(rule, rule) for rule in rules_for(page)}
        said = [*usage_in_headers(page), *signals_in_page(page), *tdmrep.in_page(page)[-1:]]
        noes = {(s.signal, str(s.category)) for s in said if s.preference is Preference.DISALLOW}
        return cls(
            frozenset(noes | {(Signal.X_ROBOTS_TAG, rule) for rule in rules}),
            frozenset((s.signal, str(s.category)) for s in said if s.preference is Preference.ALLOW),
        )

    def keeps_every_no(self, other: "PageSaid") -> bool:
        """Whether each no of ``other`` is one here, by the same signal: its readers may read no other."""
        return other.noes <= self.noes

    def changes_to(self, other: "PageSaid") -> str:
        """What ``other`` says instead, in a line: ``Content-Usage: no to train-ai -> nothing``."""
        changes = ((signal, self._by(signal), other._by(signal)) for signal in Signal)
        return "; ".join(f"{signal}: {was} -> {is_now}" for signal, was, is_now in changes if was != is_now)

    def _by(self, signal: Signal) -> str:
        no, yes = (
            ", ".join(sorted(what for whose, what in said if whose is signal))
            for said in (self.noes, self.yeses)
        )
        if signal is Signal.X_ROBOTS_TAG:
            return no or "nothing"
        return (
            " and ".join(f"{word} to {what}" for word, what in (("no", no), ("yes", yes)) if what)
            or "nothing"
        )


def said_past_caches(page: Views) -> tuple[PageSaid, PageSaid] | None:
    """What the page says to us, and past caches; None where that can't be compared."""
    if page.fresh is None or not (page.fresh.ok and page.plain.ok):
        return None
    plain, fresh = PageSaid.of(page.plain), PageSaid.of(page.fresh)
    return plain, replace(fresh, noes=fresh.noes - _OF_QUERIES | plain.noes & _OF_QUERIES)


def differs_past_caches(page: Views) -> bool:
    """Whether the page says something else past caches than to us."""
    said = said_past_caches(page)
    return said is not None and said[0] != said[1]


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
