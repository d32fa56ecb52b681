"""The answer of RFC 9309 for a request, if all readings of RFC 9309 agree.

The answer comes from ``robotstxt.matching``. A crawler is only judged by it if every permissible reading has
the same answer. Readings differ in:

- the length of a match if an Allow and a Disallow compete: the pattern's bytes, with or without ``*`` and
  ``$``, as written or percent-encoded, or the matched part of the path (§2.2.2: *the match that has the most
  octets*); and the winner of a tie, which is a SHOULD;
- reserved characters and their escapes: equal or not (§2.2.2 and its Figure 4 permit both);
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
class ExpectedAnswer:
    """The answer for a request: allowed, forbidden, or None if readings differ; and the deciding rule."""

    allowed: bool | None
    rule: Rule | None = None


def expected_answer(robots: RobotsTxt, token: str, target: str) -> ExpectedAnswer:
    """Return the answer of a robots.txt for a product token and a path with its query."""
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
        return ExpectedAnswer(None)
    return ExpectedAnswer(answer.allowed, answer.rule)


def decoded(text: str) -> str:
    """Return a path with all escapes decoded."""
    return unquote(text, errors="surrogateescape")


def _winner(matching: Iterable[Rule], path: str) -> bool | None:
    """Return True if the matching rules allow a path; None if that depends on the length's definition."""
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
    """Return the number of characters of a path that a pattern matches, both decoded; None if none."""
    match = _compiled(pattern).match(path)
    return match.end() if match else None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    body, end = (pattern[:-1], r"\Z") if pattern.endswith("$") else (pattern, "")
    return re.compile(".*".join(map(re.escape, body.split("*"))) + end, re.DOTALL)
