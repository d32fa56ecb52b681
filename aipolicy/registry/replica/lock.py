"""One follower a file: who holds it, and how to wait for that."""

import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path

from aipolicy.errors import RegistryError
from aipolicy.forks import survive_forks

_LOOK = 0.25  # seconds between two tries to get a lock that is waited for
_AGAIN = 0.01  # and where it was deleted just now


class FollowedError(RegistryError):
    """Another process follows into the file."""


class Lock:
    """``FILE.lock``. The system gives it back when the process ends, however that happens."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.path = file.with_name(f"{file.name}.lock")
        self._descriptor: int | None = None
        survive_forks(self)

    def after_fork(self) -> None:
        """Leave it to the parent: a child that kept it open would hold it for longer than that one lives."""
        self.release()

    def is_held(self) -> bool:
        """Whether it is ours, and the one that others meet: deleted, it would keep nobody out."""
        return self._descriptor is not None and self._is_in_place(self._descriptor)

    def take(self, *, wait: bool, stopping: threading.Event, waiting: Callable[[str], None]) -> bool:
        """Make it ours; False only where ``stopping`` was set meanwhile.

        Where another has it, FollowedError says who; or with ``wait``, ``waiting`` is told once and the turn
        waited for. Raises RegistryError where it can't be made.
        """
        self.release()
        told = False
        while not stopping.is_set():
            holder = self._try()
            if holder is None:
                return True
            if holder and not wait:
                fix = "one is enough; --wait takes over when that one ends"
                raise FollowedError(f"'{self._file}' is followed by {holder} already: {fix}")
            if holder and not told:
                waiting(f"'{self._file}' is followed by {holder}: waiting for it to end")
                told = True
            stopping.wait(_LOOK if holder else _AGAIN)
        return False

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)  # not removed: who is just opening it would have it for himself
            self._descriptor = None

    def _try(self) -> str | None:
        """None: it is ours. Else who has it; nobody where it was deleted meanwhile."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            fix = "check the path, and who may write in that directory"
            raise RegistryError(f"'{self.path}' can't be made ({error.strerror}): {fix}") from None
        try:
            if not _locked(descriptor):
                number = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
                return f"process {number}" if number else "another process"
            if not self._is_in_place(descriptor):
                return ""
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            self._descriptor = descriptor
        finally:
            if self._descriptor is None:
                os.close(descriptor)
        return None

    def _is_in_place(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except OSError:
            return False


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
