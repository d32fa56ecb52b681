"""The status of a lookup, for people, monitoring and tests. Reading it costs requests nothing."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from aipolicy.rendering import Rendering


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """The state of a replica, as its follower wrote it into the file.

    Attributes:
        source: The registry that it follows, without the password.
        pid: The follower's process.
        changes_behind: Changes that it lacked when the registry last answered.
        up_to_date_at: The time at which it last had every change, in seconds since the epoch; written once a
            second.
        error: The reason that it can't follow now; empty if it can.
    """

    source: str
    pid: int
    changes_behind: int
    up_to_date_at: float
    error: str

    @property
    def seconds_behind(self) -> float:
        """Seconds since it was up to date, at least 0. Up to 2 is normal; more if no follower runs."""
        return max(0.0, time.time() - self.up_to_date_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupStatus:
    """The state of one lookup in one process.

    Attributes:
        sites: Number of cached hosts of sites.
        maxsize: Maximum number of cached hosts of sites.
        unknown_hosts: Number of cached hosts that belong to no site, or whose loads all failed.
        misses: Answers that requests waited for, since the lookup was made.
        requests: All answers since then; None unless ``count_hits=True``.
        seq: Number of the last change in force; None for a source without numbers.
        refresh_age: Seconds since the source last answered; None if it never did.
        error: The reason that the source can't be read now or, for CachedLookup, that the last load failed;
            empty if there is none.
        last_error: The last error, even if it is over.
        last_error_age: Seconds since the last error; None if there was none.
        replica: The state of the replica that is read; None for any other source.
        memory: Approximate bytes of the cached answers.
        loads: Number of hosts that are being loaded now.
        renewals: Loads that no request waited for.
        refused: Requests of unknown hosts that were answered without a load, because too many were running.
    """

    sites: int
    maxsize: int
    unknown_hosts: int = 0
    misses: int = 0
    requests: int | None = None
    seq: int | None = None
    refresh_age: float | None = None
    error: str = ""
    last_error: str = ""
    last_error_age: float | None = None
    replica: ReplicaStatus | None = None
    memory: int = 0
    loads: int = 0
    renewals: int = 0
    refused: int = 0

    @property
    def hit_ratio(self) -> float | None:
        """Share of the requests that were answered from the cache; None if unknown."""
        return 1 - self.misses / self.requests if self.requests else None


class CountingPeek:
    """A ``peek`` that counts its hits."""

    __slots__ = ("_peek", "hits")

    def __init__(self, peek: Callable[[bytes], Rendering | None]) -> None:
        self._peek = peek
        self.hits = 0

    def __call__(self, host: bytes) -> Rendering | None:
        rendering = self._peek(host)
        if rendering is not None:
            self.hits += 1
        return rendering


class SourceHealth:
    """The times of a source's last answer and last failure, with the error."""

    __slots__ = ("_answered", "_failed", "error", "last_error")

    def __init__(self) -> None:
        self.error = self.last_error = ""
        self._answered: float | None = None
        self._failed: float | None = None

    def answered(self, now: float) -> None:
        self._answered, self.error = now, ""

    def failed(self, error: str, now: float) -> None:
        self._failed, self.error, self.last_error = now, error, error

    def ages(self, now: float) -> tuple[float | None, float | None]:
        """Return the seconds since the last answer and since the last failure."""
        return (
            None if self._answered is None else now - self._answered,
            None if self._failed is None else now - self._failed,
        )
