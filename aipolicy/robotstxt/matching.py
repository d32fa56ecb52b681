"""The robots.txt engine: the groups that bind a product token, and the rule that decides about a path.

RFC 9309 §2.2; for Content-Usage lines draft-ietf-aipref-attach-05 §3. A ``GroupIndex`` finds the groups of a
token by one dictionary look-up. The result is a ``Binding``; its ``Content`` has all records of these groups,
and is one object for all tokens with the same groups. A file may have ten thousand tokens in one group, or
150 tokens in 60 of 120 groups each, whose combinations have 50 times the lines of the file. So everything
that depends on a single group is computed once, in its ``IndexedGroup``, when first needed.

``binding_group``, ``verdict``, ``usage_preferences`` and ``content_signals`` answer a single question. For
many questions about a file, make a ``GroupIndex`` and keep it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from aipolicy.core.bounded_cache import BoundedCache
from aipolicy.core.paths import normalise
from aipolicy.core.patterns import PatternTable
from aipolicy.core.preferences import Preferences
from aipolicy.robotstxt.parser import Group, Record, RobotsTxt, Rule, read_together
from aipolicy.robotstxt.reach import Reach, ReachPart, reach
from aipolicy.signals.content_signal import parse_content_signal
from aipolicy.signals.content_usage import split_usage

ANYONE = "*"
_REMEMBERED = 10_000  # paths

Spelling = Callable[[str], str]
"""Changes a path to the spelling in which a parser compares it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for one crawler and path.

    Attributes:
        allowed: True if the path may be fetched.
        group: The group that binds the crawler; None if there is none, so everything is allowed.
        rule: The rule that decided; None if no rule matches, so the path is allowed.
    """

    allowed: bool
    group: Group | None
    rule: Rule | None


@dataclass(frozen=True, slots=True)
class Ruling:
    """The answer for one path, and the number of the line that decided; 0 if no line did."""

    allowed: bool
    line: int = 0


def binding_group(robots: RobotsTxt, token: str) -> Group | None:
    """Return all groups of a product token as one, else all of ``*`` (RFC 9309 §2.2.1), else None.

    Tokens are compared in full and in any case: ``Applebot`` is not bound by ``Applebot-Extended``.
    """
    return GroupIndex.from_robots(robots).bound(token).group


def verdict(robots: RobotsTxt, token: str, path: str) -> Verdict:
    """Return the verdict for the crawler ``token`` on ``path`` (with its query, if any)."""
    binding, path = GroupIndex.from_robots(robots).bound(token), normalise(path)
    rule = None if is_robots_txt(path) else binding.rules.deciding(path)
    return Verdict(rule is None or rule.allow, binding.group, rule)


def usage_preferences(robots: RobotsTxt, token: str, path: str) -> Preferences:
    """Return the preferences that the ``Content-Usage`` lines of the binding group state for ``path``.

    Only the longest matching line applies; lines with one path are combined. A path that may not be fetched
    has no preferences (draft-ietf-aipref-attach-05 §3).
    """
    return GroupIndex.from_robots(robots).bound(token).usage_preferences(normalise(path))


def content_signals(robots: RobotsTxt, token: str) -> dict[str, str]:
    """Return the ``Content-Signal`` members for a product token; of two values, the later line's."""
    return GroupIndex.from_robots(robots).bound(token).content_signals()


def is_robots_txt(path: str) -> bool:
    """Return True if ``path`` (normalised) is ``/robots.txt``: it may always be fetched (RFC 9309 §2.2.2)."""
    return path.partition("?")[0] == "/robots.txt"


class RuleSet(ABC):
    """The rules that bind a crawler, as one parser applies them."""

    def __init__(self, spelling: Spelling = str) -> None:
        self._spelling = spelling
        self._decided: BoundedCache[str, Ruling] = BoundedCache(_REMEMBERED)

    def decide(self, path: str) -> Ruling:
        """Return the ruling on ``path`` (normalised). It is cached for some time."""
        try:
            return self._decided[path]
        except KeyError:
            rule = self.deciding(self._spelling(path))
            return self._decided.keep(path, Ruling(rule.allow, rule.line) if rule else Ruling(True))

    @abstractmethod
    def deciding(self, path: str) -> Rule | None:
        """Return the rule that decides about ``path`` (as the parser spells it), or None. Not cached."""


class LongestMatch(RuleSet):
    """RFC 9309 §2.2.2: the pattern with the most bytes; on a tie, Allow; then the first in the file.

    Args:
        tables: The rules of each group that binds the crawler.
        spelling: Changes a path to the spelling in which the parser compares it.
    """

    def __init__(self, tables: Iterable["RuleTable"], spelling: Spelling = str) -> None:
        super().__init__(spelling)
        self._tables = tuple(tables)
        self._first: Callable[[str], Rule | None] | None = None  # of the only table

    def deciding(self, path: str) -> Rule | None:
        if self._first is not None:
            return self._first(path)
        if len(self._tables) == 1:
            self._first = self._tables[0].first
            return self._first(path)
        best: Rule | None = None
        for table in self._tables:
            rule = table.deciding(path)
            if rule is not None and (best is None or _rank(rule) < _rank(best)):
                best = rule
        return best


