"""The site of each host over time, from the hosts that the versions of each site list."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from aipolicy.accesslog.policies.versions import NOTHING_ASKED, Timeline, Version
from aipolicy.errors import PolicyError


@dataclass(frozen=True, slots=True)
class SiteVersion:
    """A version of one site.

    Attributes:
        line: The number of its line in the file.
        hosts: All further hosts of the site from then on; None for the same as before.
    """

    line: int
    version: Version
    hosts: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class _Ownership:
    """The ownership of a host from ``start`` to before ``end`` (None: no end), stated in ``line``."""

    start: int
    end: int | None
    site: str
    line: int


def timelines(sites: dict[str, list[SiteVersion]]) -> dict[str, Timeline]:
    """Return the timeline of each host: the versions of each site while it had the host.

    A site has its own name from its first version on. Of versions with equal times the last line is used.

    Raises:
        PolicyError: two sites have a host at one time.
    """
    ownerships: dict[str, list[_Ownership]] = {}
    versions: dict[str, tuple[Version, ...]] = {}
    for site, stated in sites.items():
        in_order = sorted(stated, key=lambda one: (one.version.at, one.line))
        versions[site] = tuple({one.version.at: one.version for one in in_order}.values())
        for host, ownership in _ownerships(site, in_order):
            ownerships.setdefault(host, []).append(ownership)
    of_site = {site: Timeline(of_one) for site, of_one in versions.items()}
    found = {}
    for host, of_host in ownerships.items():
        of_host.sort(key=lambda ownership: ownership.start)
        _refuse_overlaps(host, of_host)
        (first, *others) = of_host
        shared = of_site[first.site]
        if not others and first.end is None and first.start == shared.versions[0].at:
            found[host] = shared
        else:
            found[host] = Timeline(tuple(_versions(of_host, versions)))
    return found


def _ownerships(site: str, stated: Iterable[SiteVersion]) -> Iterable[tuple[str, _Ownership]]:
    had: dict[str, tuple[int, int]] = {}  # host → its first time, and the line
    for one in stated:
        at = one.version.at
        has = {site, *(had if one.hosts is None else one.hosts)}
        for host in had.keys() - has:
            start, line = had.pop(host)
            if start < at:
                yield host, _Ownership(start, at, site, line)
        for host in has - had.keys():
            had[host] = at, one.line
    for host, (start, line) in had.items():
        yield host, _Ownership(start, None, site, line)


def _refuse_overlaps(host: str, ownerships: list[_Ownership]) -> None:
    for one, other in pairwise(ownerships):
        if one.end is None or other.start < one.end:
            earlier, later = sorted((one, other), key=lambda ownership: ownership.line)
            fix = f"remove it there, or first give {one.site!r} a version without it in its hosts"
            if host == one.site:
                fix = "it is a site itself; remove it there"
            raise PolicyError(
                f"line {later.line}: {host!r} can't be a host of {later.site!r}, because by line "
                f"{earlier.line} it is a host of {earlier.site!r} at that time; {fix}"
            )


def _versions(ownerships: list[_Ownership], versions: dict[str, tuple[Version, ...]]) -> Iterable[Version]:
    for index, ownership in enumerate(ownerships):
        of_site = versions[ownership.site]
        first = bisect_left(of_site, ownership.start, key=lambda version: version.at)
        last = len(of_site)
        if ownership.end is not None:
            last = bisect_left(of_site, ownership.end, key=lambda version: version.at)
        yield from of_site[first:last]
        following = ownerships[index + 1].start if index + 1 < len(ownerships) else None
        if ownership.end is not None and ownership.end != following:
            yield Version(ownership.end, None, NOTHING_ASKED)
