"""Path patterns matched in linear time, one at a time and in tables of thousands.

A pattern is literal text with ``*`` (any bytes) and a ``$`` at its end (RFC 9309 §2.2.3). A pattern without
wildcards matches every path that begins with it, so a table finds it by one dictionary look-up for each
distinct length. A path that matches a pattern with wildcards contains all of its literal parts. So a table
files such a pattern under a few bytes of them that are rare in the table (its *clue*), and compares a path
only with the patterns whose clues it contains. Nothing backtracks: each part is searched from the end of the
part before it.

``%2A`` and ``%24`` stand for the characters ``*`` and ``$``, which patterns can't contain plainly; paths are
compared as ``unescaped`` returns them. Parsers that don't know this compare with ``literally=True``.

``path_matches`` matches one pattern and one path with protego, always for the same crawler name, because
protego keeps every name in memory. A test checks that both give the same answers.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Generic, TypeVar

from protego import Protego

from aipolicy.core.paths import normalise

V = TypeVar("V")

_CLUE = 3  # bytes; fewer if no literal part is as long
_MAX_CLUES = 64  # candidates for one pattern
_FEW = 32  # up to so many patterns with wildcards are compared one by one
_NO_ENTRY = sys.maxsize  # the position of no entry
_SPECIAL = re.compile("%2A|%24|[^A-Za-z0-9/.~-]")
_ORIGIN = "https://site.invalid"  # protego takes URLs; only their path matters
_EARLY = 8  # look-ups before the table uses clues: finding these costs more than it saves at first


def unescaped(text: str) -> str:
    """Return ``text`` with ``%2A`` and ``%24`` decoded."""
    return text.replace("%2A", "*").replace("%24", "$") if "%2" in text else text


class Pattern:
    """A compiled path pattern."""

    __slots__ = ("anchored", "longest", "parts")

    def __init__(self, pattern: str, *, literally: bool = False) -> None:
        self.anchored = pattern.endswith("$")
        parts = pattern.removesuffix("$").split("*")
        self.parts = tuple(parts if literally else map(unescaped, parts))
        self.longest = max(self.parts, key=len)

    def matches(self, path: str) -> bool:
        """Return True if the pattern matches ``path``, which is normalised and unescaped."""
        return self.longest in path and self.end(path) >= 0

    def end(self, path: str) -> int:
        """Return how far into ``path`` the pattern can match, or -1 if it doesn't match."""
        parts = self.parts
        if not path.startswith(parts[0]):
            return -1
        position = len(parts[0])
        if len(parts) == 1:
            return position if not self.anchored or position == len(path) else -1
        for part in parts[1:-1]:
            found = path.find(part, position)
            if found < 0:
                return -1
            position = found + len(part)
        last = parts[-1]
        if self.anchored:
            return len(path) if path.endswith(last) and len(path) - len(last) >= position else -1
        if not last:
            return len(path)
        found = path.rfind(last, position)
        return -1 if found < 0 else found + len(last)

    def covers(self, other: str) -> bool:
        """Return True if every path that the pattern ``other`` matches is matched. Misses some such pairs."""
        if self.anchored and not other.endswith("$"):
            return False
        # A "*" of the other stands for anything, so only a "*" of this one can be sure to match it.
        sample = other.removesuffix("$").replace("*", "\0")
        return self.longest in sample and self.end(sample) >= 0

    def clues(self, size: int) -> list[str]:
        """Return up to 64 pieces of ``size`` bytes, of which a matching path contains all."""
        pieces = (part[at : at + size] for part in self.parts for at in range(len(part) - size + 1))
        return [piece for piece, _ in zip(pieces, range(_MAX_CLUES), strict=False)]


def is_literal(pattern: str) -> bool:
    """Return True if the pattern has no wildcard: it matches every path that begins with it."""
    return "*" not in pattern and not pattern.endswith("$")


_Entry = tuple[int, str, Pattern, V]
"""The position, the pattern's longest part (which most paths lack), the pattern, and the value."""


