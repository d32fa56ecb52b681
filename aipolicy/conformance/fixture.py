"""What a trap is made of: a site that says what a crawler may fetch, and pages that tell whether it cared."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aipolicy.core.paths import normalise

START = "first"
"""The authority at which a crawl begins."""

CLOSED, CONTROL = "/closed.html", "/control.html"
"""Paths of the pages that most traps need: one that is forbidden, one that nothing speaks of."""

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server sends. ``hangs_up``: nothing, the connection is dropped.

    ``waits`` are seconds after the first answer to /robots.txt before which it isn't sent. ``after`` names an
    authority whose /robots.txt is answered first, if it is asked for at all.
    """

    body: bytes = b""
    status: int = 200
    headers: Headers = ()
    hangs_up: bool = False
    waits: float = 0.0
    after: str = ""


Robots = Callable[[str, float | None], Answer]
"""What /robots.txt answers to a User-Agent, so many seconds after its first answer (None: no answer yet)."""


@dataclass(frozen=True, slots=True)
class Authority:
    """One scheme, host and port: the scope of a robots.txt (RFC 9309 §2.3). ``pages`` by normalised path."""

    robots: Robots
    pages: Mapping[str, Answer] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """A page, as its link spells it.

    ``read_as``: another path that nothing links to, and that only who misreads this link asks for.
    """

    path: str
    authority: str = START
    read_as: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.authority, normalise(self.path)

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """``key``, and that of the misread link."""
        return (self.key, (self.authority, normalise(self.read_as))) if self.read_as else (self.key,)


BEGINNING = Place("/")
"""The page that a crawl begins with: a crawler needs no link to it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a trap is built for: a product token, and ``host:port`` of each of its authorities."""

    token: str
    at: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Trap:
    """Sites, and what a crawler that obeys does there.

    It fetches every one of ``controls`` and of ``free``, and none of ``forbidden``. ``rules`` is the
    robots.txt that governs an authority, however it is reached; ``because`` says why a page is forbidden
    where no rule does.
    """

    authorities: Mapping[str, Authority]
    controls: tuple[Place, ...] = ()
    forbidden: tuple[Place, ...] = ()
    free: tuple[Place, ...] = ()
    rules: Mapping[str, bytes] = field(default_factory=dict)
    because: str = ""
