"""How a lookup is: for a person, a monitor, a test. Asking costs requests nothing."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from aipolicy.rendering import Rendering


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

    ``sites``        hosts whose answer is in memory; at most ``maxsize``.
    ``strangers``    hosts that are remembered as no site's, or as such that can't be loaded.
    ``misses``       how many answers were read, or loaded, while a request waited, since the lookup was made.
    ``requests``     how many were answered since then; None: not counted, which ``count_hits=True`` does.
                     It costs each hit another call.
    ``seq``          the last change that is in force; None: it has no numbers.
    ``refresh_age``  seconds since the source last answered; None: it never did.
    ``trouble``      why the source can't be read now, or for CachedLookup why a load failed last and nothing
                     succeeded since; empty: it can.
    ``last_error``   the last trouble, also when it is over; and seconds since then, or None.
    ``memory``       bytes that the answers in memory take, as far as they are counted; at most ``max_bytes``.
    ``loads``        hosts that are being loaded now; ``renewals``: how many loads nobody waited for.
    ``refused``      how often an unknown host got the default at once, for too many were being loaded.
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
    requests: int | None = None
    memory: int = 0
    loads: int = 0
    renewals: int = 0
    refused: int = 0

    @property
    def hit_ratio(self) -> float | None:
        """The part of the requests that was answered from memory; None: not counted, or none yet."""
        return 1 - self.misses / self.requests if self.requests else None


class CountingPeek:
    """``peek`` that counts what it finds."""

    __slots__ = ("_peek", "hits")

    def __init__(self, peek: Callable[[bytes], Rendering | None]) -> None:
        self._peek = peek
        self.hits = 0

    def __call__(self, host: bytes) -> Rendering | None:
        rendering = self._peek(host)
        if rendering is not None:
            self.hits += 1
        return rendering


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
