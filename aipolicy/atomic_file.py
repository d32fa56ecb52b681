"""Atomic file replacement: a reader sees the old file or the new one, also after a crash."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def unfinished_path(path: Path) -> Path:
    """Return the path, in the same directory, where the next contents of ``path`` are written."""
    return path.with_name(f".{path.name.removeprefix('.')}.unfinished")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; that file replaces ``path`` at the end, or is removed on an error.

    The new file has the permissions of the old one. Raises OSError.
    """
    unfinished = unfinished_path(path)
    try:
        yield unfinished
        with suppress(FileNotFoundError):
            shutil.copymode(path, unfinished)
        move_into_place(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace ``path`` by a file that contains ``text``. Raises OSError."""
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def move_into_place(unfinished: Path, path: Path) -> None:
    """Rename a complete file to ``path``, on the disk too. Raises OSError."""
    sync(unfinished)
    unfinished.replace(path)
    sync(path.parent)  # otherwise the new name may not survive a power failure


def sync(path: Path) -> None:
    """Wait until a file or directory is on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
