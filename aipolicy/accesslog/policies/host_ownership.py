"""Whose a host was, and when: from what each site said of its hosts."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from aipolicy.accesslog.policies.versions import NOTHING_ASKED, Timeline, Version
from aipolicy.errors import PolicyError


@dataclass(frozen=True, slots=True)
class Stated:
    """A version of one site, the line that states it, and all of the site's further hosts from then on.

    ``hosts`` None: those that it had before.
    """

    line: int
    version: Version
    hosts: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class _Tenure:
    """A site has a host from ``start`` to before ``end`` (None: for good), as ``line`` says."""

    start: int
    end: int | None
    site: str
    line: int


def timelines(sites: dict[str, list[Stated]]) -> dict[str, Timeline]:
    """What was asked on each host: the versions of each site while it had the host.

    A site has its own name from its first version on. Of its versions of one time the last line holds.
    Raises PolicyError where two sites have a host at one time.
    """
    tenures: dict[str, list[_Tenure]] = {}
    versions: dict[str, tuple[Version, ...]] = {}
    for site, stated in sites.items():
        in_order = sorted(stated, key=lambda one: (one.version.at, one.line))
        versions[site] = tuple({one.version.at: one.version for one in in_order}.values())
        for host, tenure in _tenures(site, in_order):
            tenures.setdefault(host, []).append(tenure)
    whole = {site: Timeline(its) for site, its in versions.items()}
    found = {}
    for host, its_tenures in tenures.items():
        its_tenures.sort(key=lambda tenure: tenure.start)
        _refuse_overlaps(host, its_tenures)
        (first, *others) = its_tenures
        shared = whole[first.site]
        if not others and first.end is None and first.start == shared.versions[0].at:
            found[host] = shared
        else:
            found[host] = Timeline(tuple(_versions(its_tenures, versions)))
    return found


def _tenures(site: str, stated: Iterable[Stated]) -> Iterable[tuple[str, _Tenure]]:
    had: dict[str, tuple[int, int]] = {}  # host → since when, and the line that says so
    for one in stated:
        at = one.version.at
        has = {site, *(had if one.hosts is None else one.hosts)}
        for host in had.keys() - has:
            start, line = had.pop(host)
            if start < at:
                yield host, _Tenure(start, at, site, line)
        for host in has - had.keys():
            had[host] = at, one.line
    for host, (start, line) in had.items():
        yield host, _Tenure(start, None, site, line)


def _refuse_overlaps(host: str, tenures: list[_Tenure]) -> None:
    for one, other in pairwise(tenures):
        if one.end is None or other.start < one.end:
            earlier, later = sorted((one, other), key=lambda tenure: tenure.line)
            fix = f"leave it out there, or first give {one.site!r} a version whose hosts leave it out"
            if host == one.site:
                fix = "it is a site by itself: leave it out there"
            raise PolicyError(
                f"line {later.line}: {host!r} can't be a host of {later.site!r}: by line {earlier.line} "
                f"it is one of {earlier.site!r} at the same time: {fix}"
            )


def _versions(tenures: list[_Tenure], versions: dict[str, tuple[Version, ...]]) -> Iterable[Version]:
    for index, tenure in enumerate(tenures):
        its = versions[tenure.site]
        first = bisect_left(its, tenure.start, key=lambda version: version.at)
        last = len(its)
        if tenure.end is not None:
            last = bisect_left(its, tenure.end, key=lambda version: version.at)
        yield from its[first:last]
        following = tenures[index + 1].start if index + 1 < len(tenures) else None
        if tenure.end is not None and tenure.end != following:
            yield Version(tenure.end, None, NOTHING_ASKED)
