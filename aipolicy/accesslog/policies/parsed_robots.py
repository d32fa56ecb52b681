"""A robots.txt as crawlers read it: the first 500 KiB."""

from functools import cached_property

from aipolicy.core.bounded_cache import BoundedCache
from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.report.text import shorten
from aipolicy.robotstxt.matching import Binding, GroupIndex
from aipolicy.robotstxt.parser import RobotsTxt, lines_of
from aipolicy.robotstxt.reach import matches_everything

_LONGEST_RULE = 500  # characters of one in a report
_REMEMBERED = 2048  # distinct files


class ParsedRobots:
    """The complete lines of a file's first 500 KiB, which every crawler reads (RFC 9309 §2.5).

    The line that the limit cuts is left out: ``Disallow: /private`` is not ``Disallow: /p``.
    """

    def __init__(self, body: bytes) -> None:
        self._body = _within_limit(body)
        self._index = GroupIndex.from_robots(RobotsTxt.parse(self._body))

    def bound(self, token: str) -> Binding:
        """Return the binding of a product token."""
        return self._index.bound(token)

    @property
    def tokens(self) -> tuple[str, ...]:
        """Every product token that the file names; not ``*``."""
        return self._index.tokens

    def rule(self, line: int) -> str:
        """Return a line as written, without its comment and at most 500 characters long."""
        return shorten(self._lines[line - 1].partition("#")[0].strip(" \t").replace("\t", " "), _LONGEST_RULE)

    @cached_property
    def _lines(self) -> list[str]:
        return lines_of(self._body)


class ParsedRobotsCache:
    """A bounded cache of parsed files."""

    def __init__(self) -> None:
        self._memo: BoundedCache[bytes, ParsedRobots] = BoundedCache(_REMEMBERED)

    def of(self, body: bytes) -> ParsedRobots:
        try:
            return self._memo[body]
        except KeyError:
            return self._memo.keep(body, ParsedRobots(body))


def decides_alike(bound: Binding) -> bool:
    """Return True if one rule (or none) decides about every path, as in a group with only ``Disallow: /``."""
    return all(matches_everything(rule.pattern) for rule in bound.content.rules)


def _within_limit(body: bytes) -> bytes:
    if len(body) <= MAX_ROBOTS_BYTES:
        return body
    kept = body[:MAX_ROBOTS_BYTES]
    if body[MAX_ROBOTS_BYTES] in b"\r\n":
        return kept
    return kept[: max(kept.rfind(b"\n"), kept.rfind(b"\r")) + 1]
