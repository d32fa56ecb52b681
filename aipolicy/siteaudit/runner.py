"""The audit of many sites: several hosts at once, one request at a time to each, in constant memory."""

import logging
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import anyio
from anyio.to_thread import run_sync

from aipolicy.report.text import printable, shorten
from aipolicy.siteaudit.audit import SiteReport, audit, failed_audit
from aipolicy.siteaudit.collector import Collector
from aipolicy.siteaudit.expectation import Expectation
from aipolicy.siteaudit.observation import Observation
from aipolicy.siteaudit.urls import PageURL
from aipolicy.web.fetcher import USER_AGENT, Fetcher

logger = logging.getLogger("aipolicy.siteaudit")

SECONDS = 10.0
"""Seconds that a server has for one answer."""

Expecting = Callable[[str], Expectation | None]
"""Returns the expectation for a host, or None. Called in a thread, one call at a time for each host."""


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """The options of an audit.

    Attributes:
        crawlers: The product tokens to report; all known ones by default.
        expecting: The source of policies to compare with, if any.
        allow_private: Connect to private and loopback addresses too.
        jobs: Hosts that are audited at once.
        delay: Seconds between two requests to one host.
        seconds: Seconds that a server has for one answer.
    """

    crawlers: tuple[str, ...] = ()
    expecting: Expecting | None = None
    allow_private: bool = False
    jobs: int = 8
    delay: float = 0.2
    seconds: float = field(default=SECONDS, kw_only=True)

    @property
    def tried(self) -> tuple[str, ...]:
        """The crawlers whose User-Agent is tried: at most three, to spare the site."""
        return self.crawlers[:3] or ("GPTBot",)


async def audit_sites(
    pages: Sequence[PageURL], options: AuditOptions, report: Callable[[SiteReport], None]
) -> None:
    """Audit each page and call ``report`` when each is done: in any order, one call at a time."""
    hosts = iter(_by_host(pages))
    async with (
        Fetcher(allow_private=options.allow_private, seconds=options.seconds) as fetcher,
        anyio.create_task_group() as group,
    ):
        for _ in range(options.jobs):
            group.start_soon(_work, hosts, fetcher, options, report)


def _by_host(pages: Sequence[PageURL]) -> Iterator[list[PageURL]]:
    by_host: dict[str, list[PageURL]] = {}
    for page in pages:
        by_host.setdefault(page.host, []).append(page)
    for pages_of_host in by_host.values():
        yield sorted(pages_of_host, key=lambda page: page.origin)  # an origin's files are fetched once


async def _work(
    hosts: Iterator[list[PageURL]],
    fetcher: Fetcher,
    options: AuditOptions,
    report: Callable[[SiteReport], None],
) -> None:
    for pages in hosts:  # an iterator that all workers share
        collector = Collector(fetcher, user_agent=USER_AGENT, tokens=options.tried, delay=options.delay)
        for page in pages:
            observation = await collector.collect(page)
            # In a thread: a large robots.txt takes long, and the time of the other sites is limited.
            report(await run_sync(_audited, page, observation, options))


def _audited(page: PageURL, observation: Observation, options: AuditOptions) -> SiteReport:
    expectation = options.expecting(page.host) if options.expecting else None
    try:
        return audit(observation, expectation=expectation, crawlers=options.crawlers)
    except Exception as error:  # one site must not end the audit of the others
        # Line by line, because the message of an exception may quote what the site sent.
        lines = "".join(traceback.format_exception(error)).splitlines()
        logger.error("%s can't be audited:\n%s", shorten(page.url), "\n".join(map(printable, lines)))
        return failed_audit(observation, expectation, error)
