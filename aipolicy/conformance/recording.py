"""What was seen of a crawler: each request it made, and how it ended."""

from dataclasses import dataclass

from aipolicy.conformance.fixture import START, Answer, Place
from aipolicy.core.paths import normalise


@dataclass(frozen=True, slots=True)
class Fetch:
    """One request. ``at`` and ``done``: seconds since the trap opened when it was read, and answered.

    ``done`` is infinite where the answer was never taken.
    """

    authority: str
    at: float
    done: float
    method: str
    target: str
    user_agent: str
    answer: Answer

    @property
    def key(self) -> tuple[str, str]:
        return self.authority, normalise(self.target)

    @property
    def reads_robots(self) -> bool:
        return is_robots(self.target)


def is_robots(target: str) -> bool:
    return target.partition("?")[0] == "/robots.txt"


@dataclass(frozen=True, slots=True)
class Ending:
    """How the crawler ended: its exit code, or ``stopped`` by us; and the last of its output.

    ``seconds``: until it ended by itself, or was asked to end.
    """

    exit_code: int | None
    stopped: bool
    seconds: float
    output: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """All that a crawler did in one trap.

    ``flooded``: it asked so often that the rest was not kept. ``unreadable``: first lines that it sent which
    are no request, as they came; a few.
    """

    fetches: tuple[Fetch, ...]
    ending: Ending
    flooded: bool = False
    unreadable: tuple[str, ...] = ()

    @property
    def pages(self) -> tuple[Fetch, ...]:
        """The fetches of anything but a robots.txt; ``OPTIONS *`` and the like name no page."""
        return tuple(f for f in self.fetches if not f.reads_robots and f.target.startswith("/"))

    def robots(self, authority: str = START) -> tuple[Fetch, ...]:
        return tuple(f for f in self.fetches if f.reads_robots and f.authority == authority)

    def of(self, place: Place) -> Fetch | None:
        """The first fetch of a page."""
        keys = place.keys
        return next((fetch for fetch in self.fetches if fetch.key in keys), None)
