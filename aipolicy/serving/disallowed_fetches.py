"""Disallowed fetches: the event that reports one, their counters, and their lines in the log."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from aipolicy.core.crawlers import Crawler
from aipolicy.core.policy import SitePolicy
from aipolicy.forks import fork_safe_lock, survive_forks
from aipolicy.serving.shared_cache import SharedCache

if TYPE_CHECKING:
    from aipolicy.identity import Identity

logger = logging.getLogger("aipolicy.serving")

_SECONDS_BETWEEN_LINES = 600.0  # about one crawler on one site
_LINES_A_MINUTE = 60  # about all of them
_REMEMBERED = 8192  # pairs of site and crawler


@dataclass(frozen=True, slots=True)
class DisallowedFetch:
    """A request by a declared crawler for a path that the site's policy closes to it.

    With ``enforce="verified"`` also a request by a client that claims to be a licensed crawler and can't be
    verified.

    Attributes:
        crawler: The crawler that the User-Agent declares.
        policy: The site's policy.
        site: The site's name in the lookup; empty if the request names none.
        host: The ``Host`` header as the client sent it, cut at 256 characters.
        method: The request's method.
        path: Path and query as the client sent them, cut at 2048 characters.
        user_agent: The ``User-Agent`` header as the client sent it, cut at 512 characters.
        refused: True if the request was refused, False if it was only reported.
        time: The time of the request, in UTC.
        client: The client's address, only with ``report_client_address=True``.
        identity: The result of the verification, with ``enforce="verified"``.
        reason: The reason for that result.
    """

    crawler: Crawler
    policy: SitePolicy
    site: str
    host: str
    method: str
    path: str
    user_agent: str
    refused: bool
    time: datetime
    client: str | None = None
    identity: "Identity | None" = None
    reason: str = ""


class FetchCounts:
    """Counters of disallowed fetches by product token and outcome, of one process.

    The number of counters is bounded: product tokens are in the crawler table, and there are four outcomes:
    ``reported`` (monitored only), ``refused`` (403), ``unverified`` (403: a client that isn't the licensed
    crawler that it claims to be) and ``undecided`` (503: not verified yet).
    """

    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self.after_fork()
        survive_forks(self)

    def after_fork(self) -> None:
        """Start at zero: the parent reports its own fetches."""
        self._counts: dict[tuple[str, str], int] = {}

    def add(self, product_token: str, outcome: str) -> None:
        """Count one fetch."""
        with self._lock:
            self._counts[product_token, outcome] = self._counts.get((product_token, outcome), 0) + 1

    def items(self) -> list[tuple[tuple[str, str], int]]:
        """Return pairs of (product token, outcome) and count."""
        with self._lock:
            return sorted(self._counts.items())


class FetchLog:
    """A throttled log of disallowed fetches.

    At most one line per site and crawler in ten minutes, and 60 lines a minute in all.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # The time of the next line, and the number of fetches since the last one.
        self._lines: SharedCache[tuple[str, str], tuple[float, int]] = SharedCache(_REMEMBERED)
        self._minute, self._lines_in_minute = clock(), 0

    def report(self, fetch: DisallowedFetch) -> None:
        """Log a fetch, unless there was a recent line about this crawler and site."""
        key, now = (fetch.site, fetch.crawler.product_token), self._clock()
        due, unlogged = self._lines.get(key) or (now, 0)
        if now < due or not self._has_line(now):
            self._lines[key] = (due, unlogged + 1)
            return
        self._lines[key] = (now + _SECONDS_BETWEEN_LINES, 0)
        more = f" ({unlogged} more fetches since the last line about them)" if unlogged else ""
        logger.warning(
            "disallowed fetch: %s fetched %.200r of site %r, whose policy closes it to that crawler%s",
            fetch.crawler.product_token,
            fetch.path,
            fetch.site,
            more,
        )

    def _has_line(self, now: float) -> bool:
        if now - self._minute >= 60:
            self._minute, self._lines_in_minute = now, 0
        self._lines_in_minute += 1
        return self._lines_in_minute <= _LINES_A_MINUTE
