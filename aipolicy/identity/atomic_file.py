"""A file of which there is always a whole one, whoever is killed while writing it."""

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aipolicy import atomic_file
from aipolicy.errors import RangesError
from aipolicy.file_lock import FileLock

_POLL = 0.1  # seconds between two tries to acquire a lock


def settled(path: Path) -> Path:
    """Where ``path`` leads: the file behind a link is replaced, not the link. Raises RangesError."""
    try:
        found = path.resolve()
        if found.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    except (OSError, ValueError) as error:
        raise _refused(path, error) from None
    return found


def make_directory(path: Path) -> None:
    """Make it where it isn't there, for nobody else, as the XDG specification has it. Raises RangesError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(path, error) from None


@contextmanager
def held(path: Path, waiting: Callable[[str], None]) -> Iterator[None]:
    """Be the only one who writes ``path`` until the end; ``waiting`` is told where another one does.

    The system gives it back when the process ends, however that happens. Raises RangesError.
    """
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        holder = lock.acquire()
        if holder:
            waiting(f"'{path}' is being updated by {holder}: waiting for it to end")
        while holder:
            time.sleep(_POLL)
            holder = lock.acquire()
    except OSError as error:
        raise _refused(lock.path, error) from None
    try:
        yield
    finally:
        lock.release()


def write_whole(path: Path, text: str) -> None:
    """Put ``text`` in the place of what is there, at once, and on the disk. Raises RangesError."""
    try:
        atomic_file.write_text(path, text)
    except OSError as error:
        raise _refused(path, error) from None


def _refused(path: Path, error: OSError | ValueError) -> RangesError:
    fix = "check the path, who may write there, and the room on the disk"
    return RangesError(f"'{path}' can't be written ({getattr(error, 'strerror', None) or error}): {fix}")
