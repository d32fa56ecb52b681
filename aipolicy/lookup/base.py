"""What a lookup is, and what all of them share: keys, defaults and the checks of their arguments."""

from typing import Protocol

from aipolicy.core.hosts import canonical_host
from aipolicy.core.policy import SitePolicy
from aipolicy.rendering import Rendering

STRANGERS = 4096
"""How many hosts that are no site's are remembered. They live apart, so that they can't evict a site."""

MAX_BYTES = 256 * 1024 * 1024
"""Bytes of memory that the remembered answers of a lookup may take by default."""

_LONGEST_MESSAGE = 1000  # characters


class Lookup(Protocol):
    """host → rendering. ``host`` is the raw value of a Host header."""

    default: Rendering
    """For unknown and malformed hosts. No site's rendering is this object, unless it stands in for it."""

    def peek(self, host: bytes) -> Rendering | None:
        """The answer, if it is at hand: no await, one cache probe with the raw bytes. None: ask ``find``."""

    async def find(self, host: bytes) -> Rendering:
        """The answer. Never raises: what can't be found out is answered safely."""

    def invalidate(self, host: str) -> None:
        """Forget what is known of ``host``, in any spelling: the next request asks anew."""


def canonical_key(host: bytes | str) -> bytes | None:
    """The cache key of a host in any spelling, or None where it is malformed.

    Spellings are never keys themselves: one name has 2^n of them, and strangers choose which they send.
    """
    name = canonical_host(host)
    return None if name is None else name.encode("ascii")


def default_policy(default: object) -> SitePolicy:
    """A preset's name or a policy → the policy of hosts that are no site's. Raises ValueError, TypeError."""
    if isinstance(default, SitePolicy):
        return default.for_site("")
    if isinstance(default, str):
        return SitePolicy.from_preset(default)
    raise TypeError(f"default is {default!r}: give the name of a preset, like 'no-training', or a SitePolicy")


def seconds(name: str, value: object, *, zero: bool = False) -> float:
    """A duration that makes sense, ``zero`` included or not. Raises ValueError, TypeError."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}: give a number of seconds")
    if not (value > 0 or (zero and value == 0)):
        raise ValueError(f"{name} is {value!r}: give seconds, {'0 or more' if zero else 'more than 0'}")
    return value


def count(name: str, value: object) -> int:
    """How many: at least one. Raises ValueError, TypeError."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}: give a whole number")
    if value < 1:
        raise ValueError(f"{name} is {value!r}: give 1 or more")
    return value


def error_text(error: BaseException) -> str:
    """Return the class and message of somebody else's error, cut; without a message that can't be written."""
    name = type(error).__name__
    try:
        return cut(f"{name}: {error}")
    except BaseException as raised:
        return f"{name}, whose message can't be written ({type(raised).__name__})"


def cut(message: str) -> str:
    """Return a message of somebody else's, short enough to be kept and logged."""
    return message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}..."
