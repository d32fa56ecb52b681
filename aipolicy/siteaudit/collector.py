"""Looking at a site: the requests, one after another, each answer as it is or the trouble that it had.

This is an audit at the request of whoever names the URL: that page, its robots.txt and two well-known files
are fetched, as a browser would, and no link is followed. So robots.txt is read, and not obeyed.
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
from aipolicy.siteaudit.html_signals import MOST_OCTETS
from aipolicy.siteaudit.observation import Answer, Observation, Views
from aipolicy.siteaudit.signal_summary import differs_past_caches
from aipolicy.siteaudit.urls import PageURL
from aipolicy.web.response import Response

REDIRECTS = 5
"""Hops that crawlers follow to a robots.txt (RFC 9309 §2.3.1.2)."""

_TDMREP = "/.well-known/tdmrep.json"
_FILE_OCTETS = 256 * 1024
_AWAY = (FetchTrouble.ADDRESS, FetchTrouble.CONNECT, FetchTrouble.DNS, FetchTrouble.TLS)
_PAST_CACHES = (("Cache-Control", "no-cache"), ("Pragma", "no-cache"))
_BROWSER = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)
# It names both: what looks for the token sees a crawler, and who reads the log sees that it was us.
_CRAWLER = "Mozilla/5.0 (compatible; {token}/1.0; sent by {us})"


class Client(Protocol):
    """What ``aipolicy.web.Fetcher`` does."""

    async def follow(
        self,
        url: str,
        *,
        hops: int = 5,
        headers: Sequence[tuple[str, str]] = (),
        max_bytes: int | None = None,
        partial: bool = False,
    ) -> Response: ...


class Look:
    """Looks at the pages of one host, one request at a time, ``delay`` seconds apart.

    ``tokens`` are the crawlers whose User-Agent is tried, ``user_agent`` is ours. What all pages of an origin
    share is fetched once. The answers around one page have ``seconds`` together, our pauses apart: a server
    that takes all of the client's time for each would hold up the others otherwise.
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
        self._us = user_agent
        self._tokens = tokens
        self._delay = delay
        self._seconds = seconds
        self._left = seconds
        self._asked = 0.0
        self._origin = ""
        self._shared: tuple[Views, Answer, Answer] | None = None

    async def at(self, page: PageURL) -> Observation:
        """Everything around one page. Never raises for what a site does."""
        self._left = self._seconds
        if self._shared is None or self._origin != page.origin:
            robots = await self._views(page.at("/robots.txt"), MAX_ROBOTS_BYTES + 1)
            if _nobody_there(robots.plain, page):
                away = replace(robots.plain, asked=page.url)
                return Observation(page.url, Views(away), robots, away, away)
            tdmrep = await self._get(page.at(_TDMREP), _FILE_OCTETS)
            self._shared = robots, tdmrep, await self._get(page.at("/ai.txt"), _FILE_OCTETS)
            self._origin = page.origin
        robots, tdmrep, ai_txt = self._shared
        views = await self._views(page.url, MOST_OCTETS + 1)
        if await _differs(views):
            views = replace(views, again=await self._get(page.url, MOST_OCTETS + 1, _PAST_CACHES))
        return Observation(page.url, views, robots, tdmrep, ai_txt)

    async def _views(self, url: str, octets: int) -> Views:
        plain = await self._get(url, octets)
        if not plain.status:  # nobody is there: four more times wouldn't be better
            return Views(plain)
        fresh = await self._get(_past_caches(url), octets, _PAST_CACHES)
        crawlers = [
            (token, await self._get(url, octets, self._as(_CRAWLER.format(token=token, us=self._us))))
            for token in self._tokens
        ]
        browser = await self._get(url, octets, self._as(f"{_BROWSER} {self._us}"))
        return Views(plain, fresh, browser, tuple(crawlers))

    def _as(self, user_agent: str) -> tuple[tuple[str, str], ...]:
        return (("User-Agent", user_agent),)

    async def _get(self, url: str, octets: int, headers: Sequence[tuple[str, str]] = ()) -> Answer:
        answer = self._overtime(url)
        if self._left > 0:
            await anyio.sleep(max(0.0, self._asked + self._delay - time.monotonic()))
            start = time.monotonic()
            with anyio.move_on_after(self._left):
                answer = await self._answer(url, octets, headers)
            self._asked = time.monotonic()
            self._left -= self._asked - start
        return answer

    async def _answer(self, url: str, octets: int, headers: Sequence[tuple[str, str]]) -> Answer:
        try:
            got = await self._client.follow(
                url, hops=REDIRECTS, headers=headers, max_bytes=octets, partial=True
            )
            return Answer.of(url, got)
        except FetchError as error:
            return Answer.failed(url, error)

    def _overtime(self, url: str) -> Answer:
        reason = f"the {self._seconds:g} seconds for all answers of this site were over"
        return Answer.failed(url, FetchError(url, FetchTrouble.OVERTIME, reason))


async def _differs(views: Views) -> bool:
    try:
        return await run_sync(differs_past_caches, views)  # in a thread: a large page takes a while
    except Exception:  # a fault of ours: who judges these views meets it again, and tells
        return False


def _nobody_there(answer: Answer, page: PageURL) -> bool:
    """Whether there is no server to ask anything else of."""
    return answer.trouble in _AWAY and answer.url.startswith(page.origin)


def _past_caches(url: str) -> str:
    """The same address with a query that no cache has seen."""
    return f"{url}{'&' if '?' in url else '?'}aipolicy={secrets.token_hex(4)}"
