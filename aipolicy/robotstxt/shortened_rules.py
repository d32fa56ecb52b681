"""A site's own rules in fewer bytes, closing at least everything that they close.

Crawlers don't read a robots.txt beyond 500 KiB, so something must be left out, but no refusal. A path pattern
is replaced by its beginning, which matches the same paths and more. Allow rules and lines that refuse nothing
are left out.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from aipolicy.core.preferences import Preference, Preferences
from aipolicy.robotstxt.parser import Group, Record, RobotsTxt, Rule
from aipolicy.signals.content_signal import parse_content_signal, signal_text
from aipolicy.signals.content_usage import split_usage

LENGTHS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128, 256, 512)
"""Lengths that patterns are cut to, in bytes, until the file fits."""

_MAX_SITE_WIDE = 64 * 1024  # bytes of Sitemap and Host lines
_SAYS_NOTHING = Rule(False, "")


class ShortenedRules:
    """A site's own rules, shortened to any length."""

    def __init__(self, robots: RobotsTxt) -> None:
        self._robots = robots
        self._statements: dict[int, tuple[Record, ...]] = {}

    def without_comments(self) -> RobotsTxt:
        """Return the file without comments."""
        groups = (
            Group(group.tokens, tuple(_without_comments(group.records)), ()) for group in self._robots.groups
        )
        preamble = tuple(_without_comments(self._robots.preamble))
        return RobotsTxt(tuple(groups), preamble, self._site_wide())

    def shortened(self, longest: int) -> RobotsTxt:
        """Return the Disallow rules of each group, with patterns of at most ``longest`` bytes."""
        groups = (
            Group(group.tokens, self._refusals(number, _patterns(group, longest)))
            for number, group in enumerate(self._robots.groups)
        )
        return RobotsTxt(tuple(groups), (), self._site_wide())

    def for_everyone(self, longest: int) -> RobotsTxt:
        """Return the Disallow rules of all groups together, in one group for everyone."""
        numbered = list(enumerate(self._robots.groups))
        patterns = dict.fromkeys(p for _, group in numbered for p in _patterns(group, longest))
        statements = (r for number, _ in numbered for r in self._refused_uses(number))
        records: tuple[Rule | Record, ...] = (*dict.fromkeys(statements), *_rules(patterns))
        return RobotsTxt((Group(("*",), records),), (), self._site_wide())

    def size(self, longest: int) -> int:
        """Return the bytes of the Disallow rules of ``shortened``, before any group is combined."""
        found = 0
        for group in self._robots.groups:
            found += sum(len(pattern) + 11 for pattern in _patterns(group, longest))
        return found

    def _refusals(self, number: int, patterns: Iterable[str]) -> tuple[Rule | Record, ...]:
        return (*self._refused_uses(number), *_rules(patterns))

    def _refused_uses(self, number: int) -> tuple[Record, ...]:
        """Return lines that refuse on the whole site what the group's signals refuse anywhere."""
        if number not in self._statements:
            self._statements[number] = tuple(_refused_uses(self._robots.groups[number].records))
        return self._statements[number]

    def _site_wide(self) -> tuple[Record, ...]:
        kept, size = [], 0
        for record in self._robots.site_wide:
            size += len(str(record)) + 1
            if size > _MAX_SITE_WIDE:
                break
            if record.name:
                kept.append(replace(record, comment=""))
        return tuple(kept)


def _without_comments(records: Iterable[Rule | Record]) -> Iterator[Rule | Record]:
    for record in records:
        if isinstance(record, Rule) or record.name:
            yield replace(record, comment="") if record.comment else record


def _patterns(group: Group, longest: int) -> dict[str, None]:
    return dict.fromkeys(
        _beginning(record.pattern, longest)
        for record in group.records
        if isinstance(record, Rule) and record.effective and not record.allow
    )


def _rules(patterns: Iterable[str]) -> tuple[Rule, ...]:
    # A group without a rule would be read as one with the next; an "Allow: /" could win over a "Disallow: /".
    return tuple(Rule(False, pattern) for pattern in patterns) or (_SAYS_NOTHING,)


def _beginning(pattern: str, longest: int) -> str:
    """Return a pattern of at most ``longest`` bytes that matches all that ``pattern`` matches."""
    if len(pattern) <= longest:
        return pattern
    short = pattern[:longest]
    for back in (1, 2):  # not within an escape
        if short[-back:].startswith("%"):
            short = short[:-back]
    return short.rstrip("$") or "/"  # at the end it would be an anchor


def _refused_uses(records: Iterable[Rule | Record]) -> Iterator[Record]:
    usage, signal = Preferences(), dict[str, str]()
    read: set[str] = set()
    for record in records:
        if not isinstance(record, Record) or record.value in read:
            continue
        if record.named("Content-Usage"):
            statement = split_usage(record.value)[1]
            if statement not in read:
                usage = usage.combined(Preferences.parse(statement))
                read.add(statement)
        elif record.named("Content-Signal"):
            signal |= {key: word for key, word in parse_content_signal(record.value).items() if word == "no"}
        read.add(record.value)
    refused = (p if p is Preference.DISALLOW else Preference.UNKNOWN for _, p in usage)
    if stated := str(Preferences(*refused)):
        yield Record("Content-Usage", stated)
    if signal:
        yield Record("Content-Signal", signal_text(signal))
