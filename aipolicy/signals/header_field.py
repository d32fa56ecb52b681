"""A response header that expresses a policy."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto

from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Preferences
from aipolicy.signals.switches import Signals

Header = tuple[bytes, bytes]


class Joining(Enum):
    """The way in which our lines join the application's."""

    SET = auto()
    """The application's lines are replaced."""
    BEFORE = auto()
    """Ours come first, the application's are kept."""
    AFTER = auto()
    """Ours come last, the application's are kept."""


@dataclass(frozen=True, slots=True)
class HeaderField:
    """A field with its values, and the way in which they join the application's.

    Attributes:
        name: The field's name as its specification spells it.
        values: Returns the values for content with the given preferences, one for each line.
        joining: The way in which our lines join the application's.
        combine: Makes one value of our value and the application's lines, if ``joining`` is ``SET``.
        meta_name: The name of the HTML meta tag that says the same; empty if there is none.
    """

    name: str
    values: Callable[[SitePolicy, Preferences, Signals], Iterable[str]]
    joining: Joining = Joining.SET
    combine: Callable[[bytes, list[bytes]], bytes] | None = None
    meta_name: str = ""

    @property
    def key(self) -> bytes:
        """The name in lower case, as ASGI and HTTP/2 want it."""
        return self.name.lower().encode("ascii")


def field_name(name: bytes) -> bytes:
    """Return a field name in the form in which names are compared."""
    return bytes(name).strip(b" \t\r\n").lower()
