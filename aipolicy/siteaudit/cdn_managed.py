"""What a CDN or host puts into a robots.txt on its way, where it marks that as its own.

Cloudflare's managed robots.txt stands before the origin's, between comments that say so; hosts have taken
the form over.
"""

import re
from dataclasses import dataclass

from aipolicy.robotstxt.parser import lines_of

_MARK = re.compile(r"#+[ \t]*(BEGIN|END)[ \t]+(.{1,60}?)[ \t]+managed content\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Managed:
    """Lines ``first`` to ``last`` of a file, put there by ``who``."""

    who: str
    first: int
    last: int


def managed_parts(text: str | bytes) -> tuple[Managed, ...]:
    """The parts that are marked; one without its end runs to the end of the file."""
    found: list[Managed] = []
    opened: tuple[str, int] | None = None
    lines = lines_of(text)
    for number, line in enumerate(lines, 1):
        match = _MARK.match(line.strip(" \t"))
        if match is None:
            continue
        if match[1].upper() == "BEGIN" and opened is None:
            opened = match[2], number
        elif match[1].upper() == "END" and opened is not None:
            found.append(Managed(opened[0], opened[1], number))
            opened = None
    return (*found, Managed(opened[0], opened[1], len(lines))) if opened else tuple(found)


def without_managed(text: bytes) -> bytes:
    """The file without those parts: what the site itself serves, as far as can be told."""
    parts = managed_parts(text)
    if not parts:
        return text
    lines = lines_of(text)
    taken = {number for part in parts for number in range(part.first, part.last + 1)}
    kept = "\n".join(line for number, line in enumerate(lines, 1) if number not in taken)
    return kept.lstrip("\n").encode("utf-8", "surrogateescape")
