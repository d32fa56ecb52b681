"""The recording of a crawl: each request, and the end of the crawler's process."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aipolicy.conformance.fixture import START, PageLink, ServedResponse
from aipolicy.core.paths import normalise


@dataclass(frozen=True, slots=True)
class RecordedFetch:
    """One request.

    Attributes:
        authority: The authority that received it.
        at: Seconds from the start of the server to the request.
        done: Seconds from the start of the server to the end of the response; infinite if it wasn't sent.
        method: The request method.
        target: The path and query.
        user_agent: The User-Agent.
        answer: The response.
    """

    authority: str
    at: float
    done: float
    method: str
    target: str
    user_agent: str
    answer: ServedResponse

    @property
    def key(self) -> tuple[str, str]:
        return self.authority, normalise(self.target)

    @property
    def reads_robots(self) -> bool:
        return is_robots(self.target)


def is_robots(target: str) -> bool:
    return target.partition("?")[0] == "/robots.txt"


@dataclass(frozen=True, slots=True)
class CrawlExit:
    """The end of a crawler's process.

    Attributes:
        exit_code: Its exit code, or None.
        stopped: True if it was stopped after the time limit.
        seconds: Seconds until it ended or was stopped.
        output: The end of its output.
    """

    exit_code: int | None
    stopped: bool
    seconds: float
    output: str = ""


Crawl = Callable[[str], Awaitable[CrawlExit]]
"""Starts the crawler at a URL, and returns when it has ended."""


@dataclass(frozen=True, slots=True)
class Recording:
    """All requests of one crawl.

    Attributes:
        fetches: The requests.
        ending: The end of the process.
        flooded: True if there were too many requests to record.
        unreadable: First lines that are not valid requests, as they were sent; the first few.
    """

    fetches: tuple[RecordedFetch, ...]
    ending: CrawlExit
    flooded: bool = False
    unreadable: tuple[str, ...] = ()

    @property
    def pages(self) -> tuple[RecordedFetch, ...]:
        """The requests for pages: not for a robots.txt, and not ``OPTIONS *``."""
        return tuple(f for f in self.fetches if not f.reads_robots and f.target.startswith("/"))

    def robots(self, authority: str = START) -> tuple[RecordedFetch, ...]:
        """Return the requests for an authority's robots.txt."""
        return tuple(f for f in self.fetches if f.reads_robots and f.authority == authority)

    def fetch_of(self, link: PageLink) -> RecordedFetch | None:
        """Return the first request for a page, or None."""
        return next((fetch for fetch in self.fetches if fetch.key in link.keys), None)
