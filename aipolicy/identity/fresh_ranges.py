"""The lists in force, while they are refreshed: for servers, which run longer than lists hold."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from aipolicy.errors import RangesError
from aipolicy.forks import fork_safe_lock
from aipolicy.identity.operator_lists import Ranges
from aipolicy.identity.ranges_file import kept_path, ranges_in_force

logger = logging.getLogger("aipolicy.identity")

_LOOK = 60.0  # seconds between two looks at the file


class FreshRanges:
    """``ranges`` are the lists in force; ``again`` those of a file that was replaced, or made, since.

    A file that can't be read then is told in the log, once, and the last good lists stay. Raises RangesError
    where one can't be read at the beginning.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._path = kept_path()
        self._seen = _version(self._path)
        self._due_at = clock() + _LOOK
        self._lock = fork_safe_lock()
        self.ranges: Ranges = ranges_in_force()[0]

    @property
    def due(self) -> bool:
        """Whether it is time for ``again``: cheap enough to be asked for each request."""
        return self._clock() >= self._due_at

    def again(self) -> Ranges | None:
        """Other lists than before, or None. Reads a file: not for the request path."""
        with self._lock:
            self._due_at = self._clock() + _LOOK
            version = _version(self._path)
            if version == self._seen or version is None:
                return None
            self._seen = version
            try:
                self.ranges = ranges_in_force()[0]
            except RangesError as error:
                logger.error("the lists of addresses stay as they were: %s", error)
                return None
            return self.ranges


def _version(path: Path) -> tuple[int, int, int] | None:
    """Of the file that is there; None: there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
