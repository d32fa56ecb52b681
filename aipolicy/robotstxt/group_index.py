"""An index of the groups of a robots.txt: the answers of ``matching`` for many product tokens at once."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from aipolicy.core.paths import normalise
from aipolicy.robotstxt.parser import Group, Record, RobotsTxt, Rule, read_together
from aipolicy.robotstxt.reach import Reach, ReachPart, reach
from aipolicy.robotstxt.rule_index import LongestMatch, PathRule, Ruling
from aipolicy.robotstxt.rule_index import Part as RulePart
from aipolicy.robotstxt.usage import UsageLines, UsagePart, is_signal

ANYONE = "*"


class Part:
    """The content of one group. All contents that it is part of share what is worked out of it."""

    def __init__(self, group: Group) -> None:
        self.records = group.records

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that can match at all."""
        return tuple(r for r in self.records if isinstance(r, Rule) and r.effective)

    @cached_property
    def ruled(self) -> RulePart:
        rules = [PathRule(rule.allow, rule.pattern, rule.line) for rule in self.rules]
        return RulePart(rules, literally=False)

    @cached_property
    def wild(self) -> int:
        """The bytes of its patterns with wildcards."""
        return sum(len(rule.pattern) for rule in self.rules if "*" in rule.pattern)

    @cached_property
    def signals(self) -> tuple[Record, ...]:
        """The Content-Signal and Content-Usage lines."""
        return tuple(r for r in self.records if isinstance(r, Record) and is_signal(r))

    @cached_property
    def usage(self) -> UsagePart:
        return UsagePart(self.signals)

    @cached_property
    def reach(self) -> ReachPart:
        return ReachPart(self.rules)

    @cached_property
    def has_rules(self) -> bool:
        """True if there is any rule, with a path or without."""
        return any(isinstance(record, Rule) for record in self.records)


@dataclass(frozen=True, eq=False)
class Content:
    """What some groups hold together: one object for all product tokens that just these groups bind.

    A file may have ten thousand tokens in one group of as many lines, or 150 tokens in 60 of 120 groups each,
    which together have 50 times the lines of the file: what can be worked out of each group is worked out
    there, once.
    """

    parts: tuple[Part, ...] = field(repr=False)

    @property
    def records(self) -> Iterator[Rule | Record]:
        return (record for part in self.parts for record in part.records)

    @property
    def rules(self) -> Iterator[Rule]:
        """The rules that can match at all."""
        return (rule for part in self.parts for rule in part.rules)

    @property
    def signals(self) -> Iterator[Record]:
        """The Content-Signal and Content-Usage lines."""
        return (record for part in self.parts for record in part.signals)

    @cached_property
    def size(self) -> int:
        """The number of rules."""
        return sum(len(part.rules) for part in self.parts)

    @cached_property
    def wild(self) -> int:
        """The bytes of its patterns with wildcards."""
        return sum(part.wild for part in self.parts)

    @cached_property
    def has_rules(self) -> bool:
        """True if there is any rule, with a path or without."""
        return any(part.has_rules for part in self.parts)

    @cached_property
    def longest_match(self) -> LongestMatch:
        return LongestMatch(part.ruled for part in self.parts if part.rules)

    @cached_property
    def usage(self) -> UsageLines:
        return UsageLines(part.usage for part in self.parts if part.signals)

    @cached_property
    def reach(self) -> Reach:
        return reach([part.reach for part in self.parts])


@dataclass(frozen=True, eq=False)
class Bound:
    """The groups that bind some product tokens. ``name``: theirs, ``*``, or "" (none)."""

    name: str
    tokens: tuple[str, ...]
    content: Content

    @property
    def group(self) -> Group:
        """All of it as one group: made anew each time, with all of its lines."""
        return Group(self.tokens, tuple(self.content.records))

    @property
    def rules(self) -> LongestMatch:
        return self.content.longest_match

    @property
    def reach(self) -> Reach:
        """How much of the site they are kept out of."""
        return self.content.reach

    @property
    def is_named(self) -> bool:
        """Whether the file names the crawler, rather than everyone."""
        return self.name not in ("", ANYONE)


class Index:
    """A file's groups by product token, combined as RFC 9309 §2.2.1 says.

    ``groups`` has those that are read together as one.
    """

    def __init__(self, robots: RobotsTxt) -> None:
        self.robots = robots
        self.groups = tuple(read_together(robots.groups))
        self._groups: dict[str, list[Group]] = {}
        self._spelt: dict[str, dict[str, None]] = {}
        for group in self.groups:
            for token in group.tokens:
                self._spelt.setdefault(token.lower(), {})[token] = None
            for name in dict.fromkeys(map(str.lower, group.tokens)):
                self._groups.setdefault(name, []).append(group)
        self._bound: dict[str, Bound] = {}
        self._contents: dict[tuple[int, ...], Content] = {}
        self._parts: dict[int, Part] = {}

    @property
    def tokens(self) -> tuple[str, ...]:
        """Every product token that the file names, in its first spelling; not ``*``."""
        return tuple(next(iter(spellings)) for name, spellings in self._spelt.items() if name != ANYONE)

    def bound(self, token: str) -> Bound:
        """What binds ``token``; the same object for all that ``*`` binds."""
        name = token.lower()
        if name not in self._groups:
            name = ANYONE if ANYONE in self._groups else ""
        if name not in self._bound:
            content = self._content(self._groups.get(name, []))
            tokens = tuple(self._spelt.get(name, ()))
            self._bound[name] = Bound(name, tokens, content)
        return self._bound[name]

    def _content(self, groups: list[Group]) -> Content:
        which = tuple(map(id, groups))
        if which not in self._contents:
            self._contents[which] = Content(tuple(map(self._part, groups)))
        return self._contents[which]

    def _part(self, group: Group) -> Part:
        if id(group) not in self._parts:  # kept alive by ``groups``
            self._parts[id(group)] = Part(group)
        return self._parts[id(group)]

    def decide(self, token: str, path: str) -> Ruling:
        """May the crawler ``token`` fetch ``path``? (RFC 9309 §2.2.2)"""
        path = normalise(path)
        if path.partition("?")[0] == "/robots.txt":  # implicitly allowed
            return Ruling(True)
        return self.bound(token).rules.decide(path)
