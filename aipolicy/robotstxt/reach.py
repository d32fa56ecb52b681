"""The part of a site that rules close to a crawler, and the rules that can never decide."""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import islice

from aipolicy.core.patterns import Pattern
from aipolicy.robotstxt.parser import Rule

_COMPARED = 50  # wildcards that each rule is compared with: most files have few, some have thousands
_ALWAYS_ALLOWED = ("/robots.txt", "/robots.txt$")  # RFC 9309 §2.2.2


# Paths without posts in a content management system: its administration, its own code, search results.
_NO_POSTS = re.compile(
    r"\*?/(?:wp-(?:admin|includes|json|login\.php|signup\.php|register\.php|cron\.php|trackback\.php)"
    r"|wp-content/(?:plugins|cache|upgrade)|xmlrpc\.php|cgi-bin|admin|administrator|login|search|readme\.html"
    r"|license\.txt)(?:[/?*$]|$)"
    r"|(?:\*?/)?\*?\?(?:s|replytocom)="
)


class Reach(StrEnum):
    """The part of a site that is closed to a crawler. OPEN: every post may be fetched."""

    BLOCKED = "blocked"
    PARTLY = "in part"
    OPEN = "open"


class ReachPart:
    """The rules of one group that close or open a part of the site."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        rules = list(rules)
        self.allows = [rule for rule in rules if rule.allow and rule.pattern not in _ALWAYS_ALLOWED]
        self.disallows = [rule for rule in rules if not rule.allow]
        self.closing = [rule for rule in self.disallows if not _NO_POSTS.match(rule.pattern)]
        everything = (len(rule.pattern) for rule in self.disallows if matches_everything(rule.pattern))
        self.blocking_length = max(everything, default=0)


def reach(parts: Sequence[ReachPart]) -> Reach:
    """Return the part of the site that is closed to crawlers bound by all of ``parts``."""
    blocking_length = max((part.blocking_length for part in parts), default=0)
    closing = any(part.closing for part in parts)
    if not any(part.allows for part in parts):
        return Reach.BLOCKED if blocking_length else Reach.PARTLY if closing else Reach.OPEN
    allows = [rule for part in parts for rule in part.allows]
    opening = [rule for rule in allows if len(rule.pattern) >= blocking_length]
    disallows = [rule for part in parts for rule in part.disallows]
    if blocking_length and (not opening or all(map(Opponents(disallows).overruling, opening))):
        return Reach.BLOCKED
    against_disallows = Opponents(allows)
    closes = any(not against_disallows.overruling(rule) for part in parts for rule in part.closing)
    return Reach.PARTLY if closes else Reach.OPEN


def matches_everything(pattern: str) -> bool:
    """Return True if the pattern matches every path, as ``/``, ``*`` and ``/*$`` do."""
    body = pattern.removesuffix("$") if pattern.endswith("*$") else pattern
    return bool(body) and body.strip("*") in ("", "/")


class Opponents:
    """The rules of the opposite kind, which may always win over a rule."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        rules = list(rules)
        self._same = {rule.pattern: rule for rule in rules}
        wild = islice((rule for rule in rules if "*" in rule.pattern), _COMPARED)
        self._wild = [(rule, Pattern(rule.pattern, literally=True)) for rule in wild]

    def overruling(self, rule: Rule) -> Rule | None:
        """Return a rule that matches wherever ``rule`` does and wins: longer, or an Allow of equal length."""
        if not rule.allow and rule.pattern in self._same:
            return self._same[rule.pattern]
        length = len(rule.pattern) + rule.allow
        winning = (r for r, p in self._wild if len(r.pattern) >= length and p.covers(rule.pattern))
        return next(winning, None)
