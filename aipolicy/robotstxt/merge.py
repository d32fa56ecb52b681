"""A site's own robots.txt and its policy, merged into one file that every parser reads alike.

Never concatenated: two groups for one token are read differently by different parsers, and an old
``User-agent: GPTBot`` / ``Allow: /`` would win over our ``Disallow: /`` on a tie (RFC 9309 §2.2.2).
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from typing import NamedTuple

from aipolicy.core.crawlers import CRAWLERS
from aipolicy.core.paths import octets
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Preference, Preferences
from aipolicy.core.validation import MAX_ROBOTS_BYTES, Visibility
from aipolicy.errors import RobotsTooLargeError
from aipolicy.robotstxt.parser import BEGIN, END, Group, Record, RobotsTxt, Rule, truncated, without_ours
from aipolicy.robotstxt.policy_effects import BLOCKED, Effect, effects_of, path_rules
from aipolicy.robotstxt.portable import portable, settled, speaks
from aipolicy.robotstxt.shortened_rules import LENGTHS, ShortenedRules
from aipolicy.robotstxt.signal_lines import Statements
from aipolicy.signals.switches import Signals

_COUNTED = 2 * MAX_ROBOTS_BYTES  # bytes that are made at most, to tell how many there are
_ALL_SIGNALS = Signals(**{switch.name: True for switch in fields(Signals)})
_SURELY_SMALL = 1000  # octets; if each of some 200 groups repeats them, it is far below 500 KiB
_LINE = 32  # octets, at least, of a path preference in JSON
_RESERVED = 16 * 1024  # bytes that the policy leaves, at least, to the site's own rules


class _Line(NamedTuple):
    text: str
    ours: bool


_Part = list[_Line]  # what stands between two blank lines

# A rule that says nothing (/robots.txt may always be fetched, RFC 9309 §2.2.2) and ends its group.
_ENDING = Rule(True, "/robots.txt$")


class FittedRobotsTxt(NamedTuple):
    """A robots.txt that crawlers read to its end. ``cut``: what was left out for that, in words, or ""."""

    body: bytes
    cut: str


def robots_txt(policy: SitePolicy, signals: Signals | None = None, base: str | bytes | None = None) -> bytes:
    """The robots.txt of ``policy``, merged with ``base``, the site's own (None: it has none).

    Our lines stand between the markers, and merging the result again changes nothing. A policy that says
    nothing leaves ``base`` as it is. Raises RobotsTooLargeError where the result has more than 500 KiB; the
    work that takes is bounded, too.
    """
    own = _own(base)
    try:
        written = _merged(policy, signals or Signals(), own, most=_COUNTED)
    except RobotsTooLargeError:
        written = None
    if written is None or (len(written) > MAX_ROBOTS_BYTES and written != octets(own or "")):
        size = f"more than {_COUNTED}" if written is None else f"{len(written)}"
        raise RobotsTooLargeError(
            f"the robots.txt of {policy.site or 'this policy'} has {size} bytes, and crawlers read "
            f"{MAX_ROBOTS_BYTES}: shorten the site's own robots.txt or its path preferences"
        )
    return written


def check_fits(policy: SitePolicy) -> None:
    """Raises RobotsTooLargeError where a robots.txt of the policy, with whatever switches, is too large."""
    said = (policy.robots_base or "", policy.license_url or "", *policy.sitemaps)
    if sum(map(len, said)) + sum(_LINE + len(path) for path, _ in policy.path_preferences) < _SURELY_SMALL:
        return
    robots_txt(policy, _ALL_SIGNALS, policy.robots_base)


def fitted_robots_txt(
    policy: SitePolicy, signals: Signals | None = None, base: str | bytes | None = None
) -> FittedRobotsTxt:
    """The robots.txt of ``policy``, merged with as much of ``base`` as crawlers read. Never raises.

    Where all of it has more than 500 KiB, the policy is said in full, and the site's own rules give way; the
    first of these that fits is served:

    1. without their comments;
    2. without their Allow rules and other lines but for what they refuse in Content-Usage and Content-Signal
       lines, the patterns of their Disallow rules cut to a beginning that closes more; group by group, or all
       groups as one for everyone, whichever cuts them less.

    At worst that closes the whole site to everyone.

    So nothing is ever opened that the policy or the site closes. Where the policy alone is too large, what it
    refuses on some paths it refuses on all, and its sitemaps are left out.
    """
    try:
        return FittedRobotsTxt(robots_txt(policy, signals, base), "")
    except RobotsTooLargeError as error:
        return _cut(policy, signals or Signals(), _own(base) or "", str(error))


def _own(base: str | bytes | None) -> str | None:
    """The site's own file without our lines; None where it has none.

    A file that is empty once our lines are left out is one of ours alone, and is made anew.
    """
    if base is None:
        return None
    text = base.decode("utf-8", "surrogateescape") if isinstance(base, bytes) else base
    own = without_ours(text)
    return own if own.strip(" \t\r\n") or not text.strip(" \t\r\n") else None


def _merged(policy: SitePolicy, signals: Signals, own: str | None, *, most: int) -> bytes:
    """The file. Raises RobotsTooLargeError as soon as more than ``most`` bytes are made."""
    if policy.visibility is Visibility.PRIVATE:
        return _written(_private()).encode()
    if own is not None and not _says_anything(policy, signals):
        return octets(own)
    if own is not None and len(own) > most:
        raise RobotsTooLargeError(f"the site's own has more than {most} bytes")
    return _joined(policy, signals, own, RobotsTxt.parse(own or ""), most)


def _joined(policy: SitePolicy, signals: Signals, own: str | None, theirs: RobotsTxt, most: int) -> bytes:
    """Merge ``theirs``. Where there is nothing to add, ``own``, the file that they are from, stays."""
    parts = _parts(policy, signals, own is not None, portable(theirs, most), most)
    return octets(own or "") if parts is None else _written(parts).encode()


def _says_anything(policy: SitePolicy, signals: Signals) -> bool:
    licence = signals.rsl and policy.license_url
    return bool(policy.sitemaps or licence or Statements(policy, signals))


def _cut(policy: SitePolicy, signals: Signals, own: str, why: str) -> FittedRobotsTxt:
    """The largest form of the site's own rules that fits."""
    cut = f"{why}; "
    try:
        alone = len(_merged(policy, signals, None, most=MAX_ROBOTS_BYTES - _RESERVED))
    except RobotsTooLargeError:
        policy = _without_paths(policy)
        alone = len(_merged(policy, signals, None, most=_COUNTED))
        cut += "what is refused on some paths is refused on all; "
    if len(own) > MAX_ROBOTS_BYTES:  # no crawler reads the rest; half an Allow would open too much
        own = own[:MAX_ROBOTS_BYTES].rpartition("\n")[0] or own[:MAX_ROBOTS_BYTES]
    rules = ShortenedRules(RobotsTxt.parse(own))

    def fitted(theirs: RobotsTxt) -> bytes | None:
        try:
            written = _joined(policy, signals, None, theirs, MAX_ROBOTS_BYTES)
        except RobotsTooLargeError:
            return None
        return written if len(written) <= MAX_ROBOTS_BYTES else None

    whole = fitted(rules.without_comments())
    if whole is not None:
        return FittedRobotsTxt(whole, f"{cut}the comments of the site's own are left out")
    cut += "the site's own rules are shortened, and close more"
    room = MAX_ROBOTS_BYTES - alone
    lengths = [length for length in LENGTHS if rules.octets(length) <= room]
    # Whichever keeps the patterns longer: to cut them to a letter or two closes the whole site.
    forms = [_largest(lengths, form, fitted) for form in (rules.shortened, rules.for_everyone)]
    written = max(forms, key=lambda found: found[0])[1]
    if written is not None:
        return FittedRobotsTxt(written, cut)
    closed = RobotsTxt((Group(("*",), (Rule(False, "/"),)),))
    return FittedRobotsTxt(_joined(policy, signals, None, closed, _COUNTED), cut)


