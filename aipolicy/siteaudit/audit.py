"""All that can be said of one site."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from aipolicy.errors import FetchTrouble
from aipolicy.robotstxt.findings import Severity
from aipolicy.siteaudit.checks import CHECKS, robots_lines
from aipolicy.siteaudit.comparison import differences
from aipolicy.siteaudit.crawler_view import Row, answers
from aipolicy.siteaudit.expectation import Expectation, policy_robots
from aipolicy.siteaudit.findings import Finding, finding
from aipolicy.siteaudit.observation import Observation
from aipolicy.siteaudit.parsed_site import Reading

MOST_OF_A_KIND = 20
"""Findings of one kind that a report holds; the others are counted."""

_GRAVITY = tuple(Severity)


@dataclass(frozen=True, slots=True)
class SiteReport:
    """One site: what was seen, what each crawler is told, what is wrong, where it differs from its policy.

    ``findings`` are errors and warnings, the gravest first; ``notes`` what is good to know. ``more``:
    identifier → how many of that kind were left out. ``judged``: false where aipolicy itself failed.
    """

    reading: Reading
    expectation: Expectation | None
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    more: dict[str, int]
    judged: bool = True

    @property
    def observation(self) -> Observation:
        return self.reading.observation

    @property
    def differs(self) -> bool:
        """Whether it differs from its policy."""
        return any(found.is_difference for found in self.findings)

    def worst(self) -> Severity | None:
        return self.findings[0].severity if self.findings else None


def judge(
    observation: Observation, *, expectation: Expectation | None = None, crawlers: Iterable[str] = ()
) -> SiteReport:
    """Say what there is to say of a site. ``crawlers``: product tokens to tell about; else all known."""
    reading = Reading(observation)
    if not observation.answered:
        return SiteReport(reading, expectation, (), (_unreachable(observation),), (), {})
    found = list(differences(reading, expectation)) if expectation else []
    for check in CHECKS:
        found += check(reading)
    found += robots_lines.check(reading, meant=_meant(expectation))
    counted: Counter[str] = Counter()
    kept: list[Finding] = []
    for one in found:
        counted[one.id] += 1
        if counted[one.id] <= MOST_OF_A_KIND:
            kept.append(one)
    kept.sort(key=lambda one: (_GRAVITY.index(one.severity), not one.is_difference))
    return SiteReport(
        reading,
        expectation,
        answers(reading, crawlers),
        tuple(one for one in kept if one.severity is not Severity.NOTE),
        tuple(one for one in kept if one.severity is Severity.NOTE),
        {kind: count - MOST_OF_A_KIND for kind, count in counted.items() if count > MOST_OF_A_KIND},
    )


def not_judged(observation: Observation, expectation: Expectation | None, error: BaseException) -> SiteReport:
    """What is said where ``judge`` failed: that, and nothing of what was sent means: on that it failed."""
    found = finding(
        "not-judged",
        "site",
        f"aipolicy failed on what it sent ({type(error).__name__})",
        "nothing is known of what it tells crawlers",
        fix="that is a fault of aipolicy's own: report it with what is in the log",
    )
    return SiteReport(Reading(observation), expectation, (), (found,), (), {}, judged=False)


def _meant(expectation: Expectation | None) -> bytes | None:
    """The robots.txt that the policy alone writes."""
    version = expectation.version if expectation else None
    if expectation is None or version is None or version.policy is None:
        return None
    return policy_robots(version.policy, expectation.signals)


def _unreachable(observation: Observation) -> Finding:
    refused = FetchTrouble.ADDRESS in (observation.robots.plain.trouble, observation.page.plain.trouble)
    return finding(
        "unreachable",
        "site",
        observation.robots.plain.reason or observation.page.plain.reason,
        "nothing is known of what it tells crawlers",
        fix="give --allow-private to connect to private and loopback addresses"
        if refused
        else "is the address right, and is it up?",
    )
