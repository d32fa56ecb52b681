"""The status of a follower, which it writes to the replica's file and to the log."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from aipolicy.registry.replica.file import StatusRow

logger = logging.getLogger("aipolicy.registry")

_REMINDER = 60.0  # seconds between two lines about the same failure
_MESSAGES = 5  # different messages logged during one failure
_PROGRESS = 5.0  # seconds between two lines about a long catch-up


class FollowerStatus:
    """The status of a follower.

    Args:
        clock: Returns the time for other processes; durations are measured with a monotonic clock.

    Attributes:
        trouble: Why the follower can't follow; empty if it does.
    """

    def __init__(self, source: str, path: Path, clock: Callable[[], float]) -> None:
        self._source, self._path, self._clock = source, path, clock
        self._source_seq = self._level_at = 0
        self._up_to_date = time.monotonic()
        self._logged = -_REMINDER
        self._messages: set[str] = set()
        self.trouble = ""

    def opened(self, seq: int, level_at: int) -> None:
        """Record that a file with changes up to ``seq`` was opened, which was up to date at ``level_at``."""
        self._source_seq = max(seq, self._source_seq)
        self._level_at = max(level_at, self._level_at)

    def answered(self, source_seq: int) -> None:
        """Record the number of the registry's latest change."""
        self._source_seq = source_seq

    def row(self, *, up_to_date: bool) -> StatusRow:
        """Return the row to write; ``up_to_date`` if the file then has all changes."""
        if up_to_date:
            self._level_at = self._now()
        return StatusRow(self._source, self._source_seq, self._level_at, "" if up_to_date else self.trouble)

    def row_of_copy(self, source_seq: int) -> StatusRow:
        """Return the row for a new copy, which is up to date."""
        return StatusRow(self._source, source_seq, self._now())

    def failed(self, message: str) -> None:
        """Record a failure; it is logged when it begins, and each minute."""
        now = time.monotonic()
        new = message not in self._messages and len(self._messages) < _MESSAGES
        if new or now - self._logged >= _REMINDER:
            self._messages.add(message)
            self._logged = now
            logger.warning("%s; the replica is %.1f s behind", message, now - self._up_to_date)
        self.trouble = message

    def catching_up(self, seq: int) -> None:
        """Record that the replica has changes up to ``seq``, and not all yet."""
        now = time.monotonic()
        if now - max(self._up_to_date, self._logged) >= _PROGRESS:
            self._logged = now
            count = self._source_seq - seq
            logger.info("the replica is %d changes and %.1f s behind", count, now - self._up_to_date)

    def up_to_date(self, seq: int) -> None:
        """Record that the replica has all changes."""
        now = time.monotonic()
        if self.trouble or self._logged > self._up_to_date:
            logger.info(
                "the replica %s is up to date again with %s: change %d, after %.1f s",
                self._path,
                self._source,
                seq,
                now - self._up_to_date,
            )
        self.trouble, self._up_to_date, self._logged = "", now, -_REMINDER
        self._messages.clear()

    def _now(self) -> int:
        return int(self._clock() * 1e6)
