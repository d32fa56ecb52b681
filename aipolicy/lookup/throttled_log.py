"""Failures in the log: told when they begin and when they end, never once a request."""

import logging
import math
from collections.abc import Callable

from aipolicy.lookup.base import shorten

logger = logging.getLogger("aipolicy.lookup")

_APART, _FARTHEST = 1.0, 60.0
"""Seconds between two lines of one level, ever more between equal ones: neither what fails for every host nor
what comes and goes may flood the log."""


class OutageLog:
    """Few warnings and recoveries: each tells how many lines were left out before it."""

    def __init__(self, clock: Callable[[], float], logger: logging.Logger = logger) -> None:
        self._clock, self._logger = clock, logger
        self._next = {logging.WARNING: -math.inf, logging.INFO: -math.inf}
        self._apart = {logging.WARNING: _APART, logging.INFO: _APART}
        self._last = {logging.WARNING: "", logging.INFO: ""}
        self._left_out = {logging.WARNING: 0, logging.INFO: 0}

    def began(self, message: str, error: BaseException | None = None) -> None:
        """A failure began; ``error`` is shown with its traceback."""
        self._line(logging.WARNING, message, error)

    def ended(self, message: str) -> None:
        """A failure is over."""
        self._line(logging.INFO, message, None)

    def _line(self, level: int, message: str, error: BaseException | None) -> None:
        message, now = shorten(message), self._clock()
        if now < self._next[level]:
            self._left_out[level] += 1
            return
        left_out, self._left_out[level] = self._left_out[level], 0
        again = message == self._last[level] and now - self._next[level] < _FARTHEST
        self._last[level] = message
        self._apart[level] = min(self._apart[level] * 2, _FARTHEST) if again else _APART
        self._next[level] = now + self._apart[level]
        more = f" ({left_out} more like this were left out)" if left_out else ""
        self._logger.log(level, "%s%s", message, more, exc_info=error)
