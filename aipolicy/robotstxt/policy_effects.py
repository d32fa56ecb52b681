"""The effect of a site policy on each crawler of the table: the paths that are closed to it."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from aipolicy.core.crawlers import CrawlerTable, Scope, from_table
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Category, Preferences
from aipolicy.robotstxt.parser import Rule

_Paths = tuple[tuple[str, Preferences], ...]
_WILDCARD = re.compile(r"[*$]")


class _CrawlerKind(NamedTuple):
    """The properties of a crawler that determine the effect; many crawlers share one kind."""

    categories: tuple[Category, ...]
    listed: bool


@from_table
def _kinds(table: CrawlerTable) -> tuple[tuple[_CrawlerKind, ...], dict[str, int]]:
    """Return the kinds, and for each product token the index of its kind.

    Cached: every rendering needs them, and hashing an enum's members is slow.
    """
    kind_of = {c.product_token: _CrawlerKind(c.purpose.categories, c.listed) for c in table.crawlers}
    kinds = tuple(dict.fromkeys(kind_of.values()))
    return kinds, {token: kinds.index(kind) for token, kind in kind_of.items()}


class Effect(NamedTuple):
    """The effect on a crawler: True if the site is blocked, and the same by path pattern, longest first.

    Without path patterns all paths are like the site.
    """

    blocked: bool
    paths: tuple[tuple[str, bool], ...] = ()


BLOCKED, OPEN = Effect(True), Effect(False)


def effects_of(policy: SitePolicy) -> tuple[dict[str, Effect], list[str]]:
    """Return product token → effect for crawlers that are not left open, and the licensed ones among them."""
    paths = policy.effective_paths
    kinds, kind_of = _kinds()
    broad = policy.scope is Scope.BROAD
    effects = [
        _effect(policy, kind.categories, paths) if broad or not kind.listed else OPEN for kind in kinds
    ]
    affected = {token: effects[kind] for token, kind in kind_of.items() if effects[kind] != OPEN}
    licensed = [token for token in affected if token in policy.licensed]
    return {token: effect for token, effect in affected.items() if token not in licensed}, licensed


def path_rules(effect: Effect, own: Iterable[Rule]) -> list[str]:
    """Return the rules for ``effect``, to follow the site's own Disallow rules of the group."""
    open_paths = [path for path, blocked in effect.paths if not blocked]
    kept_closed = _reopening(open_paths, [rule.pattern for rule in own])
    rules = [
        f"{'Disallow' if blocked else 'Allow'}: {path}"
        for path, blocked in effect.paths
        if blocked or path not in kept_closed
    ]
    return [*rules, "Disallow: /"] if effect.blocked else rules


def _effect(policy: SitePolicy, categories: tuple[Category, ...], paths: _Paths) -> Effect:
    site = policy.effective.disallows(*categories)
    blocks = {p: p.disallows(*categories) for p in {p for _, p in paths}}
    if all(blocked is site for blocked in blocks.values()):
        return Effect(site)
    return Effect(site, tuple((path, blocks[p]) for path, p in paths))


def _reopening(allowed: Sequence[str], disallowed: Sequence[str]) -> set[str]:
    """Return the patterns of ``allowed`` that could win over one of ``disallowed``, being as long or longer.

    Patterns are compared up to the first wildcard, so in doubt the site's own rule is kept (RFC 9309 §2.2.2).
    There is one look-up for each prefix; comparing each pattern with each would take minutes.
    """
    heads = {pattern: _WILDCARD.split(pattern, maxsplit=1)[0] for pattern in allowed}
    shortest: dict[str, int] = {}  # head of a Disallow → the shortest pattern with it
    for pattern in disallowed:
        head = _WILDCARD.split(pattern, maxsplit=1)[0]
        shortest[head] = min(len(pattern), shortest.get(head, len(pattern)))
    below: dict[str, int] = {}  # head of an Allow → the shortest Disallow whose head begins with it
    wanted = set(heads.values())
    lengths = sorted(set(map(len, wanted)))
    for head, size in shortest.items():
        for length in lengths[: bisect_right(lengths, len(head))]:
            start = head[:length]
            if start in wanted:
                below[start] = min(size, below.get(start, size))
    lengths = sorted(set(map(len, shortest)))
    found = set()
    for pattern, head in heads.items():
        above = (shortest.get(head[:length]) for length in lengths[: bisect_right(lengths, len(head))])
        sizes = [size for size in (*above, below.get(head)) if size is not None]
        if min(sizes, default=len(pattern) + 1) <= len(pattern):
            found.add(pattern)
    return found
