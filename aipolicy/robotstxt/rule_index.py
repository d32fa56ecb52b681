"""Which rule of a list decides about a path: the three ways that parsers have, each fast on long lists."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from aipolicy.core.bounded_cache import Memo
from aipolicy.core.patterns import Pattern, PatternTable, is_literal

_REMEMBERED = 10_000  # paths


@dataclass(frozen=True, slots=True)
class PathRule:
    """An Allow or Disallow as one parser understands it; ``line`` is where it stands."""

    allow: bool
    pattern: str
    line: int


@dataclass(frozen=True, slots=True)
class Ruling:
    """May it be fetched, and the line that says so; 0: none does."""

    allowed: bool
    line: int = 0


Spelling = Callable[[str], str]
"""How a parser spells a path before it compares it."""


class RuleSet(ABC):
    """The rules that bind a crawler."""

    def __init__(self, spelling: Spelling = str) -> None:
        self._spelling = spelling
        self._decided: Memo[str, Ruling] = Memo(_REMEMBERED)

    def decide(self, path: str) -> Ruling:
        """May ``path`` (normalised) be fetched, and which line says so? Remembered for some time."""
        try:
            return self._decided[path]
        except KeyError:
            rule = self.deciding(self._spelling(path))
            return self._decided.keep(path, Ruling(rule.allow, rule.line) if rule else Ruling(True))

    @abstractmethod
    def deciding(self, path: str) -> PathRule | None:
        """The rule that decides about ``path`` (as the parser spells it), or None. Nothing is remembered."""


class LongestMatch(RuleSet):
    """RFC 9309 §2.2.2: the pattern with the most octets; on a tie, Allow; then the first in the file.

    Args:
        parts: the rules of each group that binds the crawler. A list that is part of several sets is indexed
            once, by whoever makes it a ``Part``: a file may name 150 crawlers in 60 of 120 groups each.
        spelling: how the parser spells a path.
    """

    def __init__(self, parts: Iterable["Part"], spelling: Spelling = str) -> None:
        super().__init__(spelling)
        self._parts = tuple(parts)
        self._first: Callable[[str], PathRule | None] | None = None  # of the only part

    def deciding(self, path: str) -> PathRule | None:
        if self._first is not None:
            return self._first(path)
        if len(self._parts) == 1:
            self._first = self._parts[0].first
            return self._first(path)
        best: PathRule | None = None
        for part in self._parts:
            rule = part.deciding(path)
            if rule is not None and (best is None or rank(rule) < rank(best)):
                best = rule
        return best


class Part:
    """The rules of one group, asked by all sets that it is part of. What it found is remembered for a while.

    ``literally``: ``%2A`` and ``%24`` stand for themselves, as most parsers have it.
    """

    def __init__(self, rules: Sequence[PathRule], *, literally: bool = True) -> None:
        self._rules, self._literally = rules, literally
        self._decided: Memo[str, PathRule | None] = Memo(_REMEMBERED)

    @cached_property
    def first(self) -> Callable[[str], PathRule | None]:
        """Path → the rule that decides about it, or None. Nothing is remembered."""
        ranked = sorted(self._rules, key=rank)
        return PatternTable(((rule.pattern, rule) for rule in ranked), literally=self._literally).first

    def deciding(self, path: str) -> PathRule | None:
        """The rule that decides about ``path``, or None."""
        try:
            return self._decided[path]
        except KeyError:
            return self._decided.keep(path, self.first(path))


_Rank = tuple[int, bool, int]


def rank(rule: PathRule) -> _Rank:
    """The rank of a rule among those that match: the smallest decides."""
    return -len(rule.pattern), not rule.allow, rule.line


class LongestMatches:
    """The rules of each name that a file's user-agent lines have. The names of one group share its list."""

    def __init__(self, spelling: Spelling = str) -> None:
        self._spelling = spelling
        self._groups: dict[str, list[list[PathRule]]] = {}
        self._parts: dict[int, Part] = {}
        self._sets: dict[tuple[int, ...], LongestMatch] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._groups

    def __iter__(self) -> Iterator[str]:
        return iter(self._groups)

    def add(self, name: str) -> None:
        """There is such a name, whatever its rules."""
        self._groups.setdefault(name, [])

    def group(self, names: Iterable[str]) -> list[PathRule]:
        """A list for further rules of ``names``."""
        rules: list[PathRule] = []
        for name in names:
            self._groups[name].append(rules)
        return rules

    def of(self, name: str) -> LongestMatch:
        """The rules of a name, or none. To be asked when all rules are there."""
        groups = self._groups.get(name, [])
        which = tuple(map(id, groups))
        if which not in self._sets:
            self._sets[which] = LongestMatch(map(self._part, groups), self._spelling)
        return self._sets[which]

    def _part(self, rules: list[PathRule]) -> Part:
        if id(rules) not in self._parts:  # kept alive by the groups
            self._parts[id(rules)] = Part(rules)
        return self._parts[id(rules)]


