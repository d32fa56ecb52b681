"""A lock that one process holds at a time, in a file that has the number of that process."""

import errno
import os
from pathlib import Path

import filelock


class FileLock:
    """A non-blocking lock on the file ``path``, which is created and never removed.

    The system releases it when the process ends, however that happens. A child process doesn't inherit it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._new()

    def _new(self) -> None:
        self._lock = filelock.FileLock(
            self.path,
            mode=0o644,
            blocking=False,
            thread_local=False,
            preserve_lock_file=True,  # a process may be waiting for this very file
            on_acquired=self._on_acquired,
        )
        self._process = os.getpid()
        self._file: os.stat_result | None = None

    def acquire(self) -> str | None:
        """Try to acquire the lock; return None on success, else the holder, like ``process 17``.

        Raises:
            OSError: The file can't be created.
        """
        if self._process != os.getpid():  # filelock refuses to reuse one of the parent's
            self._new()
        if not self.path.parent.is_dir():  # filelock would create it
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path.parent))
        self.release()
        while not self.is_held():  # again where the file was deleted meanwhile
            try:
                self._lock.acquire()
            except filelock.Timeout:
                if self.path.exists():
                    return self._holder()
        return None

    def release(self) -> None:
        """Release the lock if it is held."""
        if self._process == os.getpid():
            self._lock.release(force=True)
        self._file = None

    def is_held(self) -> bool:
        """Return True if this process holds the lock, and its file is still in place.

        A lock whose file was deleted excludes nobody.
        """
        if self._file is None or self._process != os.getpid():
            return False
        try:
            return os.path.samestat(self._file, self.path.stat())
        except OSError:
            return False

    def _on_acquired(self, descriptor: int) -> None:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._file = os.fstat(descriptor)

    def _holder(self) -> str:
        try:
            number = self.path.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            number = ""
        return f"process {number}" if number else "another process"
