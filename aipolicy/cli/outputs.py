"""Files that a command writes: whole, or not there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aipolicy.errors import AIPolicyError


@contextmanager
def whole_file(out: str) -> Iterator[Path]:
    """A path to write to, which is ``out`` once that is done: whoever reads it meanwhile has the old one.

    Raises AIPolicyError for what the system refuses.
    """
    target = Path(out)
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        yield unfinished
        unfinished.replace(target)
    except OSError as error:
        cure = "check the path, who may write there, and the room on the disk"
        raise AIPolicyError(f"'{out}': {error.strerror or error}: {cure}") from error
    finally:
        unfinished.unlink(missing_ok=True)
