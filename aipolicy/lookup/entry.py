"""What a cached lookup knows of one host."""

import math

from aipolicy.core.render import Rendering


class Entry:
    """The answer for one host, and until when it holds.

    ``expires``      when to load anew.
    ``stale_until``  how long an answer other than an opt-out may stand while loads fail.
    ``delay``        seconds between two tries while loads fail; 0 where the last one succeeded.
    """

    __slots__ = ("delay", "expires", "rendering", "stale_until")

    def __init__(self, rendering: Rendering, expires: float = -math.inf, max_stale: float = 0.0) -> None:
        self.rendering = rendering
        self.expires = expires
        self.stale_until = expires + max_stale
        self.delay = 0.0

    def outdate(self) -> None:
        """It is known to hold no longer; it only says what to fall back on."""
        self.expires = self.stale_until = -math.inf

    def fall_back(self, rendering: Rendering, now: float, delay: float) -> None:
        """Answer with ``rendering`` until the next try."""
        self.rendering = rendering
        self.delay = delay
        self.expires = now + delay
        if now < self.stale_until:  # then there is another choice to make
            self.expires = min(self.expires, self.stale_until)
