"""A response header in which a policy is expressed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto

from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Preferences
from aipolicy.signals.switches import Signals

Header = tuple[bytes, bytes]


class Joining(Enum):
    """The way in which ours joins what the application set already."""

    SET = auto()
    """Theirs is replaced."""
    BEFORE = auto()
    """Ours comes first, theirs is kept."""
    AFTER = auto()
    """Ours comes last, theirs is kept."""


@dataclass(frozen=True, slots=True)
class HeaderField:
    """One field: how its values are written, and how they join the application's.

    Attributes:
        name: The field's name as its specification spells it.
        values: Returns the values for content with the given preferences, one for each line.
        joining: What happens to lines that the application set.
        combine: Makes one value of ours and of the application's lines, where ``joining`` is ``SET``.
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
    """Return a field name as it is compared, however an application wrote it."""
    return bytes(name).strip(b" \t\r\n").lower()
