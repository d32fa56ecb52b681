"""Which group binds a product token, may it fetch a path, and which line decided (RFC 9309 §2.2).

The group is chosen by equal product token. A pattern is matched in time linear in the path, without anything
compiled or remembered: a site may have thousands of patterns, and a client chooses the path.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from aipolicy.core.contentsignal import parse_content_signal
from aipolicy.core.paths import normalise
from aipolicy.core.preferences import Preferences
from aipolicy.core.robots import Group, Record, RobotsTxt, Rule, read_together

T = TypeVar("T")

_ANYONE = "*"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a crawler may fetch a path, the group that binds it, and the rule (and its line) that decided.

    No group, or no rule: nothing speaks of it, so it is allowed.
    """

    allowed: bool
    group: Group | None
    rule: Rule | None


def binding_group(robots: RobotsTxt, token: str) -> Group | None:
    """The group that binds a product token: all of its groups as one, else all of ``*`` (§2.2.1), else None.

    Compared whole and in any case: ``Applebot`` is not bound by ``Applebot-Extended``.
    """
    groups = read_together(robots.groups)
    for name in (token.lower(), _ANYONE):
        own = [group for group in groups if name in map(str.lower, group.tokens)]
        if own:
            tokens = dict.fromkeys(t for group in own for t in group.tokens if t.lower() == name)
            return Group(tuple(tokens), tuple(record for group in own for record in group.records))
    return None


def verdict(robots: RobotsTxt, token: str, path: str) -> Verdict:
    """May the crawler ``token`` fetch ``path`` (with its query, if any)?"""
    group = binding_group(robots, token)
    path = normalise(path)
    if group is None or path.partition("?")[0] == "/robots.txt":  # implicitly allowed (§2.2.2)
        return Verdict(True, group, None)
    literal = _literal(path)
    matching = [rule for rule in group.rules if _matches(rule.pattern, literal)]
    # The longest wins, and Allow on a tie (§2.2.2).
    rule = max(matching, key=lambda rule: (len(rule.pattern), rule.allow), default=None)
    return Verdict(rule is None or rule.allow, group, rule)


def usage_preferences(robots: RobotsTxt, token: str, path: str) -> Preferences:
    """What the ``Content-Usage`` lines of the binding group say of ``path`` (draft-ietf-aipref-attach-05 §3).

    Only the longest matching line applies; lines with one path are combined. A path that may not be
    fetched has no preferences.
    """
    found = verdict(robots, token, path)
    if not found.allowed or found.group is None:
        return Preferences()
    lines = [_usage(record) for record in found.group.records if isinstance(record, Record)]
    matching = [line for line in lines if line and path_matches(line[0], path)]
    longest = max((pattern for pattern, _ in matching), key=len, default="")
    preferences = Preferences()
    for pattern, statement in matching:
        if pattern == longest:
            preferences = preferences.combined(Preferences.parse(statement))
    return preferences


def content_signals(robots: RobotsTxt, token: str) -> dict[str, str]:
    """The ``Content-Signal`` members that hold for a product token; of two values, the later line's."""
    group = binding_group(robots, token)
    members: dict[str, str] = {}
    for record in group.records if group else ():
        if isinstance(record, Record) and record.named("Content-Signal"):
            members |= parse_content_signal(record.value)
    return members


def path_matches(pattern: str, path: str) -> bool:
    """Return True if a normalised path pattern (``*``, ``$``) matches ``path``; an empty one matches all."""
    return first_match([(pattern, True)], path, False)


def first_match(values: Iterable[tuple[str, T]], path: str, default: T) -> T:
    """Return the value of the first pattern that matches ``path``, which is normalised once for all."""
    path = _literal(normalise(path))
    return next((value for pattern, value in values if not pattern or _matches(pattern, path)), default)


def _usage(record: Record) -> tuple[str, str] | None:
    """Path pattern ("/" where there is none) and statement of a Content-Usage record."""
    if not record.named("Content-Usage"):
        return None
    if not record.value.startswith("/"):
        return "/", record.value
    path, _, statement = record.value.replace("\t", " ").partition(" ")
    return normalise(path), statement.strip(" \t")


def _matches(pattern: str, path: str) -> bool:
    """Return True if a normalised pattern matches a path that is normalised and literal.

    One that begins neither with a slash nor with ``*`` matches nothing.
    """
    if not pattern.startswith(("/", "*")):
        return False
    is_whole = pattern[-1:] == "$"
    if is_whole:
        pattern = pattern[:-1]
    if "*" not in pattern:
        pattern = _literal(pattern)
        return path == pattern if is_whole else path.startswith(pattern)
    first, *others, last = map(_literal, pattern.split("*"))
    if not path.startswith(first):
        return False
    start = len(first)
    for part in others:
        start = path.find(part, start)
        if start < 0:
            return False
        start += len(part)
    return path.endswith(last, start) if is_whole else path.find(last, start) >= 0


def _literal(text: str) -> str:
    """Return ``text`` with ``%2A`` and ``%24`` as the characters they stand for in a pattern (§2.2.3)."""
    return text.replace("%2A", "*").replace("%24", "$") if "%2" in text else text
