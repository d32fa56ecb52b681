"""The entry of one host in a cached lookup, and how long it is used: the one place that decides that."""

import math

from aipolicy.rendering import Rendering


class Entry:
    """The answer for one host.

    ``renew_at``     from then on a request has the answer renewed in the background.
    ``expires``      from then on it waits for that.
    ``stale_until``  until then an answer other than an opt-out may stand while loads fail.
    ``delay``        seconds between two tries while loads fail; 0 where the last one succeeded.
    ``number``       of the load that it is from: one that began later is newer.
    """

    __slots__ = ("delay", "expires", "number", "rendering", "renew_at", "stale_until")

    def __init__(self, rendering: Rendering, number: int = 0) -> None:
        self.rendering = rendering
        self.number = number
        self.delay = 0.0
        self.outdate()

    def with_rendering(self, rendering: Rendering, *, outdated: bool = False) -> "Entry":
        """Return the same with another rendering; ``outdated``: only to fall back on."""
        entry = Entry(rendering, self.number)
        entry.delay = self.delay
        if not outdated:
            entry.renew_at, entry.expires, entry.stale_until = self.renew_at, self.expires, self.stale_until
        return entry

    def outdate(self) -> None:
        """It is known to be no longer valid; it only says what to fall back on."""
        self.renew_at = self.expires = self.stale_until = -math.inf

    def answer(self, now: float, *, began: float, ttl: float, max_stale: float) -> None:
        """It is what a load returned that ``began`` then: valid for ``ttl``, and served for as long again.

        So nothing that was changed before ``began`` is served after twice the ttl. A load that took longer
        than the ttl is still good for one.
        """
        self.renew_at = now + ttl
        self.expires = max(began + 2 * ttl, now + ttl)
        self.stale_until = now + ttl + max_stale

    def fall_back(self, now: float, delay: float, ttl: float) -> None:
        """It is served in place of an answer until the next try, and for ``ttl`` while that goes on."""
        self.delay = delay
        self.renew_at, self.expires = now + delay, now + delay + ttl
        if now < self.stale_until:  # then there is another choice to make
            self.renew_at = min(self.renew_at, self.stale_until)
            self.expires = min(self.expires, self.stale_until)

    def renew(self, now: float, timeout: float) -> None:
        """It is being renewed: the next request to see to that is the one after ``timeout``."""
        self.renew_at = min(now + timeout, self.expires)
