"""One robots.txt, parsed once for all checks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby

from aipolicy.core.crawlers import CRAWLERS, Crawler, crawler_named
from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.robotstxt.malformed_lines import MalformedLine, malformed
from aipolicy.robotstxt.matching import Binding, GroupIndex
from aipolicy.robotstxt.parser import Line, LineKind, RobotsTxt, product_token, read_lines

UNNAMED = "any-other-crawler"
"""A product token that no file names, for all other crawlers."""


@dataclass(frozen=True, slots=True)
class SourceGroup:
    """The lines of a group: its User-agent lines, and the others up to the next group."""

    agents: tuple[Line, ...]
    body: tuple[Line, ...]

    @property
    def rules(self) -> tuple[Line, ...]:
        return tuple(line for line in self.body if line.is_rule)

    @property
    def tokens(self) -> list[str]:
        return [product_token(line.value) for line in self.agents]


@dataclass(frozen=True)
class ParsedFile:
    """A robots.txt: its bytes, its lines as written, and their meaning.

    ``preamble`` has the lines before the first group. Only the first 500 KiB are parsed (RFC 9309 §2.5).
    """

    body: bytes
    lines: tuple[Line, ...] = field(repr=False)
    preamble: tuple[Line, ...] = field(repr=False)
    groups: tuple[SourceGroup, ...] = field(repr=False)
    robots: RobotsTxt = field(repr=False)

    @classmethod
    def read(cls, body: bytes) -> "ParsedFile":
        """Parse a file. Never raises."""
        body = bytes(body)
        lines = tuple(read_lines(body[:MAX_ROBOTS_BYTES]))
        preamble = tuple(line for line in lines if not line.group)
        return cls(body, lines, preamble, tuple(_groups(lines)), RobotsTxt.from_lines(lines))

    @cached_property
    def index(self) -> GroupIndex:
        """The groups by product token, as RFC 9309 has them."""
        return GroupIndex.from_robots(self.robots)

    @cached_property
    def malformed(self) -> dict[int, MalformedLine]:
        """The damaged lines by number; other checks skip them."""
        found = ((line.number, malformed(line)) for line in self.lines)
        return {number: one for number, one in found if one}

    @cached_property
    def known(self) -> tuple[Crawler, ...]:
        """The crawlers of the table that the file names."""
        named = {crawler_named(token) for token in self.index.tokens}
        return tuple(crawler for crawler in CRAWLERS if crawler in named)

    @cached_property
    def bindings(self) -> tuple[Binding, ...]:
        """The binding of each crawler that is named, and of all others."""
        return tuple(self.index.bound(token) for token in (*self.index.tokens, UNNAMED))

    def agent_lines(self, token: str) -> tuple[int, ...]:
        """Return the numbers of the User-agent lines with that product token."""
        return self._agents.get(token.lower(), ())

    @cached_property
    def _agents(self) -> dict[str, tuple[int, ...]]:
        found: dict[str, list[int]] = {}
        for line in self.lines:
            if line.kind is LineKind.AGENT:
                found.setdefault(product_token(line.value).lower(), []).append(line.number)
        return {token: tuple(numbers) for token, numbers in found.items()}


def _groups(lines: tuple[Line, ...]) -> Iterator[SourceGroup]:
    for number, group_lines in groupby(lines, lambda line: line.group):
        if number:
            group = tuple(group_lines)
            agents = tuple(line for line in group if line.kind is LineKind.AGENT)
            yield SourceGroup(agents, tuple(line for line in group if line.kind is not LineKind.AGENT))
