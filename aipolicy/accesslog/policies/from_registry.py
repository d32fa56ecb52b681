"""The policies of a registry, with their history."""

from typing import Self

from aipolicy.accesslog.policies.rendering import Renderings
from aipolicy.accesslog.policies.versions import NOTHING_ASKED, Timeline, Version
from aipolicy.core.bounded_cache import Memo
from aipolicy.core.policy import SitePolicy
from aipolicy.errors import RobotsTooLargeError
from aipolicy.registry import InForce, Registry
from aipolicy.registry.database import masked
from aipolicy.times import to_microseconds

_KNOWN, _STRANGERS = 20_000, 100_000  # hosts that are remembered


class RegistryPolicies:
    """The history of each host as the registry has it, read when it is first asked for.

    Opens the registry, and never makes one; a context manager, or ``close`` it. A pickled one opens it
    again. A log without hosts is nobody's: other sites than those in the registry may have written to it. A
    policy whose robots.txt is too large was served cut, or by older versions not at all: nobody is accused by
    it. Raises RegistryError.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._registry = Registry(url, create=False)
        self.source = masked(url)  # it goes into every report
        self._renderings = Renderings()
        self._known: Memo[str, Timeline] = Memo(_KNOWN)
        self._strangers: Memo[str, None] = Memo(_STRANGERS)  # who sends them can't push out what is known

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self._url,)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._registry.close()

    def timeline(self, host: str | None) -> Timeline | None:
        if host is None or host in self._strangers:
            return None
        try:
            return self._known[host]
        except KeyError:
            versions = tuple(map(self._version, self._registry.timeline(host)))
            if not versions:
                return self._strangers.keep(host, None)
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
