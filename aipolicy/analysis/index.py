"""Which group binds a product token, for many tokens at once: the answers of ``aipolicy.core.matching``."""

from dataclasses import dataclass, field
from functools import cached_property

from aipolicy.analysis.reach import Reach, reach
from aipolicy.analysis.rulesets import LongestMatch, PathRule, Ruling
from aipolicy.analysis.usage import UsageLines
from aipolicy.core.paths import normalise
from aipolicy.core.robots import Group, Record, RobotsTxt, Rule, read_together

ANYONE = "*"


@dataclass(frozen=True, eq=False)
class Content:
    """What some groups hold together: one object for all product tokens that just these groups bind.

    A file may have ten thousand tokens in one group of as many lines: what is worked out of it is worked
    out once.
    """

    records: tuple[Rule | Record, ...] = field(repr=False)

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(r for r in self.records if isinstance(r, Rule) and r.effective)

    @cached_property
    def longest_match(self) -> LongestMatch:
        return LongestMatch(PathRule(rule.allow, rule.pattern, rule.line) for rule in self.rules)

    @cached_property
    def usage(self) -> UsageLines:
        return UsageLines(self.records)

    @cached_property
    def reach(self) -> Reach:
        return reach(self.rules)


@dataclass(frozen=True, eq=False)
class Bound:
    """The group that binds some product tokens. ``name``: theirs, ``*``, or "" (none)."""

    name: str
    group: Group
    content: Content

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
            self._bound[name] = Bound(name, Group(tokens, content.records), content)
        return self._bound[name]

    def _content(self, groups: list[Group]) -> Content:
        which = tuple(map(id, groups))
        if which not in self._contents:
            records = tuple(record for group in groups for record in group.records)
            self._contents[which] = Content(records)
        return self._contents[which]

    def decide(self, token: str, path: str) -> Ruling:
        """May the crawler ``token`` fetch ``path``? (RFC 9309 §2.2.2)"""
        path = normalise(path)
        if path.partition("?")[0] == "/robots.txt":  # implicitly allowed
            return Ruling(True)
        return self.bound(token).rules.decide(path)
