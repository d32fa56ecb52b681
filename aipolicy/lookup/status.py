"""How a lookup is: for a person, a monitor, a test. Asking costs requests nothing."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """How far a replica's follower said it was, and who it is.

    ``source``    the registry that it follows, without its password.
    ``pid``       the follower's process.
    ``changes``   that the registry had more, when it last answered.
    ``level_at``  seconds since the epoch: when the replica last had all of them. It is told each second.
    ``trouble``   what keeps it from following; empty: nothing.
    """

    source: str
    pid: int
    changes: int
    level_at: float
    trouble: str

    @property
    def seconds(self) -> float:
        """Since it was level: up to 2 is none behind, more also where no follower runs. Never below 0."""
        return max(0.0, time.time() - self.level_at)


@dataclass(frozen=True, slots=True)
class LookupStatus:
    """One lookup, in one process.

    Hits are not counted: a counter would cost each of them a tenth more. Their ratio is 1 - misses by the
    requests that your server counts anyway.

    ``sites``        hosts whose answer is in memory; at most ``maxsize``.
    ``strangers``    hosts that are remembered as no site's, or as such that can't be loaded.
    ``misses``       how many answers were read, or loaded, since the lookup was made.
    ``seq``          the last change that is in force; None: it has no numbers.
    ``refresh_age``  seconds since the source last answered; None: it never did.
    ``trouble``      why the source can't be read now, or for CachedLookup why a load failed last and nothing
                     succeeded since; empty: it can.
    ``last_error``   the last trouble, also when it is over; and seconds since then, or None.
    """

    sites: int
    maxsize: int
    strangers: int
    misses: int
    seq: int | None
    refresh_age: float | None
    trouble: str
    last_error: str
    last_error_age: float | None
    replica: ReplicaStatus | None = None


class Outcomes:
    """When a source last answered and last failed."""

    __slots__ = ("_answered", "_failed", "error", "trouble")

    def __init__(self) -> None:
        self.trouble = self.error = ""
        self._answered: float | None = None
        self._failed: float | None = None

    def answered(self, now: float) -> None:
        self._answered, self.trouble = now, ""

    def failed(self, error: str, now: float) -> None:
        self._failed, self.trouble, self.error = now, error, error

    def ages(self, now: float) -> tuple[float | None, float | None]:
        """Seconds since the last answer and the last failure."""
        return (
            None if self._answered is None else now - self._answered,
            None if self._failed is None else now - self._failed,
        )
