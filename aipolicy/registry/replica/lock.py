"""One follower a file: who holds it, and how to wait for that."""

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aipolicy.errors import RegistryError

_LOOK = 0.25  # seconds between two tries to get a lock that is waited for


def lock_path(file: Path) -> Path:
    return file.with_name(f"{file.name}.lock")


@contextmanager
def held(
    file: Path, *, wait: bool, stopping: threading.Event, waiting: Callable[[str], None]
) -> Iterator[bool]:
    """Whether ``file`` is ours to write until the end; False only where ``stopping`` was set meanwhile.

    The system gives it back when the process ends, however that happens. Where another has it, RegistryError
    says who; or with ``wait``, ``waiting`` is told once and the turn waited for.
    """
    try:
        descriptor = os.open(lock_path(file), os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        cure = "check the path, and who may write in that directory"
        raise RegistryError(f"'{lock_path(file)}' can't be made ({error.strerror}): {cure}") from None
    try:
        told = False
        while not _locked(descriptor):
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "another one"
            if not wait:
                cure = "one is enough; --wait takes over when that one ends"
                raise RegistryError(f"'{file}' is followed by process {holder} already: {cure}")
            if not told:
                waiting(f"'{file}' is followed by process {holder}: waiting for it to end")
                told = True
            if stopping.wait(_LOOK):
                yield False
                return
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield True
    finally:
        os.close(descriptor)  # not removed: who waits for it has this one open


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
