"""The policy that a site is expected to follow, and those that were in force before it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from aipolicy.core.policy import SitePolicy
from aipolicy.errors import RobotsTooLargeError
from aipolicy.robotstxt.merge import robots_txt
from aipolicy.signals.switches import Signals
from aipolicy.siteaudit.cdn_managed import without_managed
from aipolicy.siteaudit.observation import Access
from aipolicy.siteaudit.parsed_site import ParsedSite

MOST_VERSIONS = 50
"""Earlier policies that an answer is compared with, the newest first."""


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A policy in force since ``at``, by the registry's change ``seq``; a preset has neither.

    ``policy`` is None for a time in which the host belonged to no site.
    """

    policy: SitePolicy | None
    seq: int | None = None
    at: datetime | None = None

    def __str__(self) -> str:
        """Return ``no-training (change 3, 2026-10-01 12:00:00 UTC)``."""
        name = "no site" if self.policy is None else self.policy.preset or str(self.policy.preferences)
        if self.seq is None or self.at is None:
            return name
        return f"{name} (change {self.seq}, {self.at:%Y-%m-%d %H:%M:%S} UTC)"


@dataclass(frozen=True, slots=True)
class Expectation:
    """The policy that one host is expected to follow.

    Attributes:
        source: The origin of the expectation: ``--expect no-training``, or the registry's masked URL.
        version: The policy in force, or None if the registry doesn't know the host.
        signals: The switches.
        earlier: The versions before, the newest first.
    """

    source: str
    version: PolicyVersion | None
    signals: Signals = field(default_factory=Signals)
    earlier: tuple[PolicyVersion, ...] = ()


def expected_robots(policy: SitePolicy, signals: Signals, site: ParsedSite) -> bytes | None:
    """Return the policy's robots.txt merged with the site's own rules, or None if that is too large.

    If the policy doesn't have the site's own rules, they are taken from the served file without a CDN's
    lines. Merging the policy into its own output changes nothing.
    """
    base = policy.robots_base
    own = without_managed(site.sent or b"") if site.access is Access.RULES else b""
    try:
        return robots_txt(policy, signals, own if base is None else base)
    except RobotsTooLargeError:
        return None


def policy_robots(policy: SitePolicy, signals: Signals) -> bytes | None:
    """Return the robots.txt of the policy without the site's own rules, or None if that is too large."""
    try:
        return robots_txt(policy, signals)
    except RobotsTooLargeError:
        return None


class RegistryExpectations:
    """The expectations of a registry, which is opened and never created; a context manager. Thread-safe.

    Args:
        url: The registry's URL.
        signals: The switches.
        report_unknown: Report hosts that the registry doesn't know, instead of expecting nothing of them.

    Raises:
        RegistryError: The registry can't be opened.
    """

    def __init__(self, url: str, *, signals: Signals | None = None, report_unknown: bool = True) -> None:
        # Imported where it is used: audits without a registry need no database.
        from aipolicy.registry import Registry
        from aipolicy.registry.database import masked

        self._registry = Registry(url, create=False)
        self.source = masked(url)  # it is part of every report
        self._signals = signals or Signals()
        self._report_unknown = report_unknown

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._registry.close()

    def __call__(self, host: str) -> Expectation | None:
        """Return the expectation for ``host`` now."""
        versions = [PolicyVersion(each.policy, each.seq, each.at) for each in self._registry.timeline(host)]
        if not versions or versions[-1].policy is None:
            latest = versions[-1] if versions else None
            return Expectation(self.source, latest, self._signals) if self._report_unknown else None
        *earlier, current = versions
        return Expectation(self.source, current, self._signals, tuple(earlier[::-1][:MOST_VERSIONS]))
