"""Deadlines of answers: of each host in CachedLookup, and of the registry's file in LocalLookup."""

import math

from aipolicy.rendering import Rendering

_MAX_RETRY_DELAY = 1.0  # seconds between two tries to read a file that can't be read; each takes microseconds
_UNREAD = 1.0  # seconds without a look at the file, after which a change may have been lost with it


class CachedAnswer:
    """The answer for one host, with its deadlines.

    Attributes:
        rendering: The answer.
        renew_at: When a request has it renewed in the background.
        expires: When a request waits for that.
        stale_until: Until when an answer other than an opt-out may be served while loads fail.
        delay: Seconds between two tries while loads fail; 0 if the last load succeeded.
        number: The number of the load that returned it: a higher one began later.
    """

    __slots__ = ("delay", "expires", "number", "rendering", "renew_at", "stale_until")

    def __init__(self, rendering: Rendering, number: int = 0) -> None:
        self.rendering = rendering
        self.number = number
        self.delay = 0.0
        self.expire()

    def with_rendering(self, rendering: Rendering, *, expired: bool = False) -> "CachedAnswer":
        """Return the same answer with another rendering; ``expired``: only to fall back on."""
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

        So a state from before ``began`` is never served for more than twice the ttl. After a load that took
        longer than the ttl, the answer is still valid for one ttl.
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
        """Set the deadline while it is being renewed: no other request starts that for ``timeout``."""
        self.renew_at = min(now + timeout, self.expires)


class Lease:
    """The time for which LocalLookup may answer from memory. Every look at the file renews it.

    Attributes:
        fresh_until: Until when memory may answer: the one deadline that a request compares.
        next_look: When to look at the file again.
        stale_at: When answers other than opt-outs are no longer served, if the file can't be read until then.
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
        """Note that every change committed until now is known, although the file was deleted or replaced."""
        self._renewed = now

    def put_off(self, now: float, *, lost: bool) -> None:
        """Let memory answer until the next try: the file can't be read.

        Args:
            now: The time in seconds.
            lost: The content of the file is lost. If it was not read shortly before, an opt-out may be lost
                with it, so answers other than opt-outs are no longer served.
        """
        if lost and not self._lost:
            self._lost = True
            if now - self._renewed > _UNREAD:
                self.stale_at = min(self.stale_at, now)
        self._delay = min(self._delay * 2 or self._refresh, max(_MAX_RETRY_DELAY, self._refresh))
        self.next_look = now + self._delay
        self.fresh_until = min(self.next_look, self.stale_at)

    def end(self) -> None:
        """Make the next request look at the file."""
        self.fresh_until = self.next_look = -math.inf
