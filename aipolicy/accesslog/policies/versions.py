"""The policies of hosts over time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from aipolicy.core.hosts import site_name

ALWAYS = -(2**63)
"""The smallest time, for a version that was always in force."""

NOTHING_ASKED = b""
"""A robots.txt without a rule: in force before the first version, and on a host without a site."""


@dataclass(frozen=True, slots=True)
class Version:
    """The policy in force from a moment on.

    Attributes:
        at: That moment, in microseconds since the epoch, UTC.
        name: The place of its declaration, like ``change 12`` or ``line 3``; None if the host has no site.
        robots: The robots.txt; equal files are mostly one object.
        site: The canonical name of the host's site; None if each host is a separate site.
    """

    at: int
    name: str | None
    robots: bytes = field(repr=False)
    site: str | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """The versions of one host: at least one, each later than the one before.

    Raises:
        ValueError: there is no version, or they are not in order.
    """

    versions: tuple[Version, ...]

    def __post_init__(self) -> None:
        times = [version.at for version in self.versions]
        if not times or any(later <= earlier for earlier, later in pairwise(times)):
            raise ValueError(
                f"the versions are of {times}; give at least one, each later than the one before"
            )

    @property
    def site(self) -> str | None:
        """The site of the first version, which is the host's before that, too."""
        return self.versions[0].site


class Policies(Protocol):
    """The policies of all hosts. Instances can be pickled."""

    @property
    def source(self) -> str:
        """The name of the origin in reports."""

    @property
    def rendered(self) -> bool:
        """True if a robots.txt was rendered from preferences, with the crawler table of today."""

    def timeline(self, host: str | None) -> Timeline | None:
        """Return the timeline of a host; hosts with the same timeline share the object where that is cheap.

        Args:
            host: The canonical host; None for a log without hosts.

        Returns:
            The timeline; None if no policy is known.

        Raises:
            AIPolicyError: the policies can't be read.
        """

    def every(self) -> Iterable[Timeline]:
        """Return all timelines; none if they are read one by one."""


@dataclass(frozen=True, slots=True)
class FilePolicies:
    """Policies that were read from a file.

    Attributes:
        timelines: The timelines by canonical host.
        hostless: The timeline of a log without hosts.
        others: The timeline of every other host.
        rendered: True if a robots.txt was rendered from preferences.
    """

    source: str
    timelines: Mapping[str, Timeline] = field(repr=False)
    hostless: Timeline | None = None
    others: Timeline | None = None
    rendered: bool = False

    def timeline(self, host: str | None) -> Timeline | None:
        return self.hostless if host is None else self.timelines.get(host, self.others)

    def every(self) -> Iterable[Timeline]:
        further = [each for each in (self.hostless, self.others) if each is not None]
        return {id(each): each for each in (*self.timelines.values(), *further)}.values()


def policies_from_robots(
    robots: bytes, hosts: Iterable[str] = (), *, source: str = "robots.txt"
) -> FilePolicies:
    """Return the policies of one robots.txt that was always in force.

    Args:
        robots: The file.
        hosts: The hosts of one site, the first of which names it; a log without hosts is this site's. Without
            hosts the file applies to every host, each a separate site.
        source: The name of the origin in reports.

    Raises:
        HostError: a host is invalid.
    """
    names = list(map(site_name, hosts))
    timeline = Timeline((Version(ALWAYS, "robots.txt", robots, names[0] if names else None),))
    if names:
        return FilePolicies(source, dict.fromkeys(names, timeline), hostless=timeline)
    return FilePolicies(source, {}, hostless=timeline, others=timeline)