class RuleTable:
    """The rules of one group, shared by all rule sets that it is part of.

    Args:
        rules: The rules, in the order of the file.
        literally: ``%2A`` and ``%24`` stand for themselves, as most parsers have it.
    """

    def __init__(self, rules: Sequence[Rule], *, literally: bool = False) -> None:
        self._rules, self._literally = rules, literally
        self._decided: BoundedCache[str, Rule | None] = BoundedCache(_REMEMBERED)

    @cached_property
    def first(self) -> Callable[[str], Rule | None]:
        """The function from a path to the rule that decides about it, or None. Not cached."""
        ranked = sorted(self._rules, key=_rank)
        return PatternTable(((rule.pattern, rule) for rule in ranked), literally=self._literally).first

    def deciding(self, path: str) -> Rule | None:
        """Return the rule that decides about ``path``, or None. It is cached for some time."""
        try:
            return self._decided[path]
        except KeyError:
            return self._decided.keep(path, self.first(path))


def _rank(rule: Rule) -> tuple[int, bool, int]:
    """Return the rank of a rule among those that match: the smallest decides."""
    return -len(rule.pattern), not rule.allow, rule.line


class UsageTable:
    """The Content-Usage lines of one group, shared by all ``UsageLines`` that it is part of."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.lines: dict[str, list[tuple[Record, str]]] = {}
        rules = []
        for record in records:
            if record.named("Content-Usage"):
                path, statement = split_usage(record.value)
                pattern = normalise(path) if path else "/"
                rules.append(Rule(True, pattern, record.line))
                self.lines.setdefault(pattern, []).append((record, statement))
        self.patterns = RuleTable(rules)


class UsageLines:
    """The Content-Usage lines that bind a crawler.

    Only the longest line that matches applies, or all of those with its pattern (attach-05 §3).
    """

    def __init__(self, tables: Iterable[UsageTable]) -> None:
        self._tables = [table for table in tables if table.lines]
        self._patterns = LongestMatch(table.patterns for table in self._tables)

    def at(self, path: str) -> list[tuple[Record, str]]:
        """Return the lines that apply to ``path`` (normalised), each with its statement."""
        rule = self._patterns.deciding(path)
        if rule is None:
            return []
        return [line for table in self._tables for line in table.lines.get(rule.pattern, ())]

    def preferences(self, path: str) -> Preferences:
        """Return the most restrictive combination of the lines that apply to ``path`` (normalised)."""
        preferences = Preferences()
        for statement in dict.fromkeys(statement for _, statement in self.at(path)):
            preferences = preferences.combined(Preferences.parse(statement))
        return preferences


class IndexedGroup:
    """A group, with everything that is computed from it once, however many tokens it binds."""

    def __init__(self, group: Group, *, literally: bool = False) -> None:
        self.group = group
        self.records = group.records
        self._literally = literally

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that can match at all."""
        return tuple(r for r in self.records if isinstance(r, Rule) and r.effective)

    @cached_property
    def table(self) -> RuleTable:
        return RuleTable(self.rules, literally=self._literally)

    @cached_property
    def wildcard_size(self) -> int:
        """The bytes of all patterns with a wildcard."""
        return sum(len(rule.pattern) for rule in self.rules if "*" in rule.pattern)

    @cached_property
    def signals(self) -> tuple[Record, ...]:
        """The Content-Signal and Content-Usage lines."""
        return tuple(r for r in self.records if isinstance(r, Record) and _is_signal(r))

    @cached_property
    def usage(self) -> UsageTable:
        return UsageTable(self.signals)

    @cached_property
    def reach(self) -> ReachPart:
        return ReachPart(self.rules)

    @cached_property
    def has_rules(self) -> bool:
        """True if there is any rule, with a path or without."""
        return any(isinstance(record, Rule) for record in self.records)


