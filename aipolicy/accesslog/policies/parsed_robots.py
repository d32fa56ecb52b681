"""A robots.txt as its crawlers read it."""

from functools import cached_property

from aipolicy.core.bounded_cache import Memo
from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.report.text import shown
from aipolicy.robotstxt.matching import Binding, GroupIndex
from aipolicy.robotstxt.parser import RobotsTxt, lines_of
from aipolicy.robotstxt.reach import matches_everything

_LONGEST_RULE = 500  # characters of one that is shown
_REMEMBERED = 2048  # distinct files


class Reading:
    """A file's first 500 KiB, which is what every crawler reads (RFC 9309 §2.5), by whole lines.

    The line that the limit cuts is left out: ``Disallow: /private`` is not ``Disallow: /p``.
    """

    def __init__(self, octets: bytes) -> None:
        self._octets = _within_limit(octets)
        self._index = GroupIndex.from_robots(RobotsTxt.parse(self._octets))

    def bound(self, token: str) -> Binding:
        """The group that binds a product token."""
        return self._index.bound(token)

    @property
    def tokens(self) -> tuple[str, ...]:
        """Every product token that the file names; not ``*``."""
        return self._index.tokens

    def rule(self, line: int) -> str:
        """A line as it was written, without its comment, on one line and at most 500 characters."""
        return shown(self._lines[line - 1].partition("#")[0].strip(" \t").replace("\t", " "), _LONGEST_RULE)

    @cached_property
    def _lines(self) -> list[str]:
        return lines_of(self._octets)


class Readings:
    """Each file is read once, and equal files are one. Bounded."""

    def __init__(self) -> None:
        self._memo: Memo[bytes, Reading] = Memo(_REMEMBERED)

    def of(self, octets: bytes) -> Reading:
        try:
            return self._memo[octets]
        except KeyError:
            return self._memo.keep(octets, Reading(octets))


def decides_alike(bound: Binding) -> bool:
    """Whether the same rule (or none) decides about every path, as with a lone ``Disallow: /``."""
    return all(matches_everything(rule.pattern) for rule in bound.content.rules)


def _within_limit(octets: bytes) -> bytes:
    if len(octets) <= MAX_ROBOTS_BYTES:
        return octets
    kept = octets[:MAX_ROBOTS_BYTES]
    if octets[MAX_ROBOTS_BYTES] in b"\r\n":
        return kept
    return kept[: max(kept.rfind(b"\n"), kept.rfind(b"\r")) + 1]
