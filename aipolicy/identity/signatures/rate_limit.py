"""How often something may be done: at most so many times within a while, whoever asks."""

from collections import deque

from cachetools import LRUCache


class Pace:
    """At most ``per_host`` a host and ``overall`` for all, within ``seconds``."""

    def __init__(self, per_host: int, overall: int, seconds: float = 60.0) -> None:
        self._seconds = seconds
        self._per_host, self._overall = per_host, overall
        self._all: deque[float] = deque()
        self._hosts: LRUCache[str, deque[float]] = LRUCache(overall)  # there can't be more within the time

    def allows(self, host: str, now: float) -> bool:
        """Whether one more may be done for ``host`` now; then it counts."""
        times = self._hosts.setdefault(host, deque())
        if self._full(times, self._per_host, now) or self._full(self._all, self._overall, now):
            return False
        times.append(now)
        self._all.append(now)
        return True

    def _full(self, times: deque[float], most: int, now: float) -> bool:
        while times and times[0] <= now - self._seconds:
            times.popleft()
        return len(times) >= most
