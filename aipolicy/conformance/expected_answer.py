"""The answer of RFC 9309 for a request, and where it leaves that open.

The answer is ``core.matching``'s. It is asked of a crawler only where every reading that RFC 9309 allows
gives the same one. These differ in:

- how long a match is where an Allow and a Disallow compete: by the pattern's bytes, with or without ``*``
  and ``$``, as written or percent-encoded, or by the part of the path that it matches (§2.2.2: *the match
  that has the most octets*); and which of two equal ones wins, which is a SHOULD;
- whether a reserved character and its escape are one (§2.2.2 and its Figure 4 can be read either way);
- rules before the first group, which SHOULD be ignored.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from aipolicy.core.paths import normalise
from aipolicy.core.patterns import path_matches
from aipolicy.robotstxt.matching import binding_group, verdict
from aipolicy.robotstxt.parser import RobotsTxt, Rule

_Length = Callable[[str, str], int]


@dataclass(frozen=True, slots=True)
class Ruling:
    """The answer for a request: allowed or not (None: RFC 9309 leaves it open), and the rule that decides."""

    allowed: bool | None
    rule: Rule | None = None


def ruling(robots: RobotsTxt, token: str, target: str) -> Ruling:
    """Return what a robots.txt says to the crawler with that product token of a path with its query."""
    answer = verdict(robots, token, target)
    group = binding_group(robots, token)
    rules = [rule for rule in (group.rules if group else ()) if rule.effective]
    loose = [rule for rule in robots.preamble if isinstance(rule, Rule) and rule.effective]
    path, plain = normalise(target), decoded(target)
    matching = [rule for rule in rules if path_matches(rule.pattern, path)]
    matching_loose = [rule for rule in loose if path_matches(rule.pattern, path)]
    matching_decoded = [rule for rule in rules if _span(decoded(rule.pattern), plain) is not None]
    readings = (matching, matching_decoded, [*matching, *matching_loose])
    if any(_winner(reading, path) is not answer.allowed for reading in readings):
        return Ruling(None)
    return Ruling(answer.allowed, answer.rule)


def decoded(text: str) -> str:
    """Return a path without any escape."""
    return unquote(text, errors="surrogateescape")


def _winner(matching: Iterable[Rule], path: str) -> bool | None:
    """Return whether the rules that match allow a path; None where that depends on how they are measured."""
    allows = [rule.pattern for rule in matching if rule.allow]
    disallows = [rule.pattern for rule in matching if not rule.allow]
    if not (allows and disallows):
        return not disallows
    answers: set[bool | None] = set()
    for length in _LENGTHS:
        allow = max(length(pattern, path) for pattern in allows)
        disallow = max(length(pattern, path) for pattern in disallows)
        answers.add(None if allow == disallow else allow > disallow)
    return answers.pop() if len(answers) == 1 else None


def _matched(pattern: str, path: str) -> int:
    return _span(decoded(pattern), decoded(path)) or 0


_LENGTHS: tuple[_Length, ...] = (
    lambda pattern, _path: len(pattern),
    lambda pattern, _path: len(pattern.replace("*", "").removesuffix("$")),
    lambda pattern, _path: len(decoded(pattern).encode("utf-8", "surrogateescape")),
    lambda pattern, _path: len(decoded(pattern)),
    _matched,
)


def _span(pattern: str, path: str) -> int | None:
    """Return how much of a path a pattern matches, both without escapes; None where it doesn't."""
    match = _compiled(pattern).match(path)
    return match.end() if match else None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    body, end = (pattern[:-1], r"\Z") if pattern.endswith("$") else (pattern, "")
    return re.compile(".*".join(map(re.escape, body.split("*"))) + end, re.DOTALL)
