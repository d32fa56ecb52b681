"""The policies of a registry, with their history."""

from typing import Self

from aipolicy.accesslog.policies.rendered_policies import RenderedPolicies
from aipolicy.accesslog.policies.versions import NOTHING_ASKED, Timeline, Version
from aipolicy.core.bounded_cache import BoundedCache
from aipolicy.core.policy import SitePolicy
from aipolicy.errors import RobotsTooLargeError
from aipolicy.registry import InForce, Registry
from aipolicy.registry.database import masked
from aipolicy.times import to_microseconds

_KNOWN, _UNKNOWN = 20_000, 100_000  # cached hosts


class RegistryPolicies:
    """The history of each host in a registry, read when it is first needed.

    The registry must exist. Use this as a context manager, or call ``close``; unpickling opens it again.

    A log without hosts has no policy, because sites outside the registry may have written to it. A policy
    whose robots.txt is too large was served shortened, or by older versions not at all, so nobody is accused
    by it.

    Raises:
        RegistryError: the registry can't be opened.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._registry = Registry(url, create=False)
        self.source = masked(url)  # it goes into every report
        self.rendered = True
        self._renderings = RenderedPolicies()
        self._known: BoundedCache[str, Timeline] = BoundedCache(_KNOWN)
        self._unknown: BoundedCache[str, None] = BoundedCache(_UNKNOWN)  # they can't evict known hosts

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self._url,)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._registry.close()

    def timeline(self, host: str | None) -> Timeline | None:
        if host is None or host in self._unknown:
            return None
        try:
            return self._known[host]
        except KeyError:
            versions = tuple(map(self._version, self._registry.timeline(host)))
            if not versions:
                return self._unknown.keep(host, None)
            return self._known.keep(host, Timeline(versions))

    def every(self) -> tuple[Timeline, ...]:
        return ()  # there may be ten million

    def _version(self, entry: InForce) -> Version:
        at = to_microseconds(entry.at)
        if entry.policy is None:
            return Version(at, None, NOTHING_ASKED)
        return Version(at, f"change {entry.seq}", self._robots(entry.policy), entry.policy.site)

    def _robots(self, policy: SitePolicy) -> bytes:
        try:
            return self._renderings.of(policy)
        except RobotsTooLargeError:
            return NOTHING_ASKED
