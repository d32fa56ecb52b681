"""The audit of one site: all checks, and the comparison with its policy."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from aipolicy.errors import FetchTrouble
from aipolicy.robotstxt.findings import Severity
from aipolicy.siteaudit.checks import CHECKS, robots_lines
from aipolicy.siteaudit.comparison import differences
from aipolicy.siteaudit.crawler_view import CrawlerRow, crawler_rows
from aipolicy.siteaudit.expectation import Expectation, policy_robots
from aipolicy.siteaudit.findings import SiteFinding, finding
from aipolicy.siteaudit.observation import Observation
from aipolicy.siteaudit.parsed_site import ParsedSite

MOST_OF_A_KIND = 20
"""Findings of one kind in a report; further ones are counted."""

_SEVERITIES = tuple(Severity)


@dataclass(frozen=True, slots=True)
class SiteReport:
    """The result of the audit of one site.

    Attributes:
        site: The site.
        expectation: The policy that it was compared with, if any.
        rows: The site as each crawler sees it.
        findings: Errors and warnings, the most severe first.
        notes: Findings that are no problem.
        omitted: The number of further findings by kind.
        complete: False if aipolicy failed to evaluate the site's answers.
    """

    site: ParsedSite
    expectation: Expectation | None
    rows: tuple[CrawlerRow, ...]
    findings: tuple[SiteFinding, ...]
    notes: tuple[SiteFinding, ...]
    omitted: dict[str, int]
    complete: bool = True

    @property
    def observation(self) -> Observation:
        return self.site.observation

    @property
    def differs(self) -> bool:
        """True if the site differs from its policy."""
        return any(found.is_difference for found in self.findings)

    def worst(self) -> Severity | None:
        return self.findings[0].severity if self.findings else None


def audit(
    observation: Observation, *, expectation: Expectation | None = None, crawlers: Iterable[str] = ()
) -> SiteReport:
    """Audit a site. ``crawlers``: the product tokens to report; all known ones by default."""
    site = ParsedSite(observation)
    if not observation.answered:
        return SiteReport(site, expectation, (), (_unreachable(observation),), (), {})
    found = list(differences(site, expectation)) if expectation else []
    for check in CHECKS:
        found += check(site)
    found += robots_lines.check(site, expected=_expected_robots(expectation))
    counted: Counter[str] = Counter()
    kept: list[SiteFinding] = []
    for each in found:
        counted[each.id] += 1
        if counted[each.id] <= MOST_OF_A_KIND:
            kept.append(each)
    kept.sort(key=lambda each: (_SEVERITIES.index(each.severity), not each.is_difference))
    return SiteReport(
        site,
        expectation,
        crawler_rows(site, crawlers),
        tuple(each for each in kept if each.severity is not Severity.NOTE),
        tuple(each for each in kept if each.severity is Severity.NOTE),
        {kind: count - MOST_OF_A_KIND for kind, count in counted.items() if count > MOST_OF_A_KIND},
    )


def failed_audit(
    observation: Observation, expectation: Expectation | None, error: BaseException
) -> SiteReport:
    """Return the report of an audit that raised ``error``."""
    found = finding(
        "not-judged",
        "site",
        f"aipolicy failed to evaluate the site's answers ({type(error).__name__})",
        "nothing is known about the site's signals",
        fix="this is a bug in aipolicy: report it with the error in the log",
    )
    return SiteReport(ParsedSite(observation), expectation, (), (found,), (), {}, complete=False)


def _expected_robots(expectation: Expectation | None) -> bytes | None:
    """Return the robots.txt of the policy without the site's own rules."""
    version = expectation.version if expectation else None
    if expectation is None or version is None or version.policy is None:
        return None
    return policy_robots(version.policy, expectation.signals)


def _unreachable(observation: Observation) -> SiteFinding:
    refused = FetchTrouble.ADDRESS in (observation.robots.plain.trouble, observation.page.plain.trouble)
    return finding(
        "unreachable",
        "site",
        observation.robots.plain.reason or observation.page.plain.reason,
        "nothing is known about the site's signals",
        fix="connect to private and loopback addresses with --allow-private"
        if refused
        else "check the address, and that the site is up",
    )
