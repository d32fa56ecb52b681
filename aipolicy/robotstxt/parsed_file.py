"""One robots.txt, read once for all checks."""

from dataclasses import dataclass, field
from functools import cached_property

from aipolicy.core.crawlers import CRAWLERS, Crawler, crawler_named
from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.robotstxt.group_index import Bound, Index
from aipolicy.robotstxt.lines import Written
from aipolicy.robotstxt.mangled_lines import Mangled, mangled
from aipolicy.robotstxt.parser import RobotsTxt, product_token

UNNAMED = "any-other-crawler"
"""Stands for a crawler that no file names."""


@dataclass(frozen=True)
class File:
    """A robots.txt: its octets, its lines as written, and what they mean."""

    octets: bytes
    written: Written = field(repr=False)
    index: Index = field(repr=False)

    @classmethod
    def read(cls, octets: bytes) -> "File":
        """Read what every crawler reads: the first 500 KiB (RFC 9309 §2.5). Never raises."""
        octets = bytes(octets)
        return cls(octets, Written.read(octets), Index(RobotsTxt.parse(octets[:MAX_ROBOTS_BYTES])))

    @property
    def robots(self) -> RobotsTxt:
        return self.index.robots

    @cached_property
    def mangled(self) -> dict[int, Mangled]:
        """The lines that an editor or a copy spoilt, by their number: other checks leave them alone."""
        found = ((line.number, mangled(line)) for line in self.written.lines)
        return {number: one for number, one in found if one}

    @cached_property
    def known(self) -> tuple[Crawler, ...]:
        """The crawlers of the table that the file names."""
        named = {crawler_named(token) for token in self.index.tokens}
        return tuple(crawler for crawler in CRAWLERS if crawler in named)

    @cached_property
    def bounds(self) -> tuple[Bound, ...]:
        """What binds each crawler that is named, and all others."""
        return tuple(self.index.bound(token) for token in (*self.index.tokens, UNNAMED))

    def agent_lines(self, token: str) -> tuple[int, ...]:
        """The numbers of the User-agent lines with that product token."""
        return self._agents.get(token.lower(), ())

    @cached_property
    def _agents(self) -> dict[str, tuple[int, ...]]:
        found: dict[str, list[int]] = {}
        for group in self.written.groups:
            for line in group.agents:
                found.setdefault(product_token(line.value).lower(), []).append(line.number)
        return {token: tuple(numbers) for token, numbers in found.items()}
