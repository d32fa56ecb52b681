"""Noticing that an answer doesn't come, for a driver that would wait for it for ever."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOOK = 0.25  # seconds between two looks at the clock


class Patience:
    """Calls ``lost(seconds)``, in a thread of its own, where a block takes longer than it was given.

    One thread from ``begin`` to ``end``: to start one for each block would take longer than most of them do.
    """

    def __init__(self, lost: Callable[[float], None]) -> None:
        self._lost = lost
        self._given: tuple[float, float] | None = None  # until when, and how long that was
        self._over = threading.Event()

    def begin(self) -> None:
        self._over = threading.Event()
        threading.Thread(target=self._watch, args=(self._over,), name="patience", daemon=True).start()

    def end(self) -> None:
        self._over.set()

    @contextmanager
    def of(self, seconds: float) -> Iterator[None]:
        """The time that the block may take. Not within another one."""
        self._given = time.monotonic() + seconds, seconds
        try:
            yield
        finally:
            self._given = None

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(_LOOK):
            given = self._given
            if given is not None and time.monotonic() > given[0]:
                self._given = None
                self._lost(given[1])
