"""What a site should say: a policy, and those that were in force on it before."""

from dataclasses import dataclass, field
from datetime import datetime

from aipolicy.core.policy import SitePolicy
from aipolicy.errors import RobotsTooLargeError
from aipolicy.robotstxt.merge import robots_txt
from aipolicy.signals.switches import Signals
from aipolicy.siteaudit.access import Access
from aipolicy.siteaudit.cdn_managed import without_managed
from aipolicy.siteaudit.parsed_site import Reading

MOST_VERSIONS = 50
"""Earlier policies that an answer is compared with, the newest first."""


@dataclass(frozen=True, slots=True)
class Version:
    """A policy in force since ``at``, by the registry's change ``seq``; a preset has neither.

    ``policy`` None: the host was nobody's.
    """

    policy: SitePolicy | None
    seq: int | None = None
    at: datetime | None = None

    def __str__(self) -> str:
        """``no-training (change 3, 2026-10-01 12:00:00 UTC)``."""
        name = "nobody's" if self.policy is None else self.policy.preset or str(self.policy.preferences)
        if self.seq is None or self.at is None:
            return name
        return f"{name} (change {self.seq}, {self.at:%Y-%m-%d %H:%M:%S} UTC)"


@dataclass(frozen=True, slots=True)
class Expectation:
    """``source`` says who expects it: ``--expect no-training``, or the registry's address, masked.

    ``version`` None: the registry doesn't know the host. ``earlier`` has the versions before, newest first.
    """

    source: str
    version: Version | None
    signals: Signals = field(default_factory=Signals)
    earlier: tuple[Version, ...] = ()


def expected_robots(policy: SitePolicy, signals: Signals, reading: Reading) -> bytes | None:
    """The robots.txt that the policy wants, merged with the site's own rules; None where that is too large.

    Where the policy doesn't have those, they are what is served but for our lines and a CDN's: merging that
    again changes nothing if all is as it should be.
    """
    base = policy.robots_base
    own = without_managed(reading.sent or b"") if reading.access is Access.RULES else b""
    try:
        return robots_txt(policy, signals, own if base is None else base)
    except RobotsTooLargeError:
        return None


def policy_robots(policy: SitePolicy, signals: Signals) -> bytes | None:
    """The robots.txt of the policy without anything of the site's own; None where that is too large."""
    try:
        return robots_txt(policy, signals)
    except RobotsTooLargeError:
        return None
