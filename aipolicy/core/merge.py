"""A site's own robots.txt and its policy, merged into one file that every parser reads alike.

Never concatenated: two groups for one token are read differently by different parsers, and an old
``User-agent: GPTBot`` / ``Allow: /`` would win over our ``Disallow: /`` on a tie (RFC 9309 §2.2.2).
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from aipolicy.core.crawlers import CRAWLERS
from aipolicy.core.effects import BLOCKED, Effect, effects_of, path_rules
from aipolicy.core.fields import MAX_ROBOTS_BYTES, Visibility
from aipolicy.core.grouping import portable, settled, speaks
from aipolicy.core.paths import octets
from aipolicy.core.policy import SitePolicy
from aipolicy.core.robots import BEGIN, END, Group, Record, RobotsTxt, Rule, truncated, without_ours
from aipolicy.core.signals import Signals
from aipolicy.core.statements import Statements
from aipolicy.errors import RobotsTooLargeError


class _Line(NamedTuple):
    text: str
    ours: bool


_Part = list[_Line]  # what stands between two blank lines

# A rule that says nothing (/robots.txt may always be fetched, RFC 9309 §2.2.2) and ends its group.
_ENDING = Rule(True, "/robots.txt$")


def robots_txt(policy: SitePolicy, signals: Signals | None = None, base: str | bytes | None = None) -> bytes:
    """The robots.txt of ``policy``, merged with ``base``, the site's own (None: it has none).

    Our lines stand between the markers, and merging the result again changes nothing. A policy that says
    nothing leaves ``base`` as it is. Raises RobotsTooLargeError where the result has more than 500 KiB.
    """
    text = base.decode("utf-8", "surrogateescape") if isinstance(base, bytes) else base or ""
    own = without_ours(text)
    # A file that is empty once our lines are left out is one of ours alone, and is made anew.
    is_theirs = base is not None and bool(own.strip() or not text.strip())
    parts = (
        _private()
        if policy.visibility is Visibility.PRIVATE
        else _parts(policy, signals or Signals(), own, is_theirs)
    )
    if parts is None:
        return octets(own)
    written = _written(parts).encode()
    if len(written) > MAX_ROBOTS_BYTES:
        raise RobotsTooLargeError(
            f"the robots.txt of {policy.site or 'this policy'} has {len(written)} bytes, and crawlers read "
            f"{MAX_ROBOTS_BYTES}: shorten the site's own robots.txt or its path preferences"
        )
    return written


def _private() -> list[_Part]:
    """Nothing for anyone. Crawlers that honour only their own name, not ``*``, are named."""
    tokens = [crawler.product_token for crawler in CRAWLERS if crawler.purpose.categories]
    return [_ours([*_named(tokens), "Disallow: /"]), _ours([*_named(["*"]), "Disallow: /"])]


def _parts(policy: SitePolicy, signals: Signals, own: str, is_theirs: bool) -> list[_Part] | None:
    """The file's parts, in order; None where there is nothing of ours to add."""
    theirs = portable(RobotsTxt.parse(own))
    statements = Statements(policy, signals)
    listed = {record.value for record in theirs.site_wide}
    site_wide = [f"Sitemap: {url}" for url in policy.sitemaps if url not in listed]
    # Before the first group it holds for all of them (RSL 1.0 §4).
    licence = [f"License: {policy.license_url}"] if signals.rsl and policy.license_url else []
    if is_theirs and not (statements or site_wide or licence):
        return None
    everyone = next((group for group in theirs.groups if "*" in group.tokens), None)
    # Ours come first: parsers that take the first group whose name is part of the crawler's find these.
    groups = _groups(policy, statements, theirs, everyone or Group(("*",)))
    if everyone is None:
        groups.append(_all_ours(_open(Group(("*",)), statements)))
    above, below = theirs.preamble, theirs.site_wide
    if all(line.ours for part in groups for line in part) and not any(map(speaks, below)):
        above, below = (*above, *below), ()  # comments alone would be read as standing above the next time
    parts = [_ours(licence), _theirs(settled(above)), *groups, _theirs(below), _ours(site_wide)]
    return [part for part in parts if part]


def _groups(policy: SitePolicy, statements: Statements, theirs: RobotsTxt, everyone: Group) -> list[_Part]:
    effects, licensed = effects_of(policy)
    blocked = [token for token, effect in effects.items() if effect == BLOCKED]
    parts = [_ours([*_named(blocked), "Disallow: /"] if blocked else [])]
    for effect in sorted(set(effects.values()) - {BLOCKED}):
        tokens = [token for token, its in effects.items() if its == effect]
        parts += _closed_in_part(tokens, effect, statements, theirs, everyone)
    parts.append(_let_in(licensed, statements, theirs, everyone))
    for group in theirs.groups:
        others, cut = _uncovered(group.tokens, effects)
        if others:
            parts.append(_open(replace(group, tokens=others), statements))
        closed = Group(cut, _restrictions(group), () if others else group.leading)
        if cut and closed.rules:
            parts.append(_open(closed, statements))
    return parts


