"""How long a local lookup may answer from memory, and when it looks at the file again."""

import math

_LONGEST_DELAY = 1.0  # seconds between two tries to read a file that can't be read: some microseconds each


class Lease:
    """Renewed by every look at the file; one deadline is all that a request compares.

    ``fresh_until``  until when memory may answer unasked.
    ``next_look``    when to look at the file again.
    ``stale_at``     when answers other than opt-outs no longer stand, if looking fails till then.
    """

    __slots__ = ("_delay", "_max_stale", "_refresh", "fresh_until", "next_look", "stale_at")

    def __init__(self, refresh: float, max_stale: float) -> None:
        self._refresh, self._max_stale = refresh, max_stale
        self._delay = 0.0
        self.stale_at = -math.inf
        self.end()

    def renew(self, now: float) -> None:
        """The file was read."""
        self._delay = 0.0
        self.fresh_until = self.next_look = now + self._refresh
        self.stale_at = self.fresh_until + self._max_stale

    def put_off(self, now: float) -> None:
        """The file can't be read: memory answers until the next try."""
        self._delay = min(self._delay * 2 or self._refresh, max(_LONGEST_DELAY, self._refresh))
        self.next_look = now + self._delay
        self.fresh_until = min(self.next_look, self.stale_at)

    def end(self) -> None:
        """The next request looks at the file."""
        self.fresh_until = self.next_look = -math.inf