class PatternTable(Generic[V]):
    """Values by path pattern; ``first`` returns that of the first pattern that matches a path.

    Args:
        entries: Pairs of normalised pattern and value, the longest pattern first. An empty pattern matches
            nothing.
        many_paths: Prepare for many look-ups at once, not after the first few.
        literally: ``%2A`` and ``%24`` stand for themselves.

    Attributes:
        max_searches: The maximum number of strings that are searched for in one look-up.
    """

    __slots__ = (
        "_asked",
        "_clued",
        "_lengths",
        "_literal",
        "_literally",
        "_sizes",
        "_wild",
        "max_searches",
    )

    def __init__(
        self, entries: Iterable[tuple[str, V]], *, many_paths: bool = False, literally: bool = False
    ) -> None:
        self._literally = literally
        self._literal: dict[str, tuple[int, V]] = {}
        self._wild: list[_Entry[V]] = []
        for place, (pattern, value) in enumerate(entries):
            if not is_literal(pattern) or (not literally and unescaped(pattern) != pattern):
                compiled = Pattern(pattern, literally=literally)
                self._wild.append((place, compiled.longest, compiled, value))
            elif pattern:
                self._literal.setdefault(pattern, (place, value))
        self.max_searches = sum(len(pattern.parts) for _, _, pattern, _ in self._wild)
        self._lengths = sorted({len(pattern) for pattern in self._literal}, reverse=True)
        self._asked = 0
        self._clued: dict[str, list[_Entry[V]]] | None = None
        self._sizes: tuple[int, ...] = ()
        if many_paths and len(self._wild) > _FEW:
            self._file_under_clues()

    def first(self, path: str) -> V | None:
        """Return the value of the first pattern that matches ``path``, which is normalised, or None."""
        if "%2" in path and not self._literally:
            path = unescaped(path)
        found: tuple[int, V] | None = None
        literal = self._literal.get
        for length in self._lengths:
            found = literal(path[:length])
            if found is not None:
                break
        if self._clued is None and len(self._wild) > _FEW:
            self._asked += 1
            if self._asked > _EARLY:
                self._file_under_clues()
        if self._clued is not None:
            found = self._among_clued(self._clued, path, found)
        elif self._wild:  # like ``_first_of``, inlined because logs have millions of paths
            limit = _NO_ENTRY if found is None else found[0]
            for place, longest, pattern, value in self._wild:
                if limit < place:
                    break
                if longest in path and pattern.end(path) >= 0:
                    return value
        return None if found is None else found[1]

    def _among_clued(
        self, clued: dict[str, list[_Entry[V]]], path: str, found: tuple[int, V] | None
    ) -> tuple[int, V] | None:
        held = {path[at : at + size] for size in self._sizes for at in range(len(path) - size + 1)}
        held.add("")
        # Iterate over the smaller set: a long path may have more pieces than there are clues.
        clues = held & clued.keys() if len(held) < len(clued) else clued.keys() & held
        for clue in clues:
            found = _first_of(clued[clue], path, found)
        return found

    def _file_under_clues(self) -> None:
        clues: list[list[str]] = []
        for _, _, pattern, _ in self._wild:
            size = min(_CLUE, len(pattern.longest))
            clues.append(pattern.clues(size) if size else [""])
        common = Counter(clue for candidates in clues for clue in set(candidates))
        filed: dict[str, list[_Entry[V]]] = {}
        for entry, candidates in zip(self._wild, clues, strict=True):
            filed.setdefault(min(candidates, key=common.__getitem__), []).append(entry)
        self._sizes = tuple(sorted({len(clue) for clue in filed} - {0}))
        self._clued = filed


def _first_of(entries: Iterable[_Entry[V]], path: str, found: tuple[int, V] | None) -> tuple[int, V] | None:
    """Return the first of ``entries``, which are in order, that matches; ``found`` if it comes before it."""
    limit = _NO_ENTRY if found is None else found[0]
    for place, longest, pattern, value in entries:
        if limit < place:
            break
        if longest in path and pattern.end(path) >= 0:
            return place, value
    return found


def path_matches(pattern: str, path: str) -> bool:
    """Return True if a normalised path pattern (``*``, ``$``) matches ``path``; an empty one matches all."""
    if not pattern:
        return True
    path = normalise(path)
    # Protego takes a hundred times as long as a search for the parts of the pattern.
    if not pattern.startswith(("/", "*")) or not Pattern(pattern).matches(unescaped(path)):
        return False
    # Both get a prefix: protego allows /robots.txt itself whatever the rules.
    name = _SPECIAL.sub(_named, path)
    return not _closing(pattern).can_fetch(f"{_ORIGIN}/-{name}", "*")


def _closing(pattern: str) -> Protego:
    # One rule at a time, and always as Disallow: of several rules protego chooses otherwise than the standard
    # (it applies an Allow of /index.html to its folder too).
    end = "$" if pattern.endswith("$") else ""
    parts = (_SPECIAL.sub(_named, part) for part in pattern.removesuffix("$").split("*"))
    return Protego.parse(f"User-agent: *\nDisallow: /-{'*'.join(parts)}{end}\n")


def _named(special: re.Match[str]) -> str:
    # Protego decodes and splits URLs: it reads "/?" and "/%3F" as "/".
    # In a pattern "%2A" and "%24" stand for the characters that have a meaning there (§2.2.3).
    return f"_{special[0][1:] or f'{ord(special[0]):02X}'}"
