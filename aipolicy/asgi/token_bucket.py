"""A token bucket."""


class TokenBucket:
    """A rate limit that allows ``burst`` actions at once, and ``rate`` more a second."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._counted_at = burst, now

    def take(self, now: float) -> bool:
        """Return True if one more action is allowed at ``now``, in seconds that only grow, and count it."""
        tokens = self._tokens + (now - self._counted_at) * self._rate
        self._tokens, self._counted_at = min(tokens, self._burst), now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
