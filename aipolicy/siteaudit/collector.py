"""The requests of an audit, one after another.

An audit is made for the person who names the URL: that page, its robots.txt and two well-known files are
fetched, as a browser would do, and no link is followed. So robots.txt is read, but not obeyed.
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import anyio
from anyio.to_thread import run_sync

from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.errors import FetchError, FetchTrouble
from aipolicy.siteaudit.html_signals import MOST_BYTES
from aipolicy.siteaudit.observation import FetchResult, Observation, Views
from aipolicy.siteaudit.signal_summary import differs_past_caches
from aipolicy.siteaudit.urls import PageURL
from aipolicy.web.response import Response

REDIRECTS = 5
"""Redirects that crawlers follow to a robots.txt (RFC 9309 §2.3.1.2)."""

_TDMREP = "/.well-known/tdmrep.json"
_FILE_BYTES = 256 * 1024
_UNREACHABLE = (FetchTrouble.ADDRESS, FetchTrouble.CONNECT, FetchTrouble.DNS, FetchTrouble.TLS)
_PAST_CACHES = (("Cache-Control", "no-cache"), ("Pragma", "no-cache"))
_BROWSER = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)
# Both are named: firewalls look for the token, and people who read the log see that it was aipolicy, as do
# `check logs` and enforce="monitor" (core.user_agent.SITE_AUDIT).
_CRAWLER = "Mozilla/5.0 (compatible; {token}/1.0; sent by {user_agent})"


class Client(Protocol):
    """The part of ``aipolicy.web.Fetcher`` that a collector uses."""

    async def follow(
        self,
        url: str,
        *,
        hops: int = 5,
        headers: Sequence[tuple[str, str]] = (),
        max_bytes: int | None = None,
        partial: bool = False,
    ) -> Response: ...


class Collector:
    """Collects the answers for pages of one host, one request at a time.

    Files that all pages of an origin share are fetched once.

    Args:
        client: The HTTP client.
        user_agent: The User-Agent of aipolicy.
        tokens: The crawlers whose User-Agent is tried.
        delay: Seconds between two requests.
        seconds: Seconds for all answers of one page without the delays, so that a slow server doesn't hold up
            the audit of others.
    """

    def __init__(
        self,
        client: Client,
        *,
        user_agent: str,
        tokens: Sequence[str] = ("GPTBot",),
        delay: float = 0.2,
        seconds: float = 60.0,
    ) -> None:
        self._client = client
        self._user_agent = user_agent
        self._tokens = tokens
        self._delay = delay
        self._seconds = seconds
        self._seconds_left = seconds
        self._last_request = 0.0
        self._origin = ""
        self._shared: tuple[Views, FetchResult, FetchResult] | None = None

    async def collect(self, page: PageURL) -> Observation:
        """Return the answers for one page and its files. Never raises for what a site does."""
        self._seconds_left = self._seconds
        if self._shared is None or self._origin != page.origin:
            robots = await self._views(page.at("/robots.txt"), MAX_ROBOTS_BYTES + 1)
            if _is_unreachable(robots.plain, page):
                failed = replace(robots.plain, asked=page.url)
                return Observation(page.url, Views(failed), robots, failed, failed)
            tdmrep = await self._get(page.at(_TDMREP), _FILE_BYTES)
            self._shared = robots, tdmrep, await self._get(page.at("/ai.txt"), _FILE_BYTES)
            self._origin = page.origin
        robots, tdmrep, ai_txt = self._shared
        views = await self._views(page.url, MOST_BYTES + 1)
        if await _differs(views):
            views = replace(views, again=await self._get(page.url, MOST_BYTES + 1, _PAST_CACHES))
        return Observation(page.url, views, robots, tdmrep, ai_txt)

    async def _views(self, url: str, size: int) -> Views:
        plain = await self._get(url, size)
        if not plain.status:  # more requests would fail too
            return Views(plain)
        fresh = await self._get(_past_caches(url), size, _PAST_CACHES)
        crawlers = [
            (token, await self._get_as(_CRAWLER.format(token=token, user_agent=self._user_agent), url, size))
            for token in self._tokens
        ]
        browser = await self._get_as(f"{_BROWSER} {self._user_agent}", url, size)
        return Views(plain, fresh, browser, tuple(crawlers))

    async def _get_as(self, user_agent: str, url: str, size: int) -> FetchResult:
        return await self._get(url, size, (("User-Agent", user_agent),))

    async def _get(self, url: str, size: int, headers: Sequence[tuple[str, str]] = ()) -> FetchResult:
        answer = self._timed_out(url)
        if self._seconds_left > 0:
            await anyio.sleep(max(0.0, self._last_request + self._delay - time.monotonic()))
            start = time.monotonic()
            with anyio.move_on_after(self._seconds_left):
                answer = await self._answer(url, size, headers)
            self._last_request = time.monotonic()
            self._seconds_left -= self._last_request - start
        return answer

    async def _answer(self, url: str, size: int, headers: Sequence[tuple[str, str]]) -> FetchResult:
        try:
            got = await self._client.follow(
                url, hops=REDIRECTS, headers=headers, max_bytes=size, partial=True
            )
            return FetchResult.of(url, got)
        except FetchError as error:
            return FetchResult.failed(url, error)

    def _timed_out(self, url: str) -> FetchResult:
        reason = f"timed out: all answers of this site have {self._seconds:g} seconds together"
        return FetchResult.failed(url, FetchError(url, FetchTrouble.OVERTIME, reason))


async def _differs(views: Views) -> bool:
    try:
        return await run_sync(differs_past_caches, views)  # in a thread: a large page takes long
    except Exception:  # a bug in aipolicy: the audit of these views meets and reports it
        return False


def _is_unreachable(answer: FetchResult, page: PageURL) -> bool:
    """Return True if no server answers at that address."""
    return answer.trouble in _UNREACHABLE and answer.url.startswith(page.origin)


def _past_caches(url: str) -> str:
    """Return the same address with an unused query."""
    return f"{url}{'&' if '?' in url else '?'}aipolicy={secrets.token_hex(4)}"
