"""What a policy means to each crawler of the table: which are blocked, and where."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from aipolicy.core.crawlers import Crawler, CrawlerTable, Scope, from_table
from aipolicy.core.fields import Visibility
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Category, Preferences
from aipolicy.core.robots import Rule

_Paths = tuple[tuple[str, Preferences], ...]


class _Kind(NamedTuple):
    """What decides about a crawler: few, for many crawlers."""

    categories: tuple[Category, ...]
    listed: bool


@from_table
def _kinds(table: CrawlerTable) -> tuple[tuple[_Kind, ...], dict[str, int]]:
    """Return the kinds, and the one of each product token, by its place.

    Worked out once: every rendering asks, and hashing an enum's members is slow.
    """
    of = {c.product_token: _Kind(c.purpose.categories, c.listed) for c in table.crawlers}
    kinds = tuple(dict.fromkeys(of.values()))
    return kinds, {token: kinds.index(kind) for token, kind in of.items()}


class Effect(NamedTuple):
    """Whether the site is blocked, and which path patterns are, longest first (none: all are as the site)."""

    blocked: bool
    paths: tuple[tuple[str, bool], ...] = ()


BLOCKED, OPEN = Effect(True), Effect(False)


def effects_of(policy: SitePolicy) -> tuple[dict[str, Effect], list[str]]:
    """Product token → effect, for every crawler that is not left open; and the licensed ones among those."""
    paths = policy.effective_paths
    kinds, kind_of = _kinds()
    broad = policy.scope is Scope.BROAD
    effects = [
        _effect(policy, kind.categories, paths) if broad or not kind.listed else OPEN for kind in kinds
    ]
    affected = {token: effects[kind] for token, kind in kind_of.items() if effects[kind] != OPEN}
    licensed = [token for token in affected if token in policy.licensed]
    return {token: effect for token, effect in affected.items() if token not in licensed}, licensed


def effect_on(policy: SitePolicy, crawler: Crawler) -> Effect:
    """What the policy alone means to one crawler. A private site blocks everyone."""
    if policy.visibility is Visibility.PRIVATE:
        return BLOCKED
    if crawler.product_token in policy.licensed:
        return OPEN
    return unlicensed_effect(policy, crawler)


def unlicensed_effect(policy: SitePolicy, crawler: Crawler) -> Effect:
    """What the policy of a site that isn't private would mean to a crawler that has no licence."""
    if not policy.covers(crawler):
        return OPEN
    return _effect(policy, crawler.purpose.categories, policy.effective_paths)


def path_rules(effect: Effect, theirs: Iterable[Rule]) -> list[str]:
    """The rules that bring ``effect`` about, in a group with the site's Disallow rules before them."""
    closed = [rule.pattern for rule in theirs]
    rules = [
        f"{'Disallow' if blocked else 'Allow'}: {path}"
        for path, blocked in effect.paths
        if blocked or not any(_reopens(path, pattern) for pattern in closed)
    ]
    return [*rules, "Disallow: /"] if effect.blocked else rules


def _effect(policy: SitePolicy, categories: tuple[Category, ...], paths: _Paths) -> Effect:
    site = policy.effective.disallows(*categories)
    blocks = {p: p.disallows(*categories) for p in {p for _, p in paths}}
    if all(blocked is site for blocked in blocks.values()):
        return Effect(site)
    return Effect(site, tuple((path, blocks[p]) for path, p in paths))


def _reopens(allowed: str, disallowed: str) -> bool:
    """Whether an Allow could win over a Disallow of the site's own, being as long or longer (§2.2.2).

    Compared up to the first wildcard, so it errs on the side of the site's rule.
    """
    one, other = (re.split(r"[*$]", pattern, maxsplit=1)[0] for pattern in (allowed, disallowed))
    return len(disallowed) <= len(allowed) and (one.startswith(other) or other.startswith(one))
