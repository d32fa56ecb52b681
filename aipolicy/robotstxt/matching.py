"""Which group binds a product token, may it fetch a path, and which line decided (RFC 9309 §2.2).

The group is chosen here, by equal product token; ``aipolicy.core.patterns`` matches the paths.
"""

from dataclasses import dataclass

from aipolicy.core.paths import normalise
from aipolicy.core.patterns import path_matches
from aipolicy.core.preferences import Preferences
from aipolicy.robotstxt.parser import Group, Record, RobotsTxt, Rule, read_together
from aipolicy.signals.content_signal import parse_content_signal
from aipolicy.signals.content_usage import split_usage

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
    # The longest wins, and Allow on a tie (§2.2.2): the first that matches, in this order.
    ranked = sorted(group.rules, key=lambda rule: (-len(rule.pattern), not rule.allow))
    rule = next((rule for rule in ranked if rule.pattern and path_matches(rule.pattern, path)), None)
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


def _usage(record: Record) -> tuple[str, str] | None:
    """Path pattern ("/" where there is none) and statement of a Content-Usage record."""
    if not record.named("Content-Usage"):
        return None
    path, statement = split_usage(record.value)
    return normalise(path) if path else "/", statement
