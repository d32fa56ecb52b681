"""The type of a known limit."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """One thing some readers are known to answer otherwise than RFC 9309, and when exactly."""

    id: str
    readers: frozenset[str]
    what: str
    why: str
    applies: Callable[[bytes, str, str], bool]
