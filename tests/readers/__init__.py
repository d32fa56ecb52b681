"""Parsers of robots.txt that this project did not write, behind one interface, and their known limits."""

from tests.readers.adapters import GOOGLE_STYLE, ORIGIN, READERS, STDLIB_IS_RFC9309, Reader
from tests.readers.files import FILE_LIMITS, GOOGLE_LINE_LIMIT
from tests.readers.groups import GROUP_LIMITS
from tests.readers.limit import Limit
from tests.readers.rules import RULE_LIMITS

__all__ = [
    "GOOGLE_LINE_LIMIT",
    "GOOGLE_STYLE",
    "KNOWN_LIMITS",
    "ORIGIN",
    "READERS",
    "STDLIB_IS_RFC9309",
    "Limit",
    "Reader",
    "excuse",
]

KNOWN_LIMITS: tuple[Limit, ...] = tuple(
    limit for limit in (*GROUP_LIMITS, *RULE_LIMITS, *FILE_LIMITS) if limit.readers
)
"""The limits of the available readers, each proved by an example in test_limits.py."""


def excuse(reader: Reader, robots_txt: bytes, token: str, path: str) -> Limit | None:
    """The known limit that frees this reader from answering this question as RFC 9309 does, if one does."""
    for limit in KNOWN_LIMITS:
        if reader.name in limit.readers and limit.applies(robots_txt, token, path):
            return limit
    return None