class FirstMatch(RuleSet):
    """The first rule that matches; ``*`` and ``$`` are ordinary characters."""

    def __init__(self, rules: Sequence[PathRule], spelling: Spelling = str) -> None:
        super().__init__(spelling)
        self._rules = rules

    def deciding(self, path: str) -> PathRule | None:
        return next((rule for rule in self._rules if path.startswith(rule.pattern)), None)


class MostMatched(RuleSet):
    """The rule that matched the most of the path; on a tie, Allow; then the first.

    ``parts``: the rules of each group, as in ``LongestMatch``.
    """

    def __init__(self, parts: Iterable["MostMatchedPart"], spelling: Spelling = str) -> None:
        super().__init__(spelling)
        self._parts = tuple(parts)

    def deciding(self, path: str) -> PathRule | None:
        best: _Matched | None = None
        for part in self._parts:
            found = part.deciding(path)
            if found is not None and (best is None or found[:2] > best[:2]):
                best = found
        return best[2] if best else None


_Matched = tuple[int, bool, PathRule]


class MostMatchedPart:
    """The rules of one group: see ``Part``."""

    def __init__(self, rules: Iterable[PathRule]) -> None:
        self._literal: dict[str, PathRule] = {}
        self._wild: list[tuple[PathRule, Pattern]] = []
        self._order: dict[int, int] = {}
        for place, rule in enumerate(rules):
            self._order[id(rule)] = place
            if not is_literal(rule.pattern):
                self._wild.append((rule, Pattern(rule.pattern, literally=True)))
                continue
            held = self._literal.get(rule.pattern)
            if held is None or (rule.allow and not held.allow):
                self._literal[rule.pattern] = rule
        self._lengths = sorted({len(pattern) for pattern in self._literal}, reverse=True)
        self._decided: Memo[str, _Matched | None] = Memo(_REMEMBERED)

    def deciding(self, path: str) -> _Matched | None:
        """Return the length of the longest match, whether its rule allows, and the rule; or None."""
        try:
            return self._decided[path]
        except KeyError:
            return self._decided.keep(path, self._most(path))

    def _most(self, path: str) -> _Matched | None:
        found: list[_Matched] = []
        literal = (self._literal.get(path[:length]) for length in self._lengths if length <= len(path))
        rule = next((rule for rule in literal if rule is not None), None)
        if rule is not None:
            found.append((len(rule.pattern), rule.allow, rule))
        for rule, pattern in self._wild:
            if pattern.longest in path and (end := pattern.end(path)) >= 0:
                found.append((end, rule.allow, rule))
        return max(found, key=lambda entry: (*entry[:2], -self._order[id(entry[2])]), default=None)


def covers(one: Pattern, other: str) -> bool:
    """Return True if ``one`` matches every path that ``other`` does. Misses some such pairs."""
    if one.anchored and not other.endswith("$"):
        return False
    # A "*" of the other stands for anything, so only a "*" of the first can be sure to match it.
    sample = other.removesuffix("$").replace("*", "\0")
    return one.longest in sample and one.end(sample) >= 0
