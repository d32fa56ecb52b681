"""Merge a site's own robots.txt and its policy into one file that every parser reads alike.

They are never concatenated: two groups for one token are read differently by different parsers, and an old
``User-agent: GPTBot`` / ``Allow: /`` would win over our ``Disallow: /`` on a tie (RFC 9309 §2.2.2).
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from typing import NamedTuple

from aipolicy.core.crawlers import CRAWLERS
from aipolicy.core.paths import to_bytes
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Preference, Preferences
from aipolicy.core.validation import MAX_ROBOTS_BYTES, Visibility
from aipolicy.errors import RobotsTooLargeError
from aipolicy.robotstxt.parser import BEGIN, END, Group, Record, RobotsTxt, Rule, truncated, without_ours
from aipolicy.robotstxt.policy_effects import BLOCKED, Effect, effects_of, path_rules
from aipolicy.robotstxt.portable import has_meaning, portable, settled
from aipolicy.robotstxt.shortened_rules import LENGTHS, ShortenedRules
from aipolicy.robotstxt.signal_lines import SignalLines
from aipolicy.signals.rsl import license_lines
from aipolicy.signals.switches import Signals

_COUNTED = 2 * MAX_ROBOTS_BYTES  # bytes at which writing stops: larger files are not measured
_ALL_SIGNALS = Signals(**{switch.name: True for switch in fields(Signals)})
_SURELY_SMALL = 1000  # bytes: in each of about 200 groups these are far below 500 KiB
_LINE = 32  # bytes, at least, of a path preference in JSON
_RESERVED = 16 * 1024  # bytes, at least, for the site's own rules


class _Line(NamedTuple):
    text: str
    ours: bool


_Part = list[_Line]  # the lines between two blank lines

# A rule without effect (/robots.txt may always be fetched, RFC 9309 §2.2.2) that ends its group.
_ENDING = Rule(True, "/robots.txt$")


class FittedRobotsTxt(NamedTuple):
    """A robots.txt of at most 500 KiB. ``cut``: a description of what was left out, or ""."""

    body: bytes
    cut: str


def robots_txt(policy: SitePolicy, signals: Signals | None = None, base: str | bytes | None = None) -> bytes:
    """Return the robots.txt of ``policy``, merged with ``base``.

    Our lines are between markers, and merging the result again changes nothing. A policy that states nothing
    leaves ``base`` unchanged. The work is bounded, whatever the size of ``base``.

    Args:
        policy: The site's policy.
        signals: The switches; None for the defaults.
        base: The site's own robots.txt; None if it has none.

    Raises:
        RobotsTooLargeError: The result has more than 500 KiB.
    """
    own = _own(base)
    try:
        written = _merged(policy, signals or Signals(), own, most=_COUNTED)
    except RobotsTooLargeError:
        written = None
    if written is None or (len(written) > MAX_ROBOTS_BYTES and written != to_bytes(own or "")):
        size = f"more than {_COUNTED}" if written is None else f"{len(written)}"
        raise RobotsTooLargeError(
            f"the robots.txt of {policy.site or 'this policy'} has {size} bytes, but crawlers read only "
            f"{MAX_ROBOTS_BYTES}; shorten the site's own robots.txt or its path preferences"
        )
    return written


def check_fits(policy: SitePolicy) -> None:
    """Check that the robots.txt of the policy fits with any switches.

    Raises:
        RobotsTooLargeError: It is too large with some switches.
    """
    texts = (policy.robots_base or "", policy.license_url or "", *policy.sitemaps)
    if sum(map(len, texts)) + sum(_LINE + len(path) for path, _ in policy.path_preferences) < _SURELY_SMALL:
        return
    robots_txt(policy, _ALL_SIGNALS, policy.robots_base)


def fitted_robots_txt(
    policy: SitePolicy, signals: Signals | None = None, base: str | bytes | None = None
) -> FittedRobotsTxt:
    """Return the robots.txt of ``policy``, merged with as much of ``base`` as fits. Never raises.

    If the result has more than 500 KiB, the policy is kept in full and the site's own rules are shortened.
    The first of these forms that fits is used:

    1. The rules without comments.
    2. Only the Disallow rules, with patterns cut to a beginning that closes more, and the refusals of
       Content-Usage and Content-Signal lines; in the site's groups or in one for everyone, whichever cuts
       less.

    In the worst case the whole site is closed to everyone, because nothing may be opened that the policy or
    the site closes. If the policy alone is too large, it refuses on all paths what it refuses on some, and
    has no sitemaps.
    """
    try:
        return FittedRobotsTxt(robots_txt(policy, signals, base), "")
    except RobotsTooLargeError as error:
        return _cut(policy, signals or Signals(), _own(base) or "", str(error))


def _own(base: str | bytes | None) -> str | None:
    """Return the site's own file without our lines; None if it has none.

    A file with nothing but our lines is written anew.
    """
    if base is None:
        return None
    text = base.decode("utf-8", "surrogateescape") if isinstance(base, bytes) else base
    own = without_ours(text)
    return own if own.strip(" \t\r\n") or not text.strip(" \t\r\n") else None


def _merged(policy: SitePolicy, signals: Signals, own: str | None, *, most: int) -> bytes:
    """Return the file. Raises RobotsTooLargeError as soon as it has more than ``most`` bytes."""
    if policy.visibility is Visibility.PRIVATE:
        return _written(_private()).encode()
    if own is not None and not _states_anything(policy, signals):
        return to_bytes(own)
    if own is not None and len(own) > most:
        raise RobotsTooLargeError(f"the site's own robots.txt has more than {most} bytes")
    return _joined(policy, signals, own, RobotsTxt.parse(own or ""), most)


def _joined(policy: SitePolicy, signals: Signals, own: str | None, parsed: RobotsTxt, most: int) -> bytes:
    """Merge ``parsed``. If there is nothing to add, return ``own``, the file that was parsed."""
    parts = _parts(policy, signals, own is not None, portable(parsed, most), most)
    return to_bytes(own or "") if parts is None else _written(parts).encode()


def _states_anything(policy: SitePolicy, signals: Signals) -> bool:
    licence = signals.rsl and policy.license_url
    return bool(policy.sitemaps or licence or SignalLines(policy, signals))


def _cut(policy: SitePolicy, signals: Signals, own: str, why: str) -> FittedRobotsTxt:
    """Return the longest form of the site's own rules that fits."""
    cut = f"{why}; "
    try:
        alone = len(_merged(policy, signals, None, most=MAX_ROBOTS_BYTES - _RESERVED))
    except RobotsTooLargeError:
        policy = _without_paths(policy)
        alone = len(_merged(policy, signals, None, most=_COUNTED))
        cut += "uses refused on some paths are refused on all; "
    if len(own) > MAX_ROBOTS_BYTES:  # no crawler reads the rest; half an Allow would open too much
        own = own[:MAX_ROBOTS_BYTES].rpartition("\n")[0] or own[:MAX_ROBOTS_BYTES]
    rules = ShortenedRules(RobotsTxt.parse(own))

    def fitted(shortened: RobotsTxt) -> bytes | None:
        try:
            written = _joined(policy, signals, None, shortened, MAX_ROBOTS_BYTES)
        except RobotsTooLargeError:
            return None
        return written if len(written) <= MAX_ROBOTS_BYTES else None

    without_comments = fitted(rules.without_comments())
    if without_comments is not None:
        return FittedRobotsTxt(without_comments, f"{cut}the comments of the site's own file are left out")
    cut += "the site's own rules are shortened, so they close more"
    room = MAX_ROBOTS_BYTES - alone
    lengths = [length for length in LENGTHS if rules.size(length) <= room]
    # The form with the longer patterns: patterns of a letter or two close the whole site.
    forms = [_largest(lengths, form, fitted) for form in (rules.shortened, rules.for_everyone)]
    written = max(forms, key=lambda found: found[0])[1]
    if written is not None:
        return FittedRobotsTxt(written, cut)
    closed = RobotsTxt((Group(("*",), (Rule(False, "/"),)),))
    return FittedRobotsTxt(_joined(policy, signals, None, closed, _COUNTED), cut)


