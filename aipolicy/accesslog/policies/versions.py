"""What was asked on a host, and since when."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

ALWAYS = -(2**63)
"""The smallest time: what is in force from then on always was."""

NOTHING_ASKED = b""
"""A robots.txt without a rule: what there is before the first version, and on a host that is nobody's."""


@dataclass(frozen=True, slots=True)
class Version:
    """What is asked from ``at`` on: microseconds since the epoch, UTC, that moment included.

    ``name``    where it was declared, for people: ``change 12``, ``line 3``; None: the host is nobody's.
    ``robots``  the octets of robots.txt; equal files are mostly one object.
    ``site``    whose the host is then, canonical; None: each host is a site by itself.
    """

    at: int
    name: str | None
    robots: bytes = field(repr=False)
    site: str | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """The versions of one host, at least one, each later than the one before.

    Before the first nothing was asked.
    """

    versions: tuple[Version, ...]

    def __post_init__(self) -> None:
        times = [version.at for version in self.versions]
        if not times or any(later <= earlier for earlier, later in pairwise(times)):
            raise ValueError(
                f"the versions are of {times}: give at least one, each later than the one before"
            )

    @property
    def site(self) -> str | None:
        """Whose the host is before the first version, too."""
        return self.versions[0].site


class Policies(Protocol):
    """All that is known of who asked what. Instances can be pickled."""

    @property
    def source(self) -> str:
        """Where it is from, for people."""

    def timeline(self, host: str | None) -> Timeline | None:
        """What was asked on ``host`` (canonical; None: of a log without hosts); None: no policy is known.

        The same object for all hosts that have the same one, where that costs nothing. Raises AIPolicyError.
        """

    def every(self) -> Iterable[Timeline]:
        """All timelines, where they are at hand; none where each is read when it is asked for."""


@dataclass(frozen=True, slots=True)
class FilePolicies:
    """Policies that were read from a file.

    ``timelines`` is by canonical host; ``others`` holds for every further host, and ``hostless`` for a log
    without hosts.
    """

    source: str
    timelines: Mapping[str, Timeline] = field(repr=False)
    hostless: Timeline | None = None
    others: Timeline | None = None

    def timeline(self, host: str | None) -> Timeline | None:
        return self.hostless if host is None else self.timelines.get(host, self.others)

    def every(self) -> Iterable[Timeline]:
        further = [each for each in (self.hostless, self.others) if each is not None]
        return {id(each): each for each in (*self.timelines.values(), *further)}.values()