def _closed_in_part(
    tokens: Iterable[str], effect: Effect, statements: Statements, theirs: RobotsTxt, everyone: Group
) -> list[_Part]:
    """Groups for crawlers that some paths are closed to: the site's own for them, else as ``*``."""
    parts = []
    unnamed = {token.lower(): token for token in tokens}
    for group in theirs.groups:
        named = tuple(unnamed[token.lower()] for token in group.tokens if token.lower() in unnamed)
        closed = Group(named, _restrictions(group))
        if named and any(map(speaks, statements.lines(closed.records)[1])):
            if not closed.rules:  # when our rules are taken out again, it must not go on in the next group
                closed = replace(closed, records=(*closed.records, _ENDING))
            parts.append(_partly_blocked(closed, effect, statements))
            unnamed = {name: token for name, token in unnamed.items() if token not in named}
    if unnamed:
        closed = Group(tuple(unnamed.values()), tuple(filter(speaks, _restrictions(everyone))))
        parts.append(_all_ours(_partly_blocked(closed, effect, statements)))
    return parts


def _let_in(licensed: Iterable[str], statements: Statements, theirs: RobotsTxt, everyone: Group) -> _Part:
    """A group for the licensed crawlers that the site doesn't name itself.

    A group replaces ``*`` (§2.2.1), so it repeats the site's rules for everyone. A token outside the grammar
    is left to ``*``: some parsers skip its line, and would read the rules below as the blocked group's.
    """
    own = {token.lower() for group in theirs.groups for token in group.tokens}
    unnamed = tuple(t for t in licensed if t.lower() not in own and truncated(t) == t)
    records = tuple(filter(speaks, everyone.records))
    return _all_ours(_open(Group(unnamed, records), statements)) if unnamed else []


def _uncovered(tokens: tuple[str, ...], covered: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tokens that the policy doesn't cover; apart, those that some parsers take for one that it does.

    ``GPTBot2`` is GPTBot to a parser in Google's style: an Allow of its group would open the site to GPTBot,
    and its Disallow rules must not be lost to GPTBot2.
    """
    names = {token.lower() for token in covered}
    others = [token for token in tokens if token.lower() not in names]
    cut = tuple(token for token in others if truncated(token).lower() in names)
    return tuple(token for token in others if token not in cut), cut


def _open(group: Group, statements: Statements) -> _Part:
    """A group that the policy leaves open: the site's rules and the signal lines."""
    lines, records = ([], list(group.records)) if group.blocks_everything else statements.lines(group.records)
    if not group.rules:  # Google's parser would read it together with the next one
        records.append(Rule(True, "/"))
    return _group_part(group, lines, records)


def _restrictions(group: Group) -> tuple[Rule | Record, ...]:
    """The group's records without the Allow rules: one of them could re-open what the policy closes."""
    return tuple(r for r in group.records if not isinstance(r, Rule) or (r.effective and not r.allow))


def _partly_blocked(group: Group, effect: Effect, statements: Statements) -> _Part:
    """A group that the policy closes in part: the site's restrictions, the signal lines, then our rules."""
    closed = {path for path, blocked in effect.paths if blocked}
    lines, records = statements.lines(group.records, closed)
    return _group_part(group, lines, records) + _ours(
        path_rules(effect, (rule for rule in group.rules if not rule.allow))
    )


def _group_part(group: Group, lines: list[str], records: list[Rule | Record]) -> _Part:
    head = [*map(str, group.leading), *_named(group.tokens)]
    return [
        *(_Line(text, False) for text in head),
        *_ours(lines),
        *_theirs(settled(records)),
    ]


def _named(tokens: Iterable[str]) -> list[str]:
    return [f"User-agent: {token}" for token in tokens]


def _theirs(records: Iterable[Rule | Record]) -> _Part:
    return [_Line(str(record), False) for record in records]


def _ours(texts: Iterable[str]) -> _Part:
    return [_Line(text, True) for text in texts]


def _all_ours(part: _Part) -> _Part:
    return [line._replace(ours=True) for line in part]


def _written(parts: list[_Part]) -> str:
    """The text: LF, one blank line between parts, markers around each run of our lines."""
    lines: list[_Line] = []
    for part in parts:
        if lines:
            lines.append(_Line("", lines[-1].ours and part[0].ours))
        lines += part
    texts: list[str] = []
    inside = False
    for text, ours in lines:
        if ours is not inside:
            texts.append(BEGIN if ours else END)
            inside = ours
        texts.append(text)
    return "\n".join([*texts, END] if inside else texts) + "\n"