def _largest(
    lengths: Sequence[int], form: Callable[[int], RobotsTxt], fitted: Callable[[RobotsTxt], bytes | None]
) -> tuple[int, bytes | None]:
    """The greatest length in which the site's own rules fit, and the file: found by halves."""
    best: tuple[int, bytes | None] = 0, None
    low, high = 0, len(lengths)
    while low < high:
        middle = (low + high) // 2
        written = fitted(form(lengths[middle]))
        if written is None:
            high = middle
        else:
            best, low = (lengths[middle], written), middle + 1
    return best


def _without_paths(policy: SitePolicy) -> SitePolicy:
    """A policy that says no on the whole site to all that ``policy`` says no to anywhere."""
    stated = {preferences for _, preferences in policy.path_preferences}
    everywhere = policy.preferences
    for preferences in stated:
        refused = (p if p is Preference.DISALLOW else Preference.UNKNOWN for _, p in preferences)
        everywhere = everywhere.combined(Preferences(*refused))
    licence = policy.license_url if len(policy.license_url or "") <= _RESERVED else None
    return replace(policy, preferences=everywhere, path_preferences=(), sitemaps=(), license_url=licence)


def _private() -> list[_Part]:
    """Nothing for anyone. Crawlers that honour only their own name, not ``*``, are named."""
    tokens = [crawler.product_token for crawler in CRAWLERS if crawler.purpose.categories]
    return [_ours([*_named(tokens), "Disallow: /"]), _ours([*_named(["*"]), "Disallow: /"])]


