"""What a clause is: one thing that RFC 9309 asks of crawlers, a trap for it, and a judge."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from enum import StrEnum

from aipolicy.conformance.fixture import START, Setting, Trap
from aipolicy.conformance.recording import Fetch, Seen


class Level(StrEnum):
    """The strength with which RFC 9309 asks for it (RFC 2119).

    ``IMPLIED``: it follows from what RFC 9309 says, but no key word states it. ``CLAIM``: RFC 9309 doesn't
    ask for it; a crawler may claim it for itself.
    """

    MUST = "MUST"
    SHOULD = "SHOULD"
    IMPLIED = "implied"
    MAY = "MAY"
    CLAIM = "claim"


class Verdict(StrEnum):
    """The verdict on a crawler.

    ``DISOBEYS``: it broke a MUST, or what it claims for itself. ``DEPARTS``: it did otherwise than a SHOULD
    says, or than is implied. ``DOES_NOT``: nobody asks for it, and the crawler doesn't claim it.
    """

    OBEYS = "obeys"
    DISOBEYS = "disobeys"
    DEPARTS = "departs"
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
"""Judges what was seen in a trap of the crawler with a product token.

A judge says DISOBEYS for every breach; ``Clause.graded`` tells a MUST from a SHOULD.
"""


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

    def graded(self, finding: Finding, claims: Collection[str]) -> Finding:
        """Return the finding with the verdict that a breach of this clause has at its level."""
        if finding.verdict is not Verdict.DISOBEYS:
            return finding
        if self.claim:
            return finding if self.claim in claims else replace(finding, verdict=Verdict.DOES_NOT)
        if self.level in (Level.SHOULD, Level.IMPLIED):
            return replace(finding, verdict=Verdict.DEPARTS)
        return finding