def _largest(
    lengths: Sequence[int], form: Callable[[int], RobotsTxt], fitted: Callable[[RobotsTxt], bytes | None]
) -> tuple[int, bytes | None]:
    """Return the greatest length at which the site's own rules fit, and the file; a binary search."""
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
    """Return a policy that refuses on the whole site whatever ``policy`` refuses anywhere."""
    stated = {preferences for _, preferences in policy.path_preferences}
    everywhere = policy.preferences
    for preferences in stated:
        refused = (p if p is Preference.DISALLOW else Preference.UNKNOWN for _, p in preferences)
        everywhere = everywhere.combined(Preferences(*refused))
    licence = policy.license_url if len(policy.license_url or "") <= _RESERVED else None
    return replace(policy, preferences=everywhere, path_preferences=(), sitemaps=(), license_url=licence)


def _private() -> list[_Part]:
    """Return a file that closes everything to everyone; crawlers that obey only their own name are named."""
    tokens = [crawler.product_token for crawler in CRAWLERS if crawler.purpose.categories]
    return [_ours([*_named(tokens), "Disallow: /"]), _ours([*_named(["*"]), "Disallow: /"])]


def _parts(
    policy: SitePolicy, signals: Signals, has_own: bool, own: RobotsTxt, most: int
) -> list[_Part] | None:
    """Return the file's parts in order; None if there is nothing to add to the site's own file."""
    signal_lines = SignalLines(policy, signals)
    listed = {record.value for record in own.site_wide}
    site_wide = [f"Sitemap: {url}" for url in policy.sitemaps if url not in listed]
    licence = license_lines(policy, signals)
    if has_own and not (signal_lines or site_wide or licence):
        return None
    everyone = next((group for group in own.groups if "*" in group.tokens), None)
    # Our groups come first: parsers that use the first group with a part of the crawler's name find ours.
    made = _groups(policy, signal_lines, own, everyone or Group(("*",)))
    groups = list(_counted(made, most))
    if everyone is None:
        groups.append(_all_ours(_open(Group(("*",)), signal_lines)))
    above, below = own.preamble, own.site_wide
    if all(line.ours for part in groups for line in part) and not any(map(has_meaning, below)):
        above, below = (*above, *below), ()  # the next merge would take comments alone for the part above
    parts = [_ours(licence), _own_lines(settled(above)), *groups, _own_lines(below), _ours(site_wide)]
    return [part for part in parts if part]


