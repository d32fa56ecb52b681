"""Summaries of a page's signals, to compare them by meaning and to write them in one line."""

from dataclasses import dataclass, replace
from typing import Self

from aipolicy.core.preferences import Preference
from aipolicy.siteaudit.declarations import (
    reservations_in_page,
    rules_for,
    signals_in_page,
    usage_in_headers,
)
from aipolicy.siteaudit.observation import FetchResult, Views
from aipolicy.siteaudit.parsed_site import PageSignals
from aipolicy.siteaudit.statements import Signal

_SYNONYMS = {"none": "noindex", "max-snippet:0": "nosnippet"}
# Many sites send it with any URL that has a query, so that a page is in no index twice.
_QUERY_RULES = frozenset({(Signal.X_ROBOTS_TAG, "noindex")})


@dataclass(frozen=True, slots=True)
class PageSummary:
    """The signals in the headers and tags of an answer; equal where the meaning is equal.

    Attributes:
        refusals: Pairs of a signal and the category that it refuses, or the rule of X-Robots-Tag.
        grants: Pairs of a signal and the category that it allows.
    """

    refusals: frozenset[tuple[Signal, str]]
    grants: frozenset[tuple[Signal, str]]

    @classmethod
    def of(cls, answer: FetchResult) -> Self:
        page = PageSignals(answer)
        rules = {_SYNONYMS.get(rule, rule) for rule in rules_for(page)}
        statements = [*usage_in_headers(page), *signals_in_page(page), *reservations_in_page(page)[-1:]]
        refusals = {(s.signal, str(s.category)) for s in statements if s.preference is Preference.DISALLOW}
        return cls(
            frozenset(refusals | {(Signal.X_ROBOTS_TAG, rule) for rule in rules}),
            frozenset((s.signal, str(s.category)) for s in statements if s.preference is Preference.ALLOW),
        )

    def has_every_refusal_of(self, other: "PageSummary") -> bool:
        """Return True if each refusal of ``other`` is here by the same signal: readers may read only one."""
        return other.refusals <= self.refusals

    def changes_to(self, other: "PageSummary") -> str:
        """Return what is different in ``other``, in a line: ``Content-Usage: no to train-ai -> nothing``."""
        changes = ((signal, self._by(signal), other._by(signal)) for signal in Signal)
        return "; ".join(f"{signal}: {old} -> {new}" for signal, old, new in changes if old != new)

    def _by(self, signal: Signal) -> str:
        refused, granted = (
            ", ".join(sorted(use for each, use in pairs if each is signal))
            for pairs in (self.refusals, self.grants)
        )
        if signal is Signal.X_ROBOTS_TAG:
            return refused or "nothing"
        words = (("no", refused), ("yes", granted))
        return " and ".join(f"{word} to {uses}" for word, uses in words if uses) or "nothing"


def summaries_past_caches(page: Views) -> tuple[PageSummary, PageSummary] | None:
    """Return the page's signals as cached and past caches, or None if they can't be compared."""
    if page.fresh is None or not (page.fresh.ok and page.plain.ok):
        return None
    plain, fresh = PageSummary.of(page.plain), PageSummary.of(page.fresh)
    return plain, replace(fresh, refusals=fresh.refusals - _QUERY_RULES | plain.refusals & _QUERY_RULES)


def differs_past_caches(page: Views) -> bool:
    """Return True if the page has other signals past caches."""
    summaries = summaries_past_caches(page)
    return summaries is not None and summaries[0] != summaries[1]
