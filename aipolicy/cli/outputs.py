"""Files that a command writes: whole, or not there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aipolicy.errors import AIPolicyError


@contextmanager
def whole_file(out: str) -> Iterator[Path]:
    """A path to write to, which is ``out`` once that is done: whoever reads it meanwhile has the old one.

    Raises AIPolicyError for what the system refuses, and where something else than a file is there.
    """
    target, unfinished = _paths(out)
    try:
        yield unfinished
        unfinished.replace(target)
    except OSError as error:
        raise _refused(out, error) from error
    finally:
        unfinished.unlink(missing_ok=True)


def require_writable(out: str) -> None:
    """Raises AIPolicyError as ``whole_file`` would: before hours of work, rather than after them."""
    _, unfinished = _paths(out)
    try:
        unfinished.touch()
        unfinished.unlink()
    except OSError as error:
        raise _refused(out, error) from error


def _paths(out: str) -> tuple[Path, Path]:
    target = Path(out)
    try:
        if target.exists() and not target.is_file():  # a device would be replaced, too
            raise AIPolicyError(f"'{out}' is no file: give the path of one")
        return target, target.with_name(f".{target.name}.unfinished")
    except (OSError, ValueError) as error:  # no name, or one that is too long
        raise _refused(out, error) from error


def _refused(out: str, error: OSError | ValueError) -> AIPolicyError:
    fix = "check the path, who may write there, and the room on the disk"
    return AIPolicyError(f"'{out}': {getattr(error, 'strerror', None) or error}: {fix}")