@dataclass(frozen=True, eq=False)
class Content:
    """The records of some groups together; compared by identity."""

    parts: tuple[IndexedGroup, ...] = field(repr=False)
    spelling: Spelling = str

    @property
    def records(self) -> Iterator[Rule | Record]:
        return (record for part in self.parts for record in part.records)

    @property
    def rules(self) -> Iterator[Rule]:
        return (rule for part in self.parts for rule in part.rules)

    @property
    def signals(self) -> Iterator[Record]:
        return (record for part in self.parts for record in part.signals)

    @cached_property
    def size(self) -> int:
        """The number of rules."""
        return sum(len(part.rules) for part in self.parts)

    @cached_property
    def wildcard_size(self) -> int:
        return sum(part.wildcard_size for part in self.parts)

    @cached_property
    def has_rules(self) -> bool:
        return any(part.has_rules for part in self.parts)

    @cached_property
    def longest_match(self) -> LongestMatch:
        return LongestMatch((part.table for part in self.parts if part.rules), self.spelling)

    @cached_property
    def usage(self) -> UsageLines:
        return UsageLines(part.usage for part in self.parts if part.signals)

    @cached_property
    def reach(self) -> Reach:
        """The part of the site that is closed."""
        return reach([part.reach for part in self.parts])


@dataclass(frozen=True, eq=False)
class Binding:
    """The groups that bind a product token.

    Attributes:
        name: The token in lower case, ``*``, or empty if no group binds it.
        tokens: The spellings of ``name`` in the file.
        content: The records of the groups.
    """

    name: str
    tokens: tuple[str, ...]
    content: Content

    @property
    def group(self) -> Group | None:
        """All of the groups as one, made anew each time; None if there are none."""
        return Group(self.tokens, tuple(self.content.records)) if self.content.parts else None

    @property
    def rules(self) -> LongestMatch:
        return self.content.longest_match

    @property
    def reach(self) -> Reach:
        """The part of the site that is closed to the crawler."""
        return self.content.reach

    @property
    def is_named(self) -> bool:
        """True if the file names the crawler, rather than everyone."""
        return self.name not in ("", ANYONE)

    def usage_preferences(self, path: str) -> Preferences:
        """Return the Content-Usage preferences for ``path`` (normalised); none if it may not be fetched."""
        if not is_robots_txt(path) and not self.rules.decide(path).allowed:
            return Preferences()
        return self.content.usage.preferences(path)

    def content_signals(self) -> dict[str, str]:
        """Return the Content-Signal members; of two values, the later line's."""
        members: dict[str, str] = {}
        for record in self.content.signals:
            if record.named("Content-Signal"):
                members |= parse_content_signal(record.value)
        return members


class GroupIndex:
    """Groups by product token. All groups of a token bind it together (RFC 9309 §2.2.1).

    Args:
        groups: The groups, as the parser divides the file.
        literally: ``%2A`` and ``%24`` in patterns stand for themselves, as most parsers have it.
        spelling: Changes a path to the spelling in which the parser compares it.
    """

    def __init__(self, groups: Iterable[Group], *, literally: bool = False, spelling: Spelling = str) -> None:
        self.groups = tuple(groups)
        self._parts: dict[str, list[IndexedGroup]] = {}
        self._spellings: dict[str, dict[str, None]] = {}
        self._spelling = spelling
        for group in self.groups:
            part = IndexedGroup(group, literally=literally)
            for token in filter(None, group.tokens):  # an empty one binds nobody
                self._spellings.setdefault(token.lower(), {})[token] = None
            for name in dict.fromkeys(map(str.lower, filter(None, group.tokens))):
                self._parts.setdefault(name, []).append(part)
        self._bindings: dict[str, Binding] = {}
        self._contents: dict[tuple[int, ...], Content] = {}

    @classmethod
    def from_robots(cls, robots: RobotsTxt) -> "GroupIndex":
        """Index a file as RFC 9309 divides it: a group without a rule is joined to the next."""
        return cls(read_together(robots.groups))

    @property
    def names(self) -> Iterable[str]:
        """Every product token in lower case, ``*`` included, in the order of the file."""
        return self._parts.keys()

    @property
    def tokens(self) -> tuple[str, ...]:
        """Every product token in its first spelling; not ``*``."""
        return tuple(next(iter(spellings)) for name, spellings in self._spellings.items() if name != ANYONE)

    def bound(self, token: str) -> Binding:
        """Return the binding of a product token; the same object for all tokens that ``*`` binds."""
        name = token.lower()
        if name not in self._parts:
            name = ANYONE if ANYONE in self._parts else ""
        if name not in self._bindings:
            content = self._content(self._parts.get(name, []))
            self._bindings[name] = Binding(name, tuple(self._spellings.get(name, ())), content)
        return self._bindings[name]

    def _content(self, parts: list[IndexedGroup]) -> Content:
        key = tuple(map(id, parts))
        if key not in self._contents:
            self._contents[key] = Content(tuple(parts), self._spelling)
        return self._contents[key]

    def decide(self, token: str, path: str) -> Ruling:
        """Return the ruling for the crawler ``token`` on ``path`` (RFC 9309 §2.2.2)."""
        path = normalise(path)
        return Ruling(True) if is_robots_txt(path) else self.bound(token).rules.decide(path)


def _is_signal(record: Record) -> bool:
    return record.name[:8].lower() == "content-" and (
        record.named("Content-Usage") or record.named("Content-Signal")
    )
