"""How long a local lookup may answer from memory, and when it looks at the file again."""

import math

_LONGEST_DELAY = 1.0  # seconds between two tries to read a file that can't be read: some microseconds each
_UNSEEN = 1.0  # seconds without a look in which a change may have been made that was lost with the file


class Lease:
    """Renewed by every look at the file; one deadline is all that a request compares.

    ``fresh_until``  until when memory may answer unasked.
    ``next_look``    when to look at the file again.
    ``stale_at``     when answers other than opt-outs no longer stand, if looking fails till then.
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
        """The file was read."""
        self._delay = 0.0
        self._lost = False
        self._renewed = now
        self.fresh_until = self.next_look = now + self._refresh
        self.stale_at = self.fresh_until + self._max_stale

    def seen(self, now: float) -> None:
        """All that was committed to the file until now is known, though it is no longer in its place."""
        self._renewed = now

    def put_off(self, now: float, *, lost: bool) -> None:
        """The file can't be read: memory answers until the next try.

        Args:
            now: The time, in seconds.
            lost: The content of the file is lost. Where it was not read shortly before, an opt-out may be
                lost with it, and no permissive answer stands from now on.
        """
        if lost and not self._lost:
            self._lost = True
            if now - self._renewed > _UNSEEN:
                self.stale_at = min(self.stale_at, now)
        self._delay = min(self._delay * 2 or self._refresh, max(_LONGEST_DELAY, self._refresh))
        self.next_look = now + self._delay
        self.fresh_until = min(self.next_look, self.stale_at)

    def end(self) -> None:
        """The next request looks at the file."""
        self.fresh_until = self.next_look = -math.inf
