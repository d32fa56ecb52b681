"""How far a follower is: noted in the replica's file for others, and told in the log."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from aipolicy.registry.replica.file import Note

logger = logging.getLogger("aipolicy.registry")

_REMIND = 60.0  # seconds between two lines about one trouble
_KINDS = 5  # messages told of one outage, however many ways it shows itself in
_TELL = 5.0  # seconds between two lines about a long catch-up


class Standing:
    """``clock`` tells the time to other processes; whether time passed is told by a clock that can't jump."""

    def __init__(self, source: str, path: Path, clock: Callable[[], float]) -> None:
        self._source, self._path, self._clock = source, path, clock
        self._source_seq = self._level_at = 0
        self._level = self._began = time.monotonic()
        self._told = -_REMIND
        self._messages: set[str] = set()
        self.trouble = ""

    def begin(self, seq: int, level_at: int) -> None:
        """A file is opened that has changes up to ``seq``, and was level then."""
        self._source_seq = max(seq, self._source_seq)
        self._level_at = max(level_at, self._level_at)

    def answered(self, source_seq: int) -> None:
        """The registry's latest change is ``source_seq``."""
        self._source_seq = source_seq

    def note(self, *, level: bool) -> Note:
        """For the file: ``level`` says whether all changes are in it with this, and no trouble is left."""
        if level:
            self._level_at = self._now()
        return Note(self._source, self._source_seq, self._level_at, "" if level else self.trouble)

    def filling(self, source_seq: int) -> Note:
        """For a file that is being filled with all changes of now."""
        return Note(self._source, source_seq, self._now())

    def failed(self, message: str) -> None:
        """Something keeps the follower from following: told when it begins, and each minute."""
        now = time.monotonic()
        new = message not in self._messages and len(self._messages) < _KINDS
        if new or now - self._told >= _REMIND:
            self._messages.add(message)
            self._told = now
            logger.warning("%s; the replica is %.1f s behind", message, now - self._level)
        self.trouble = message

    def behind(self, seq: int) -> None:
        """A catch-up goes on; the replica is at ``seq``."""
        now = time.monotonic()
        if now - max(self._level, self._told) >= _TELL:
            self._told = now
            count = self._source_seq - seq
            logger.info("the replica is %d changes and %.1f s behind", count, now - self._level)

    def level(self, seq: int) -> None:
        """All changes are in the file."""
        now = time.monotonic()
        if self.trouble or self._told > self._level:
            logger.info(
                "the replica %s is level again with %s: change %d, after %.1f s",
                self._path,
                self._source,
                seq,
                now - self._level,
            )
        self.trouble, self._level, self._told = "", now, -_REMIND
        self._messages.clear()

    def _now(self) -> int:
        return int(self._clock() * 1e6)
