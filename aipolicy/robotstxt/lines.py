"""A robots.txt line by line as it was written: what RobotsTxt.parse forgets, a linter needs.

The same reading as ``aipolicy.robotstxt.parser`` has: a test holds the two together.
"""

import re
from dataclasses import dataclass
from enum import Enum

from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.robotstxt.parser import DISALLOW, KNOWN, SITE_WIDE, USER_AGENT, lines_of

GOOGLE_LINE_OCTETS = 2083 * 8 - 1
"""Octets of a line that Google's parser keeps."""

_WORDS = re.compile(r"[^ \t]+")


class Kind(Enum):
    """What a line is to a lenient reader."""

    AGENT = "user-agent"
    ALLOW = "allow"
    DISALLOW = "disallow"
    SITE_WIDE = "site-wide"
    OTHER = "other"
    UNREADABLE = "unreadable"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Line:
    """One line. ``name`` and ``value`` as written, ``text`` without its comment; ``number`` from 1."""

    number: int
    kind: Kind
    name: str
    value: str
    text: str
    colon: bool
    empty: bool  # nothing at all: older parsers end a group here

    @property
    def is_rule(self) -> bool:
        return self.kind in (Kind.ALLOW, Kind.DISALLOW)

    def named(self, name: str) -> bool:
        """Field names are case-insensitive."""
        return self.name.lower() == name.lower()


@dataclass(frozen=True, slots=True)
class WrittenGroup:
    """User-agent lines, and the lines up to the next group."""

    agents: tuple[Line, ...]
    body: tuple[Line, ...]

    @property
    def rules(self) -> tuple[Line, ...]:
        return tuple(line for line in self.body if line.is_rule)


@dataclass(frozen=True, slots=True)
class Written:
    """A file: its lines, the lines before any group, and its groups in order."""

    octets: bytes
    lines: tuple[Line, ...]
    preamble: tuple[Line, ...]
    groups: tuple[WrittenGroup, ...]

    @classmethod
    def read(cls, octets: bytes) -> "Written":
        """Read what every crawler reads: the first 500 KiB (RFC 9309 §2.5). Never raises."""
        numbered = enumerate(lines_of(octets[:MAX_ROBOTS_BYTES]), 1)
        lines = tuple(_line(number, line) for number, line in numbered)
        return cls(octets, lines, *_grouped(lines))


def _grouped(lines: tuple[Line, ...]) -> tuple[tuple[Line, ...], tuple[WrittenGroup, ...]]:
    preamble: list[Line] = []
    groups: list[tuple[list[Line], list[Line]]] = []
    in_header = False
    for line in lines:
        if line.kind is Kind.AGENT:
            if not in_header:
                groups.append(([], []))
            groups[-1][0].append(line)
            in_header = True
        else:
            (groups[-1][1] if groups else preamble).append(line)
            in_header = in_header and line.kind in (Kind.SITE_WIDE, Kind.UNREADABLE, Kind.NOTHING)
    return tuple(preamble), tuple(WrittenGroup(tuple(agents), tuple(body)) for agents, body in groups)


def _line(number: int, line: str) -> Line:
    text = line.partition("#")[0].strip(" \t")
    name, colon, value = text.partition(":")
    name = name.strip(" \t")
    if not (colon and name):
        words = _WORDS.findall(text)
        if len(words) == 2 and words[0].lower() in KNOWN:  # Google accepts "Disallow /x"
            return Line(number, _kind(words[0]), words[0], words[1], text, colon=False, empty=False)
        kind = Kind.UNREADABLE if text else Kind.NOTHING
        return Line(number, kind, "", "", text, bool(colon), not line)
    return Line(number, _kind(name), name, value.strip(" \t"), text, colon=True, empty=False)


def _kind(name: str) -> Kind:
    field = name.lower()
    if field in USER_AGENT:
        return Kind.AGENT
    if field == "allow":
        return Kind.ALLOW
    if field in DISALLOW:
        return Kind.DISALLOW
    return Kind.SITE_WIDE if field in SITE_WIDE else Kind.OTHER
