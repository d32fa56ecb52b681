"""The caching of an answer: its lifetime in caches, and the caches it passed (RFC 9111)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import http_sf

from aipolicy.report.text import shorten
from aipolicy.siteaudit.observation import FetchResult

DAY = 24 * 3600
"""Seconds for which a crawler may keep a robots.txt (RFC 9309 §2.4)."""

_MOST = 2**31  # seconds; more counts as this (RFC 9111 §1.2.2)
_DIRECTIVE = re.compile(r"([\w-]+)[ \t]*(?:=[ \t]*\"?([^,\"]*)\"?)?")
# Headers that proxies and CDNs add. Age and Via are HTTP's, Cache-Status is RFC 9211's.
TRACES = (
    *("age", "via", "cache-status", "x-cache", "cf-cache-status", "x-varnish", "x-served-by"),
    *("x-cache-status", "x-proxy-cache", "x-vercel-cache", "x-nf-request-id", "x-amz-cf-pop", "cf-ray"),
)
_STATUS = tuple(name for name in TRACES if "cache" in name and name != "cache-status")
# TCP_MEM_HIT and the like are Squid's; TCP_REFRESH_HIT was revalidated.
_KEPT = re.compile(r"(?<![\w-])(?:tcp_(?!refresh_hit)\w*?)?(?:hit|stale|updating)(?![\w-])")


@dataclass(frozen=True, slots=True)
class Caching:
    """The caching headers of an answer.

    Attributes:
        seconds: Seconds for which it stays fresh in a cache, or None if it doesn't say.
        by: The header that says so, like ``Cache-Control: max-age=60``.
        age: Seconds that it has been in caches.
        revalidated: True if a cache can ask if it is still current (ETag, Last-Modified).
        varies: The value of Vary.
        traces: The headers that proxies added.
        is_copy: True if these say that it was served from a cache without revalidation.
    """

    seconds: int | None
    by: str
    age: int
    revalidated: bool
    varies: str
    traces: tuple[str, ...]
    is_copy: bool

    @property
    def text(self) -> str:
        """The lifetime in words."""
        if self.seconds is None:
            lifetime = "no header says how long caches may keep it"
        elif self.seconds == 0:
            lifetime = f"caches must ask for it each time ({self.by})"
        else:
            lifetime = f"caches may keep it for {duration(self.seconds)} ({self.by})"
        return f"{lifetime}; crawlers may keep it for up to 24 hours (RFC 9309 §2.4)"


UNKNOWN = Caching(None, "", 0, False, "", (), False)
"""The caching of an answer without such headers."""


def caching_of(answer: FetchResult) -> Caching:
    """Read the headers; unreadable ones are ignored. Never raises."""
    seconds, by = _lifetime(answer)
    age = _seconds(answer.values("age")[-1]) or 0 if answer.values("age") else 0
    return Caching(
        seconds,
        by,
        age,
        bool(answer.values("etag") or answer.values("last-modified")),
        shorten(answer.header("vary")),
        tuple(shorten(f"{name}: {answer.header(name)}") for name in TRACES if answer.values(name)),
        # Some caches send Age: 0 also with an answer that they just fetched.
        age > 0
        or _says_hit(answer.header("cache-status"))
        or any(_KEPT.search(answer.header(name).lower()) for name in _STATUS),
    )


def _says_hit(status: str) -> bool:
    """Return True if a cache says that it didn't forward the request (RFC 9211 §2.1, §2.2)."""
    if not status:
        return False
    try:
        members: Any = http_sf.parse(status.encode("latin-1"), tltype="list")
    except ValueError:
        return False  # ignored as a whole (RFC 9651 §4.2)
    return any(parameters.get("hit") is True and "fwd" not in parameters for _, parameters in members)


def duration(seconds: int) -> str:
    """Return ``5 minutes``: in the largest unit of which there are two, or exactly one."""
    for size, unit in ((DAY, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= 2 * size or seconds == size:
            number = seconds // size
            return f"{number} {unit}{'s' * (number != 1)}"
    return f"{seconds} seconds"


def _lifetime(answer: FetchResult) -> tuple[int | None, str]:
    directives = {
        name.lower(): value for name, value in _DIRECTIVE.findall(answer.header("cache-control").lower())
    }
    for name in ("no-store", "no-cache"):
        if name in directives:
            return 0, f"Cache-Control: {name}"
    for name in ("s-maxage", "max-age"):
        seconds = _seconds(directives.get(name, ""))
        if seconds is not None:
            return seconds, f"Cache-Control: {name}={seconds}"
    if not answer.values("expires"):
        return None, ""
    expires, sent = _date(answer.header("expires")), _date(answer.header("date"))
    if expires is None or sent is None:  # an invalid date, like 0, has passed (RFC 9111 §5.3)
        return 0, f"Expires: {shorten(answer.header('expires'), 40)}"
    return min(_MOST, max(0, int((expires - sent).total_seconds()))), "Expires"


def _seconds(text: str) -> int | None:
    text = text.strip(" \t")
    if not (text.isascii() and text.isdigit()):
        return None
    return min(int(text[:12]), _MOST)


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
