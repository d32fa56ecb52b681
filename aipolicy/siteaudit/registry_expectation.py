"""What a registry expects of hosts, with the policies that were in force before."""

from typing import Self

from aipolicy.registry import Registry
from aipolicy.registry.database import masked
from aipolicy.signals.switches import Signals
from aipolicy.siteaudit.expectation import MOST_VERSIONS, Expectation, Version


class RegistryExpectations:
    """Opens the registry, and never makes one; a context manager. Threads may share one.

    ``strangers``: of a host that it doesn't know, expect to be told so; without, nothing is expected. Raises
    RegistryError.
    """

    def __init__(self, url: str, *, signals: Signals | None = None, strangers: bool = True) -> None:
        self._registry = Registry(url, create=False)
        self.source = masked(url)  # it goes into every report
        self._signals = signals or Signals()
        self._strangers = strangers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._registry.close()

    def __call__(self, host: str) -> Expectation | None:
        """What ``host`` should say now."""
        versions = [Version(it.policy, it.seq, it.at) for it in self._registry.timeline(host)]
        if not versions or versions[-1].policy is None:
            latest = versions[-1] if versions else None
            return Expectation(self.source, latest, self._signals) if self._strangers else None
        *earlier, current = versions
        return Expectation(self.source, current, self._signals, tuple(earlier[::-1][:MOST_VERSIONS]))