def _parts(
    policy: SitePolicy, signals: Signals, is_theirs: bool, theirs: RobotsTxt, most: int
) -> list[_Part] | None:
    """The file's parts, in order; None where there is nothing of ours to add to a file of theirs."""
    statements = Statements(policy, signals)
    listed = {record.value for record in theirs.site_wide}
    site_wide = [f"Sitemap: {url}" for url in policy.sitemaps if url not in listed]
    # Before the first group it holds for all of them (RSL 1.0 §4).
    licence = [f"License: {policy.license_url}"] if signals.rsl and policy.license_url else []
    if is_theirs and not (statements or site_wide or licence):
        return None
    everyone = next((group for group in theirs.groups if "*" in group.tokens), None)
    # Ours come first: parsers that take the first group whose name is part of the crawler's find these.
    made = _groups(policy, statements, theirs, everyone or Group(("*",)))
    groups = list(_counted(made, most))
    if everyone is None:
        groups.append(_all_ours(_open(Group(("*",)), statements)))
    above, below = theirs.preamble, theirs.site_wide
    if all(line.ours for part in groups for line in part) and not any(map(speaks, below)):
        above, below = (*above, *below), ()  # comments alone would be read as standing above the next time
    parts = [_ours(licence), _theirs(settled(above)), *groups, _theirs(below), _ours(site_wide)]
    return [part for part in parts if part]


def _counted(parts: Iterable[_Part], most: int) -> Iterator[_Part]:
    """``parts``, as they are made. Raises RobotsTooLargeError where they have more than ``most`` bytes."""
    size = 0
    for part in parts:
        size += sum(len(line.text) + 1 for line in part)
        if size > most:
            raise RobotsTooLargeError(f"it has more than {most} bytes")
        yield part


def _groups(
    policy: SitePolicy, statements: Statements, theirs: RobotsTxt, everyone: Group
) -> Iterator[_Part]:
    effects, licensed = effects_of(policy)
    blocked = [token for token, effect in effects.items() if effect == BLOCKED]
    yield _ours([*_named(blocked), "Disallow: /"] if blocked else [])
    for effect in sorted(set(effects.values()) - {BLOCKED}):
        tokens = [token for token, its in effects.items() if its == effect]
        yield from _closed_in_part(tokens, effect, statements, theirs, everyone)
    yield _let_in(licensed, statements, theirs, everyone)
    covered = {token.lower() for token in effects}
    for group in theirs.groups:
        others, cut = _uncovered(group.tokens, covered)
        if others:
            yield _open(replace(group, tokens=others), statements)
        closed = Group(cut, _restrictions(group), () if others else group.leading) if cut else None
        if closed is not None and closed.rules:
            yield _open(closed, statements)


def _closed_in_part(
    tokens: Iterable[str], effect: Effect, statements: Statements, theirs: RobotsTxt, everyone: Group
) -> Iterator[_Part]:
    """Groups for crawlers that some paths are closed to: the site's own for them, else as ``*``."""
    unnamed = {token.lower(): token for token in tokens}
    for group in theirs.groups:
        named = tuple(unnamed[token.lower()] for token in group.tokens if token.lower() in unnamed)
        if not named:
            continue
        closed = Group(named, _restrictions(group))
        if any(map(speaks, statements.kept(closed.records))):
            if not closed.rules:  # when our rules are taken out again, it must not go on in the next group
                closed = replace(closed, records=(*closed.records, _ENDING))
            yield _partly_blocked(closed, effect, statements)
            unnamed = {name: token for name, token in unnamed.items() if token not in named}
    if unnamed:
        closed = Group(tuple(unnamed.values()), tuple(filter(speaks, _restrictions(everyone))))
        yield _all_ours(_partly_blocked(closed, effect, statements))


def _let_in(licensed: Iterable[str], statements: Statements, theirs: RobotsTxt, everyone: Group) -> _Part:
    """A group for the licensed crawlers that the site doesn't name itself.

    A group replaces ``*`` (§2.2.1), so it repeats the site's rules for everyone. A token outside the grammar
    is left to ``*``: some parsers skip its line, and would read the rules below as the blocked group's.
    """
    own = {token.lower() for group in theirs.groups for token in group.tokens}
    unnamed = tuple(t for t in licensed if t.lower() not in own and truncated(t) == t)
    records = tuple(filter(speaks, everyone.records))
    return _all_ours(_open(Group(unnamed, records), statements)) if unnamed else []


def _uncovered(tokens: tuple[str, ...], covered: Container[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tokens that the policy doesn't cover; apart, those that some parsers take for one that it does.

    ``GPTBot2`` is GPTBot to a parser in Google's style: an Allow of its group would open the site to GPTBot,
    and its Disallow rules must not be lost to GPTBot2. ``covered`` is in lower case.
    """
    others: list[str] = []
    cut: list[str] = []
    for token in tokens:
        if token.lower() not in covered:
            (cut if truncated(token).lower() in covered else others).append(token)
    return tuple(others), tuple(cut)


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
