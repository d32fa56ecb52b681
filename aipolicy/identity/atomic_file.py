"""A file of which there is always a whole one, whoever is killed while writing it."""

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aipolicy.errors import RangesError


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
    lock = path.with_name(f"{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise _refused(lock, error) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting(f"'{path}' is being updated by another process: waiting for it to end")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # not removed: who waits for it has this one open


def write_whole(path: Path, text: str) -> None:
    """Put ``text`` in the place of what is there, at once, and on the disk. Raises RangesError."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, unfinished)
        unfinished.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise _refused(path, error) from None
    finally:
        unfinished.unlink(missing_ok=True)


def _sync(directory: Path) -> None:
    """Otherwise the new name may not outlive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refused(path: Path, error: OSError | ValueError) -> RangesError:
    fix = "check the path, who may write there, and the room on the disk"
    return RangesError(f"'{path}' can't be written ({getattr(error, 'strerror', None) or error}): {fix}")
