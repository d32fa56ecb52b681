"""Which rule of a list decides about a path: the three ways that parsers have, each fast on long lists."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from aipolicy.core.memo import Memo

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
    """RFC 9309 §2.2.2: the pattern with the most octets; on a tie, Allow; then the first in the file."""

    def __init__(self, rules: Iterable[PathRule], spelling: Spelling = str) -> None:
        super().__init__(spelling)
        self._plain: dict[str, PathRule] = {}
        self._wild: list[tuple[_Rank, PathRule, _Wild]] = []
        for rule in rules:
            if "*" in rule.pattern or rule.pattern.endswith("$"):
                self._wild.append((_rank(rule), rule, _wild(rule.pattern)))
            elif rule.pattern:
                held = self._plain.get(rule.pattern)
                if held is None or _rank(rule) < _rank(held):
                    self._plain[rule.pattern] = rule
        self._lengths = sorted({len(pattern) for pattern in self._plain}, reverse=True)
        self._wild.sort(key=lambda entry: entry[0])

    def deciding(self, path: str) -> PathRule | None:
        best = None
        for length in self._lengths:
            best = self._plain.get(path[:length])
            if best is not None:
                break
        limit = _rank(best) if best else _LAST
        for rank, rule, wild in self._wild:
            if limit < rank:
                break
            if wild.longest in path and wild.end(path) >= 0:  # most paths lack it
                return rule
        return best


_Rank = tuple[int, bool, int]
_LAST = (1, True, 0)  # behind the rank of every rule


def _rank(rule: PathRule) -> _Rank:
    return -len(rule.pattern), not rule.allow, rule.line


class LongestMatches:
    """The rules of each name that a file's user-agent lines have. The names of one group share its list."""

    def __init__(self, spelling: Spelling = str) -> None:
        self._spelling = spelling
        self._groups: dict[str, list[list[PathRule]]] = {}
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
            self._sets[which] = LongestMatch(chain.from_iterable(groups), self._spelling)
        return self._sets[which]


class FirstMatch(RuleSet):
    """The first rule that matches; ``*`` and ``$`` are ordinary characters."""

    def __init__(self, rules: Sequence[PathRule], spelling: Spelling = str) -> None:
        super().__init__(spelling)
        self._rules = rules

    def deciding(self, path: str) -> PathRule | None:
        return next((rule for rule in self._rules if path.startswith(rule.pattern)), None)


class MostMatched(RuleSet):
    """The rule that matched the most of the path; on a tie, Allow."""

    def __init__(self, rules: Iterable[PathRule], spelling: Spelling = str) -> None:
        super().__init__(spelling)
        self._rules = [(rule, _end(rule.pattern)) for rule in rules]

    def deciding(self, path: str) -> PathRule | None:
        ranked = ((end(path), rule.allow, rule) for rule, end in self._rules)
        matching = (entry for entry in ranked if entry[0] >= 0)
        best = max(matching, key=lambda entry: entry[:2], default=None)
        return best[2] if best else None


def covers(one: str, other: str) -> bool:
    """Whether pattern ``one`` matches every path that pattern ``other`` matches. May miss some such pairs."""
    if one.endswith("$") and not other.endswith("$"):
        return False
    # A "*" of the other stands for anything, so only a "*" of the first can be sure to match it.
    sample = other.removesuffix("$").replace("*", "\0")
    return _wild(one).end(sample) >= 0


class _Wild:
    """A pattern with wildcards, matched without regular expressions: these would be slow to compile."""

    __slots__ = ("anchored", "longest", "parts")

    def __init__(self, pattern: str) -> None:
        self.anchored = pattern.endswith("$")
        self.parts = tuple(pattern.removesuffix("$").split("*"))
        self.longest = max(self.parts, key=len)

    def end(self, path: str) -> int:
        """How far it matches at most, or -1."""
        first, *others = self.parts
        if not path.startswith(first):
            return -1
        position = len(first)
        if not others:
            return position if not self.anchored or position == len(path) else -1
        for part in others[:-1]:
            found = path.find(part, position)
            if found < 0:
                return -1
            position = found + len(part)
        last = others[-1]
        if self.anchored:
            return len(path) if path.endswith(last) and len(path) - len(last) >= position else -1
        if not last:
            return len(path)
        found = path.rfind(last, position)
        return -1 if found < 0 else found + len(last)


@lru_cache(maxsize=4096)
def _wild(pattern: str) -> _Wild:
    return _Wild(pattern)


def _end(pattern: str) -> Callable[[str], int]:
    if "*" in pattern or pattern.endswith("$"):
        return _wild(pattern).end
    return lambda path: len(pattern) if path.startswith(pattern) else -1
