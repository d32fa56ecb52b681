"""The lookup interface, with the cache keys, default policy and argument checks that all lookups share."""

from reprlib import Repr
from typing import Protocol

from aipolicy.core.hosts import canonical_host
from aipolicy.core.policy import Preset, SitePolicy
from aipolicy.lookup.status import LookupStatus
from aipolicy.rendering import Rendering

UNKNOWN_HOSTS = 4096
"""Maximum number of cached unknown hosts. They have a table of their own, so they never evict a site."""

MAX_BYTES = 256 * 1024 * 1024
"""Default maximum memory of a lookup's cached renderings, in bytes."""

_MAX_MESSAGE = 1000  # characters
_repr = Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = 80  # characters


class Lookup(Protocol):
    """Everything that the middleware asks of a lookup. ``host`` is the raw value of a Host header.

    Attributes:
        default: The rendering for malformed hosts, and for hosts that the source doesn't have. The rendering
            of a site is never this very object.
        strict_default: The rendering for hosts of which nothing is known, because the source gave no answer:
            at least as strict as ``no-training``. It may be the same object as ``default``.
    """

    default: Rendering
    strict_default: Rendering

    def peek(self, host: bytes, /) -> Rendering | None:
        """Return the cached rendering without awaiting, or None if ``find`` must be called."""

    async def find(self, host: bytes, /) -> Rendering:
        """Return the rendering for a host. Never raises: a failure is answered with a safe policy."""

    def invalidate(self, host: str) -> None:
        """Forget the answer for a host, in any spelling, so that the next request asks the source."""

    def status(self) -> LookupStatus:
        """Return the state of the cache and of its source, for monitoring."""


def canonical_key(host: bytes | str) -> bytes | None:
    """Return the cache key of a host in any spelling, or None if the host is malformed.

    Spellings are never keys themselves: a name has 2^n of them, and clients choose which they send.
    """
    name = canonical_host(host)
    return None if name is None else name.encode("ascii")


def default_policy(default: Preset | SitePolicy) -> SitePolicy:
    """Return the policy of unknown hosts.

    Raises:
        ValueError, TypeError: It is neither the name of a preset nor a policy.
    """
    if isinstance(default, SitePolicy):
        return default.for_site("")
    if isinstance(default, str):
        return SitePolicy.from_preset(default)
    raise TypeError(f"default is {default!r}; use the name of a preset, like 'no-training', or a SitePolicy")


def seconds(name: str, value: object, *, zero: bool = False) -> float:
    """Return ``value`` if it is a duration above 0, or 0 where ``zero`` allows it.

    Raises:
        ValueError, TypeError: It isn't; the message has the argument's name.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}; use a number of seconds")
    if not (value > 0 or (zero and value == 0)):
        raise ValueError(f"{name} is {value!r}; use {'0 seconds or more' if zero else 'more than 0 seconds'}")
    return value


def count(name: str, value: object) -> int:
    """Return ``value`` if it is a whole number above 0.

    Raises:
        ValueError, TypeError: It isn't; the message has the argument's name.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}; use a whole number")
    if value < 1:
        raise ValueError(f"{name} is {value!r}; use 1 or more")
    return value


def error_text(error: BaseException) -> str:
    """Return the class and the message of an error that foreign code raised, shortened."""
    name = type(error).__name__
    try:
        return shorten(f"{name}: {error}")
    except BaseException as raised:
        return f"{name}, whose message can't be read ({type(raised).__name__})"


def value_text(value: object) -> str:
    """Return a value of foreign code and its type, shortened and escaped for one line of a message."""
    kind = type(value)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    try:
        text = _repr.repr(value)
    except BaseException:
        text = ""
    if not text or text.startswith(f"<{kind.__name__} instance at "):  # what reprlib has where repr raises
        text = f"<{kind.__name__}>"
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return f"{text} ({module}{kind.__qualname__})"


def shorten(message: str) -> str:
    """Return at most 1,000 characters of a message."""
    return message if len(message) <= _MAX_MESSAGE else f"{message[:_MAX_MESSAGE]}..."