def _counted(parts: Iterable[_Part], most: int) -> Iterator[_Part]:
    """Yield ``parts``. Raises RobotsTooLargeError if they have more than ``most`` bytes."""
    size = 0
    for part in parts:
        size += sum(len(line.text) + 1 for line in part)
        if size > most:
            raise RobotsTooLargeError(f"the file has more than {most} bytes")
        yield part


def _groups(
    policy: SitePolicy, signal_lines: SignalLines, own: RobotsTxt, everyone: Group
) -> Iterator[_Part]:
    effects, licensed = effects_of(policy)
    blocked = [token for token, effect in effects.items() if effect == BLOCKED]
    yield _ours([*_named(blocked), "Disallow: /"] if blocked else [])
    for effect in sorted(set(effects.values()) - {BLOCKED}):
        tokens = [token for token, other in effects.items() if other == effect]
        yield from _closed_in_part(tokens, effect, signal_lines, own, everyone)
    yield _licensed_group(licensed, signal_lines, own, everyone)
    covered = {token.lower() for token in effects}
    for group in own.groups:
        others, cut = _uncovered(group.tokens, covered)
        if others:
            yield _open(replace(group, tokens=others), signal_lines)
        closed = Group(cut, _restrictions(group), () if others else group.leading) if cut else None
        if closed is not None and closed.rules:
            yield _open(closed, signal_lines)


