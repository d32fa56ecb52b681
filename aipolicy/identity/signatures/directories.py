"""The key directories of signature agents: fetched within limits, and cached."""

import asyncio
import logging
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from cachetools import LRUCache

from aipolicy.errors import FetchError
from aipolicy.forks import fork_safe_lock, survive_forks
from aipolicy.identity.background import is_shutdown
from aipolicy.identity.signatures.agents import Agents, at_well_known
from aipolicy.identity.signatures.keys import DirectoryError, Key, read_keys
from aipolicy.identity.signatures.verifier import KeyResult
from aipolicy.identity.stale_cache import StaleCache
from aipolicy.web.fetcher import Fetcher
from aipolicy.web.response import Response

logger = logging.getLogger("aipolicy.identity")

MEDIA_TYPE = "application/http-message-signatures-directory+json"

_ACCEPT = f"{MEDIA_TYPE}, application/jwk-set+json;q=0.9, application/json;q=0.8"
_MAX_BYTES, _SECONDS = 1 << 17, 5.0
_MAX_DIRECTORIES = 256
_MAX_FETCHES = 8  # at a time
_MIN_FRESH, _DEFAULT_FRESH, _MAX_FRESH = 60.0, 3600.0, 86_400.0  # seconds
_USABLE = 7 * 86_400.0  # seconds that keys are used after the directory was last read
_RETRY_FAILED = 300.0  # seconds until a failed directory is fetched again: the longest that the draft allows
_RETRY_MISSING_KEY = 60.0  # seconds until a directory that lacks a key is fetched again
_MAX_AGE = re.compile(r"(?:^|[, \t])max-age[ \t]*=[ \t]*\"?(\d{1,9})", re.IGNORECASE)
_NO_CACHE = re.compile(r"(?:^|[, \t])no-(?:store|cache)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Directory:
    """The state of one directory. Times are in seconds since 1970.

    Attributes:
        keys: The keys of its last successful read, by thumbprint.
        media_type: The Content-Type it was served with; it should be ``MEDIA_TYPE`` at the well-known URI.
        read: The time of its last successful read, or None.
        fresh_until: The time until which no fetch is due for a key that it has.
        error: The reason if the last fetch failed, or None.
    """

    keys: Mapping[str, Key] = field(default_factory=dict)
    media_type: str | None = None
    read: float | None = None
    fresh_until: float = 0.0
    error: str | None = None


class RateLimit:
    """At most ``per_host`` actions for one host and ``overall`` for all hosts within ``seconds``."""

    def __init__(self, per_host: int, overall: int, seconds: float = 60.0) -> None:
        self._seconds = seconds
        self._per_host, self._overall = per_host, overall
        self._all: deque[float] = deque()
        self._hosts: LRUCache[str, deque[float]] = LRUCache(overall)  # no more hosts fit into ``seconds``

    def allows(self, host: str, now: float) -> bool:
        """Return True if one more action is allowed for ``host`` now, and count it."""
        times = self._hosts.setdefault(host, deque())
        if self._is_full(times, self._per_host, now) or self._is_full(self._all, self._overall, now):
            return False
        times.append(now)
        self._all.append(now)
        return True

    def _is_full(self, times: deque[float], limit: int, now: float) -> bool:
        while times and times[0] <= now - self._seconds:
            times.popleft()
        return len(times) >= limit


class Directories:
    """A cache of key directories. Thread-safe.

    A successful fetch that lacks a key withdraws that key. A failed fetch withdraws none: the keys are used
    for up to a week after the last successful read.

    Args:
        agents: The agents whose directories may be fetched; by default those of the crawler table.
        anyone: Also fetch directories of agents that only a request names. A server that does so can be made
            to send requests anywhere, so leave it False there.
        fetcher: Returns the HTTP client; by default one that allows only https and public addresses.
        per_host: Maximum number of fetches from one host in a minute.
        overall: Maximum number of fetches in a minute.
        clock: Returns the time in seconds since 1970.
    """

    def __init__(
        self,
        agents: Agents | None = None,
        *,
        anyone: bool = False,
        fetcher: Callable[[], Fetcher] | None = None,
        per_host: int = 6,
        overall: int = 60,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._agents = Agents() if agents is None else agents
        self._anyone = anyone
        self._fetcher = fetcher or (lambda: Fetcher(seconds=_SECONDS, max_bytes=_MAX_BYTES))
        self._clock = clock
        self._cache: StaleCache[str, Directory] = StaleCache(_MAX_DIRECTORIES, clock)
        self._rate_limit = RateLimit(per_host, overall)
        self._lock = fork_safe_lock()  # of the rate limit and the fetches
        self.after_fork()
        survive_forks(self)

    def after_fork(self) -> None:
        """Forget the fetches of the parent process: its event loops don't exist in the child."""
        self._fetches: dict[str, Future[None]] = {}

    def find(self, directory: str, keyid: str) -> KeyResult:
        """Return the cached key with that thumbprint, and True if a fetch of the directory is due."""
        now = self._clock()
        allowed = self._allowed(directory)
        fetch = allowed and self._cache.is_due(directory)
        cached = self._cache.get(directory)
        known = Directory() if cached is None else cached.value
        key = known.keys.get(keyid) if cached is not None and now < cached.expires_at else None
        problem = key.problem_at(now) if key else None
        if key is None or problem is not None:
            unread = allowed and (known.read is None or known.error is not None)
            return KeyResult(None, fetch, self._reason(directory, keyid, known, problem), unread)
        return KeyResult(key, fetch and now >= known.fresh_until)

    def known(self, directory: str) -> Directory | None:
        """Return the state of a directory that was fetched, or None."""
        cached = self._cache.get(directory)
        return None if cached is None else cached.value

    async def fetch(self, directory: str) -> None:
        """Fetch a directory if that is due and allowed. Never raises; ``find`` returns the outcome.

        Callers that ask during a fetch wait for it.
        """
        due = self._allowed(directory) and self._cache.is_due(directory)
        with self._lock:
            running = self._fetches.get(directory)
            if running is None and not (due and self._may_start(directory)):
                return
            starts = running is None
            running = self._fetches.setdefault(directory, Future())
        if not starts:
            # A cancelled caller must not cancel the fetch for others.
            await asyncio.shield(asyncio.wrap_future(running))
            return
        try:
            if self._cache.is_due(directory):  # unless a fetch ended between the two looks
                await self._fetch(directory)
        finally:
            with self._lock:
                del self._fetches[directory]
            running.set_result(None)

    def _allowed(self, directory: str) -> bool:
        return self._anyone or self._agents.knows(directory)

    def _may_start(self, directory: str) -> bool:
        host = urlsplit(directory).netloc
        return len(self._fetches) < _MAX_FETCHES and self._rate_limit.allows(host, self._clock())

    async def _fetch(self, directory: str) -> None:
        try:
            if not directory.startswith("https://"):
                raise DirectoryError("it is not at an https URL")
            async with self._fetcher() as fetcher:
                response = await fetcher.fetch(directory, headers=[("Accept", _ACCEPT)], max_bytes=_MAX_BYTES)
            keys = _keys(directory, response)
        except (DirectoryError, FetchError) as error:
            self._store_failure(directory, getattr(error, "reason", str(error)))
        except Exception as error:  # a bug must not be repeated on every request either
            if not is_shutdown(error):
                logger.exception("key directory %s can't be read because of an internal error", directory)
            self._store_failure(directory, "internal error; see the log")
        else:
            now = self._clock()
            read = Directory(keys, response.media_type or None, now, now + _freshness(response))
            self._cache.put(directory, read, refresh_after=_RETRY_MISSING_KEY, expire_after=_USABLE)

    def _store_failure(self, directory: str, error: str) -> None:
        cached = self._cache.get(directory)
        known, left = (
            (Directory(), 0.0) if cached is None else (cached.value, cached.expires_at - self._clock())
        )
        failed = replace(known, error=error)
        self._cache.put(directory, failed, refresh_after=_RETRY_FAILED, expire_after=left)

    def _reason(self, directory: str, keyid: str, known: Directory, problem: str | None) -> str:
        if problem is not None:
            return f"key {keyid} of {directory} {problem}"
        if known.error is not None:
            return f"the keys at {directory} can't be read: {known.error}"
        if known.read is not None:
            return f"{directory} has no key {keyid}"
        if self._allowed(directory):
            return f"the keys at {directory} have not been read yet"
        return f"{directory} is not the key directory of a known agent"


def _keys(directory: str, response: Response) -> Mapping[str, Key]:
    if response.status != 200:
        raise DirectoryError(f"the response has status {response.status} instead of 200")
    if response.cut:
        raise DirectoryError(f"it is longer than {_MAX_BYTES:,} bytes")
    return read_keys(response.body, well_known=at_well_known(directory))


def _freshness(response: Response) -> float:
    caching = response.header("cache-control")
    if _NO_CACHE.search(caching):
        return _MIN_FRESH
    stated = _MAX_AGE.search(caching)
    return min(max(float(stated[1]), _MIN_FRESH), _MAX_FRESH) if stated else _DEFAULT_FRESH
