"""Many sites: several hosts at once, each one request at a time, and no more in memory than is at work."""

import logging
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import anyio
from anyio.to_thread import run_sync

from aipolicy.report.text import printable, shown
from aipolicy.siteaudit.audit import SiteReport, judge, not_judged
from aipolicy.siteaudit.collector import Look
from aipolicy.siteaudit.expectation import Expectation
from aipolicy.siteaudit.observation import Observation
from aipolicy.siteaudit.urls import PageURL
from aipolicy.web.fetcher import USER_AGENT, Fetcher

logger = logging.getLogger("aipolicy.siteaudit")

SECONDS = 10.0
"""Seconds that a server has for one answer."""

Expecting = Callable[[str], Expectation | None]
"""What a host should say; None: nothing is known. Called in a thread, one call at a time for each host."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How sites are looked at. ``crawlers`` are the product tokens to tell about: all known unless given."""

    crawlers: tuple[str, ...] = ()
    expecting: Expecting | None = None
    allow_private: bool = False
    jobs: int = 8
    delay: float = 0.2
    seconds: float = field(default=SECONDS, kw_only=True)

    @property
    def tried(self) -> tuple[str, ...]:
        """The crawlers whose User-Agent is tried: three at most, for a site is not to be hammered."""
        return self.crawlers[:3] or ("GPTBot",)


async def check_sites(pages: Sequence[PageURL], terms: Terms, report: Callable[[SiteReport], None]) -> None:
    """Look at each page and call ``report`` as each is done: in any order, one call at a time."""
    hosts = iter(_by_host(pages))
    async with (
        Fetcher(allow_private=terms.allow_private, seconds=terms.seconds) as fetcher,
        anyio.create_task_group() as group,
    ):
        for _ in range(terms.jobs):
            group.start_soon(_work, hosts, fetcher, terms, report)


def _by_host(pages: Sequence[PageURL]) -> Iterator[list[PageURL]]:
    by_host: dict[str, list[PageURL]] = {}
    for page in pages:
        by_host.setdefault(page.host, []).append(page)
    for of_host in by_host.values():
        yield sorted(of_host, key=lambda page: page.origin)  # an origin's files are fetched once


async def _work(
    hosts: Iterator[list[PageURL]],
    fetcher: Fetcher,
    terms: Terms,
    report: Callable[[SiteReport], None],
) -> None:
    for pages in hosts:  # shared by all: each takes the next host
        look = Look(fetcher, user_agent=USER_AGENT, tokens=terms.tried, delay=terms.delay)
        for page in pages:
            observation = await look.at(page)

            # In a thread: a large robots.txt takes a while, and the other sites' clocks run.
            report(await run_sync(_judged, page, observation, terms))


def _judged(page: PageURL, observation: Observation, terms: Terms) -> SiteReport:
    expectation = terms.expecting(page.host) if terms.expecting else None
    try:
        return judge(observation, expectation=expectation, crawlers=terms.crawlers)
    except Exception as error:  # what one site sent must not end the check of the others
        # Line by line: the message of an exception may have in it what the site sent.
        lines = "".join(traceback.format_exception(error)).splitlines()
        logger.error("%s can't be judged:\n%s", shown(page.url), "\n".join(map(printable, lines)))
        return not_judged(observation, expectation, error)
