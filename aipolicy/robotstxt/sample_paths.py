"""Sample paths to try rules on: for each pattern, some that match and some that nearly match."""

from collections.abc import Iterator, Sequence

from aipolicy.core.paths import normalise
from aipolicy.robotstxt.parser import Rule

PLAIN = ("/", "/2026/a-post")
"""The home page, and a post that no rule mentions."""

_MAX_RULES = 20_000  # rules that are looked at
_SEVERAL, _RULES_PER_PATH = 40, 30  # for fewer than 40 paths, 30 rules for each are looked at
_PAIRED = 20  # patterns that are combined with one another


def sample_paths(parts: Sequence[Sequence[Rule]], most: int, *, paired: bool = False) -> tuple[str, ...]:
    """Return sample paths, always the same for the same rules.

    Args:
        parts: The rules of each group that can match.
        most: The approximate number of paths.
        paired: Also return paths that two patterns match.
    """
    patterns = list(dict.fromkeys(rule.pattern for rule in _some(parts, most)))
    step = max(1, -(-len(patterns) * 3 // max(1, most)))
    chosen = patterns[::step]
    found = dict.fromkeys(PLAIN)
    for pattern in chosen:
        found.update(dict.fromkeys(matching_paths(pattern)))
    if paired and len(chosen) <= _PAIRED:
        found.update(dict.fromkeys(_pairs(chosen)))
    return tuple(path for path in found if path.partition("?")[0] != "/robots.txt")


def _some(parts: Sequence[Sequence[Rule]], most: int) -> Iterator[Rule]:
    """Yield all rules, or every n-th if there are too many for ``most`` paths."""
    limit = _MAX_RULES if most >= _SEVERAL else _RULES_PER_PATH * most
    step = max(1, -(-sum(map(len, parts)) // limit))
    start = 0
    for rules in parts:
        yield from rules[start::step]
        start = (start - len(rules)) % step


def matching_paths(pattern: str) -> Iterator[str]:
    """Yield paths that the pattern matches, and a longer one."""
    path = _path(pattern)
    yield path
    yield path + "x"
    if "*" in pattern and "//" not in _path(pattern, ""):
        yield _path(pattern, "")


def _pairs(patterns: Sequence[str]) -> Iterator[str]:
    """Yield paths that two patterns match at once, one with a wildcard: ``/a*`` and ``/*b`` give ``/axb``."""
    for pattern in patterns:
        head, star, tail = pattern.partition("*")
        if star:
            for other in patterns:
                start = _path(other)
                if other != pattern and start.startswith(head):
                    yield normalise(start + _path(f"/{tail}")[1:])


def _path(pattern: str, filling: str = "x") -> str:
    path = pattern.removesuffix("$").replace("*", filling)
    return normalise(path if path.startswith("/") else f"/{path}")
