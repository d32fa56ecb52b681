"""Files that a command writes: complete, or unchanged on an error."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aipolicy.atomic_file import replacing, unfinished_path
from aipolicy.errors import AIPolicyError


@contextmanager
def output_file(out: str) -> Iterator[Path]:
    """Yield a path to write to; that file replaces ``out`` at the end.

    Raises:
        AIPolicyError: ``out`` can't be written, or is not a file.
    """
    target = _target(out)
    try:
        with replacing(target) as unfinished:
            yield unfinished
    except OSError as error:
        raise _refused(out, error) from error


def require_writable(out: str) -> None:
    """Check that ``out`` can be written, before hours of work.

    Raises:
        AIPolicyError: It can't be written, or is not a file.
    """
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
            raise AIPolicyError(f"'{out}' is not a file; use the path of one")
        unfinished_path(target)
    except (OSError, ValueError) as error:  # no name, or one that is too long
        raise _refused(out, error) from error
    return target


def _refused(out: str, error: OSError | ValueError) -> AIPolicyError:
    fix = "check the path, its permissions and the free space"
    return AIPolicyError(f"'{out}' can't be written ({getattr(error, 'strerror', None) or error}); {fix}")
