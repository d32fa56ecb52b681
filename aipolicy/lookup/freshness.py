"""The deadlines of cached answers: per host in CachedLookup, for the whole file in LocalLookup."""

import math

from aipolicy.rendering import Rendering

_MAX_RETRY_DELAY = 1.0  # seconds between two tries to read a file that can't be read; each takes microseconds
_UNREAD = 1.0  # seconds since the file was read, after which a change may have been lost with it


class CachedAnswer:
    """The answer for one host, with its deadlines.

    Attributes:
        renew_at: The time from which a request starts a renewal in the background.
        expires: The time from which a request waits for the renewal.
        stale_until: The time until which an answer other than an opt-out is served while loads fail.
        delay: Seconds between two tries while loads fail; 0 if the last load succeeded.
        number: The number of the load that returned it; a higher number began later.
    """

    __slots__ = ("delay", "expires", "number", "rendering", "renew_at", "stale_until")

    def __init__(self, rendering: Rendering, number: int = 0) -> None:
        self.rendering = rendering
        self.number = number
        self.delay = 0.0
        self.expire()

    def with_rendering(self, rendering: Rendering, *, expired: bool = False) -> "CachedAnswer":
        """Return the same answer with another rendering; if ``expired``, only to fall back on."""
        answer = CachedAnswer(rendering, self.number)
        answer.delay = self.delay
        if not expired:
            answer.renew_at, answer.expires, answer.stale_until = (
                self.renew_at,
                self.expires,
                self.stale_until,
            )
        return answer

    def expire(self) -> None:
        """Mark the answer as no longer valid; it is kept to fall back on."""
        self.renew_at = self.expires = self.stale_until = -math.inf

    def loaded(self, now: float, *, began: float, ttl: float, max_stale: float) -> None:
        """Set the deadlines after a load that succeeded: valid for ``ttl``, and served for as long again.

        So a state from before ``began`` is served for at most twice the ttl; after a load that took longer
        than the ttl, the answer is still valid for one ttl.
        """
        self.renew_at = now + ttl
        self.expires = max(began + 2 * ttl, now + ttl)
        self.stale_until = now + ttl + max_stale

    def failed(self, now: float, delay: float, ttl: float) -> None:
        """Set the deadlines after a load that failed: the next try is in ``delay`` seconds.

        For ``ttl`` seconds more no request waits for the retries.
        """
        self.delay = delay
        self.renew_at, self.expires = now + delay, now + delay + ttl
        if now < self.stale_until:  # at that time the fallback has to be chosen anew
            self.renew_at = min(self.renew_at, self.stale_until)
            self.expires = min(self.expires, self.stale_until)

    def renewal_started(self, now: float, timeout: float) -> None:
        """Set the deadline of a renewal: no other request starts one for ``timeout`` seconds."""
        self.renew_at = min(now + timeout, self.expires)


class Lease:
    """The time for which LocalLookup may answer from memory. Every reading of the file renews it.

    Attributes:
        fresh_until: The end of the lease: the only deadline that a cache hit compares.
        next_look: The time to read the file again.
        stale_at: The time from which only opt-outs are served, if the file can't be read until then.
    """

    __slots__ = (
        "_delay",
        "_lost",
        "_max_stale",
        "_refresh",
        "_renewed",
        "fresh_until",
        "next_look",
        "stale_at",
    )

    def __init__(self, refresh: float, max_stale: float) -> None:
        self._refresh, self._max_stale = refresh, max_stale
        self._delay = 0.0
        self._lost = False
        self._renewed = self.stale_at = -math.inf
        self.end()

    def renew(self, now: float) -> None:
        """Start a new lease: the file was read."""
        self._delay = 0.0
        self._lost = False
        self._renewed = now
        self.fresh_until = self.next_look = now + self._refresh
        self.stale_at = self.fresh_until + self._max_stale

    def read_before_replacement(self, now: float) -> None:
        """Record that all changes were read before the file was deleted or replaced."""
        self._renewed = now

    def put_off(self, now: float, *, lost: bool) -> None:
        """Let memory answer until the next try: the file can't be read.

        Args:
            lost: The file's content is lost. If it was not read shortly before, an opt-out may be lost with
                it, so from now on only opt-outs are served.
        """
        if lost and not self._lost:
            self._lost = True
            if now - self._renewed > _UNREAD:
                self.stale_at = min(self.stale_at, now)
        self._delay = min(self._delay * 2 or self._refresh, max(_MAX_RETRY_DELAY, self._refresh))
        self.next_look = now + self._delay
        self.fresh_until = min(self.next_look, self.stale_at)

    def end(self) -> None:
        """Make the next request read the file."""
        self.fresh_until = self.next_look = -math.inf
