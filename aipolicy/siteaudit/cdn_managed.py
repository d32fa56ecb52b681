"""The parts of a robots.txt that a CDN or hosting provider added and marked as its own.

Cloudflare puts its managed robots.txt before the origin's, between two comments that name it; hosting
providers use the same form.
"""

import re
from dataclasses import dataclass

from aipolicy.robotstxt.parser import lines_of

_MARK = re.compile(r"#+[ \t]*(BEGIN|END)[ \t]+(.{1,60}?)[ \t]+managed content\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ManagedPart:
    """The lines ``first`` to ``last`` of a file, added by ``operator``."""

    operator: str
    first: int
    last: int


def managed_parts(text: str | bytes) -> tuple[ManagedPart, ...]:
    """Return the marked parts; one without an end mark runs to the end of the file."""
    found: list[ManagedPart] = []
    opened: tuple[str, int] | None = None
    lines = lines_of(text)
    for number, line in enumerate(lines, 1):
        match = _MARK.match(line.strip(" \t"))
        if match is None:
            continue
        if match[1].upper() == "BEGIN" and opened is None:
            opened = match[2], number
        elif match[1].upper() == "END" and opened is not None:
            found.append(ManagedPart(opened[0], opened[1], number))
            opened = None
    return (*found, ManagedPart(opened[0], opened[1], len(lines))) if opened else tuple(found)


def without_managed(text: bytes) -> bytes:
    """Return the file without the marked parts."""
    parts = managed_parts(text)
    if not parts:
        return text
    lines = lines_of(text)
    removed = {number for part in parts for number in range(part.first, part.last + 1)}
    kept = "\n".join(line for number, line in enumerate(lines, 1) if number not in removed)
    return kept.lstrip("\n").encode("utf-8", "surrogateescape")
