"""What any engine tells of the logs that it read."""

import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Self

from aipolicy.accesslog.formats import LOOKED_AT, LogFormat, fitting, recognise, telling
from aipolicy.errors import LogFormatError

EMPTY = "empty"
"""The format of a log without lines."""

_TELLING = re.compile(rb"#Fields:|\s*[^\s#]")  # neither blank nor any other comment

Advance = Callable[[int, int], None]
"""Hears of octets read from the disk, and of lines evaluated."""


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A log that was read: its name, its format, how many lines, and what to know of these."""

    file: str
    format: str = EMPTY
    lines: int = 0
    notes: tuple[str, ...] = ()

    def read_as(self, form: LogFormat | None, lines: int) -> Self:
        """The same after more lines, of that format."""
        if form is None:
            return replace(self, lines=self.lines + lines)
        return replace(self, format=form.name, notes=form.notes, lines=self.lines + lines)


def form_of(name: str, lines: Iterable[bytes], given: LogFormat | None) -> LogFormat | None:
    """The format of the log that begins with ``lines``; ``given`` says which. Raises LogFormatError where no
    line fits it, or none can have a User-Agent.

    None where there is nothing in them: blank lines and comments.
    """
    some = (line for line in lines if _TELLING.match(line))
    sample = [line.decode("utf-8", "replace") for line in itertools.islice(some, LOOKED_AT)]
    try:
        found = recognise(sample) if given is None else fitting(given, sample)
        return None if found is None else telling(found, sample)
    except LogFormatError as error:
        raise LogFormatError(f"{name!r}: {error}") from None
