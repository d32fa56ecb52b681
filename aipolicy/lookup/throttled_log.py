"""A log with a line when a failure begins and when it ends, instead of one per request."""

import logging
import math
from collections.abc import Callable

from aipolicy.lookup.base import shorten

logger = logging.getLogger("aipolicy.lookup")

_MIN_INTERVAL, _MAX_INTERVAL = 1.0, 60.0
"""Seconds between two lines of a level; the interval doubles while the lines are equal."""


class ThrottledLog:
    """Writes warnings and recoveries, each with the number of lines that were left out before it."""

    def __init__(self, clock: Callable[[], float], logger: logging.Logger = logger) -> None:
        self._clock, self._logger = clock, logger
        self._next = {logging.WARNING: -math.inf, logging.INFO: -math.inf}
        self._interval = {logging.WARNING: _MIN_INTERVAL, logging.INFO: _MIN_INTERVAL}
        self._last = {logging.WARNING: "", logging.INFO: ""}
        self._left_out = {logging.WARNING: 0, logging.INFO: 0}

    def failed(self, message: str, error: BaseException | None = None) -> None:
        """Warn that a failure began, with the traceback of ``error``."""
        self._line(logging.WARNING, message, error)

    def recovered(self, message: str) -> None:
        """Log that a failure is over."""
        self._line(logging.INFO, message, None)

    def _line(self, level: int, message: str, error: BaseException | None) -> None:
        message, now = shorten(message), self._clock()
        if now < self._next[level]:
            self._left_out[level] += 1
            return
        left_out, self._left_out[level] = self._left_out[level], 0
        again = message == self._last[level] and now - self._next[level] < _MAX_INTERVAL
        self._last[level] = message
        self._interval[level] = min(self._interval[level] * 2, _MAX_INTERVAL) if again else _MIN_INTERVAL
        self._next[level] = now + self._interval[level]
        more = f" ({left_out} more like this were left out)" if left_out else ""
        self._logger.log(level, "%s%s", message, more, exc_info=error)
