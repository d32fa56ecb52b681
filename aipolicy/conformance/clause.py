"""Clauses: single requirements of RFC 9309 for crawlers, each with a site that tests it and a judge."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from enum import StrEnum

from aipolicy.conformance.fixture import START, Fixture, FixtureSetup
from aipolicy.conformance.recording import RecordedFetch, Recording


class Level(StrEnum):
    """The requirement level of a clause (RFC 2119).

    ``IMPLIED`` follows from RFC 9309 without a key word. ``CLAIM`` is not in RFC 9309: a feature that a
    crawler may claim to have.
    """

    MUST = "MUST"
    SHOULD = "SHOULD"
    IMPLIED = "implied"
    MAY = "MAY"
    CLAIM = "claim"


class ClauseVerdict(StrEnum):
    """The verdict on a crawler for one clause."""

    OBEYS = "obeys"
    DISOBEYS = "disobeys"
    """It broke a MUST, or a feature that it claims to have."""
    DEPARTS = "departs"
    """It broke a SHOULD, or a requirement that is only implied."""
    OVER_CAUTIOUS = "over-cautious"
    """It did not fetch a page that it may fetch."""
    NOT_SUPPORTED = "not supported"
    """It does not have an optional feature, and does not claim to have it."""
    NOT_TESTED = "not tested"


@dataclass(frozen=True, slots=True)
class ClauseFinding:
    """A verdict with its reason, and the request and robots.txt rule that prove it."""

    verdict: ClauseVerdict
    reason: str = ""
    fetch: RecordedFetch | None = None
    rule: str = ""
    line: int = 0


Judge = Callable[[Fixture, Recording, str], ClauseFinding]
"""Judges the recording of a fixture for the crawler with a product token.

A judge returns DISOBEYS for every breach; ``Clause.grade`` distinguishes the levels.
"""


@dataclass(frozen=True, slots=True)
class Clause:
    """One requirement for crawlers.

    Attributes:
        id: The name of the clause.
        section: The section of RFC 9309.
        level: The requirement level.
        requirement: The requirement, for people.
        build: Makes the fixture.
        judge: Judges a recording.
        needs_token: True if the fixture's robots.txt names the crawler, so that its token must be known.
        requires: A clause that the crawler must obey for this one to be testable.
        claim: The feature that the crawler must claim for this clause to count.
        second: True if the fixture has a second authority.
        refusing: True if the fixture has an authority whose port refuses connections.
    """

    id: str
    section: str
    level: Level
    requirement: str
    build: Callable[[FixtureSetup], Fixture]
    judge: Judge
    needs_token: bool = False
    requires: str = ""
    claim: str = ""
    second: bool = False
    refusing: bool = False

    @property
    def authorities(self) -> tuple[str, ...]:
        """The names of the authorities that answer."""
        return (START, "second") if self.second else (START,)

    def grade(self, finding: ClauseFinding, claims: Collection[str]) -> ClauseFinding:
        """Return the finding with the verdict that a breach has at this clause's level."""
        if finding.verdict is not ClauseVerdict.DISOBEYS:
            return finding
        if self.claim:
            return finding if self.claim in claims else replace(finding, verdict=ClauseVerdict.NOT_SUPPORTED)
        if self.level in (Level.SHOULD, Level.IMPLIED):
            return replace(finding, verdict=ClauseVerdict.DEPARTS)
        return finding