def _closed_in_part(
    tokens: Iterable[str], effect: Effect, signal_lines: SignalLines, own: RobotsTxt, everyone: Group
) -> Iterator[_Part]:
    """Yield groups for crawlers with some closed paths, made from the site's own groups or from ``*``."""
    unnamed = {token.lower(): token for token in tokens}
    for group in own.groups:
        named = tuple(unnamed[token.lower()] for token in group.tokens if token.lower() in unnamed)
        if not named:
            continue
        closed = Group(named, _restrictions(group))
        if any(map(has_meaning, signal_lines.kept(closed.records))):
            if not closed.rules:  # so that it won't join the next group when our rules are removed again
                closed = replace(closed, records=(*closed.records, _ENDING))
            yield _partly_blocked(closed, effect, signal_lines)
            unnamed = {name: token for name, token in unnamed.items() if token not in named}
    if unnamed:
        closed = Group(tuple(unnamed.values()), tuple(filter(has_meaning, _restrictions(everyone))))
        yield _all_ours(_partly_blocked(closed, effect, signal_lines))


def _licensed_group(
    licensed: Iterable[str], signal_lines: SignalLines, own: RobotsTxt, everyone: Group
) -> _Part:
    """Return a group for the licensed crawlers that the site doesn't name itself.

    A group replaces ``*`` (§2.2.1), so it repeats the site's rules for everyone. A token outside the grammar
    is left to ``*``: some parsers skip its line, and would read the rules below as the blocked group's.
    """
    named = {token.lower() for group in own.groups for token in group.tokens}
    unnamed = tuple(t for t in licensed if t.lower() not in named and truncated(t) == t)
    records = tuple(filter(has_meaning, everyone.records))
    return _all_ours(_open(Group(unnamed, records), signal_lines)) if unnamed else []


def _uncovered(tokens: tuple[str, ...], covered: Container[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the tokens that the policy doesn't cover, and those that some parsers read as a covered one.

    ``GPTBot2`` is GPTBot to a parser in Google's style: an Allow of its group would open the site to GPTBot,
    and its Disallow rules must not be lost to GPTBot2. ``covered`` is in lower case.
    """
    others: list[str] = []
    cut: list[str] = []
    for token in tokens:
        if token.lower() not in covered:
            (cut if truncated(token).lower() in covered else others).append(token)
    return tuple(others), tuple(cut)


def _open(group: Group, signal_lines: SignalLines) -> _Part:
    """Return a group that the policy leaves open: the site's rules and the signal lines."""
    lines, records = (
        ([], list(group.records)) if group.blocks_everything else signal_lines.lines(group.records)
    )
    if not group.rules:  # Google's parser would read it together with the next one
        records.append(Rule(True, "/"))
    return _group_part(group, lines, records)


def _restrictions(group: Group) -> tuple[Rule | Record, ...]:
    """Return the group's records without Allow rules: one of them could reopen what the policy closes."""
    return tuple(r for r in group.records if not isinstance(r, Rule) or (r.effective and not r.allow))


def _partly_blocked(group: Group, effect: Effect, signal_lines: SignalLines) -> _Part:
    """Return a group that is closed in part: the site's restrictions, the signal lines, then our rules."""
    closed = {path for path, blocked in effect.paths if blocked}
    lines, records = signal_lines.lines(group.records, closed)
    return _group_part(group, lines, records) + _ours(
        path_rules(effect, (rule for rule in group.rules if not rule.allow))
    )


def _group_part(group: Group, lines: list[str], records: list[Rule | Record]) -> _Part:
    head = [*map(str, group.leading), *_named(group.tokens)]
    return [
        *(_Line(text, False) for text in head),
        *_ours(lines),
        *_own_lines(settled(records)),
    ]


def _named(tokens: Iterable[str]) -> list[str]:
    return [f"User-agent: {token}" for token in tokens]


def _own_lines(records: Iterable[Rule | Record]) -> _Part:
    return [_Line(str(record), False) for record in records]


def _ours(texts: Iterable[str]) -> _Part:
    return [_Line(text, True) for text in texts]


def _all_ours(part: _Part) -> _Part:
    return [line._replace(ours=True) for line in part]


def _written(parts: list[_Part]) -> str:
    """Return the text: LF, one blank line between parts, markers around each run of our lines."""
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
