"""What a clause is: one thing that RFC 9309 asks of crawlers, a trap for it, and a judge."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from aipolicy.check.crawler.seen import Fetch, Seen
from aipolicy.check.crawler.trap import START, Setting, Trap


class Level(StrEnum):
    """How RFC 9309 asks for it (RFC 2119). ``CLAIM``: it doesn't; a crawler may claim it for itself."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"
    CLAIM = "claim"


class Verdict(StrEnum):
    """What the crawler did. ``DOES_NOT``: what nobody asks for, and it doesn't claim."""

    OBEYS = "obeys"
    DISOBEYS = "disobeys"
    OVER_CAUTIOUS = "over-cautious"
    DOES_NOT = "does not"
    NOT_TESTED = "not tested"


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict, why, and what shows it: a request, and the rule (with its line) that it went against."""

    verdict: Verdict
    why: str = ""
    fetch: Fetch | None = None
    rule: str = ""
    line: int = 0


Judge = Callable[[Trap, Seen, str], Finding]
"""Judges what was seen in a trap of the crawler with a product token."""


@dataclass(frozen=True, slots=True)
class Clause:
    """``build`` makes the trap. ``names_it``: the trap names the crawler, whose product token must be known.

    ``requires``: the clause without which this one tells nothing. ``claim``: what a crawler has to claim for
    this to count. ``second`` and ``refusing`` are authorities that the trap has, too: the port of the
    latter refuses connections.
    """

    id: str
    section: str
    level: Level
    says: str
    build: Callable[[Setting], Trap]
    judge: Judge
    names_it: bool = False
    requires: str = ""
    claim: str = ""
    second: bool = False
    refusing: bool = False

    @property
    def authorities(self) -> tuple[str, ...]:
        """Names of those that answer."""
        return (START, "second") if self.second else (START,)
