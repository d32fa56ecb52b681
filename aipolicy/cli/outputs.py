"""Files that a command writes: whole, or not there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aipolicy.atomic_file import replacing, unfinished_path
from aipolicy.errors import AIPolicyError


@contextmanager
def whole_file(out: str) -> Iterator[Path]:
    """A path to write to, which is ``out`` once that is done: whoever reads it meanwhile has the old one.

    Raises AIPolicyError for what the system refuses, and where something else than a file is there.
    """
    target = _target(out)
    try:
        with replacing(target) as unfinished:
            yield unfinished
    except OSError as error:
        raise _refused(out, error) from error


def require_writable(out: str) -> None:
    """Raises AIPolicyError as ``whole_file`` would: before hours of work, rather than after them."""
    unfinished = unfinished_path(_target(out))
    try:
        unfinished.touch()
        unfinished.unlink()
    except OSError as error:
        raise _refused(out, error) from error


def _target(out: str) -> Path:
    target = Path(out)
    try:
        if target.exists() and not target.is_file():  # a device would be replaced, too
            raise AIPolicyError(f"'{out}' is no file: give the path of one")
        unfinished_path(target)
    except (OSError, ValueError) as error:  # no name, or one that is too long
        raise _refused(out, error) from error
    return target


def _refused(out: str, error: OSError | ValueError) -> AIPolicyError:
    fix = "check the path, who may write there, and the room on the disk"
    return AIPolicyError(f"'{out}': {getattr(error, 'strerror', None) or error}: {fix}")
