"""The key directories of signature agents: fetched with care, and remembered."""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from cachetools import LRUCache

from aipolicy.errors import FetchError
from aipolicy.forks import fork_safe_lock, survive_forks
from aipolicy.identity.background import ending
from aipolicy.identity.signatures.agents import Agents, at_well_known
from aipolicy.identity.signatures.keys import DirectoryError, Key, read_keys
from aipolicy.identity.signatures.rate_limit import Pace
from aipolicy.identity.signatures.verifier import Found
from aipolicy.web.fetcher import Fetcher
from aipolicy.web.response import Response

logger = logging.getLogger("aipolicy.identity")

MEDIA_TYPE = "application/http-message-signatures-directory+json"

_ACCEPT = f"{MEDIA_TYPE}, application/jwk-set+json;q=0.9, application/json;q=0.8"
_OCTETS, _SECONDS = 1 << 17, 5.0
_DIRECTORIES = 256
_AT_ONCE = 8
_FRESH = (60.0, 3600.0, 86_400.0)  # seconds that keys are fresh: at least, where nothing is said, at most
_USED = 7 * 86_400.0  # seconds that keys are used after the directory was last read
_FAILED = 300.0  # seconds until a directory that failed is tried again: the draft's longest
_LACKED = 60.0  # until one that lacked a key is
_MAX_AGE = re.compile(r"(?:^|[, \t])max-age[ \t]*=[ \t]*\"?(\d{1,9})", re.IGNORECASE)
_NOT_KEPT = re.compile(r"(?:^|[, \t])no-(?:store|cache)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Directory:
    """What is known of one directory. Moments are in seconds since 1970.

    ``media_type`` is what it was served as: it should be ``MEDIA_TYPE`` at the well-known URI. ``read`` is
    when it was last read, None: never; ``trouble`` is why it could not be read since, None: it could.
    """

    keys: Mapping[str, Key]
    media_type: str | None
    read: float | None
    fresh_until: float
    again: float
    trouble: str | None


_UNKNOWN = Directory(MappingProxyType({}), None, None, 0.0, 0.0, None)


class Directories:
    """Keys of the directories of ``agents``, or with ``anyone`` of whoever a request names.

    Without ``anyone`` a stranger's URL is never fetched: a server that fetches what its visitors name can be
    sent anywhere. ``fetcher`` makes the client that fetches: https only, no redirect followed, and only
    public addresses, unless it allows others. A directory that can be read without a key takes the key away;
    one that can't be read takes none, and its keys are used for at most a week more. Safe to share between
    threads.
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
        self._fetcher = fetcher or (lambda: Fetcher(seconds=_SECONDS, octets=_OCTETS))
        self._clock = clock
        self._pace = Pace(per_host, overall)
        self._known: LRUCache[str, Directory] = LRUCache(_DIRECTORIES)
        self._lock = fork_safe_lock()
        self.after_fork()
        survive_forks(self)

    def after_fork(self) -> None:
        """Nothing is being read in a child: its parent's event loops are not here."""
        self._flights: dict[str, Future[None]] = {}

    def find(self, directory: str, keyid: str) -> Found:
        """The key of that thumbprint, as far as it is known now; and whether ``fetch`` is due."""
        now = self._clock()
        with self._lock:
            known = self._known.get(directory, _UNKNOWN)
        fetch = self._allowed(directory) and now >= known.again
        key = None
        if known.read is not None and now - known.read < _USED:
            key = known.keys.get(keyid)
        trouble = key.trouble_at(now) if key else None
        if key is None or trouble is not None:
            unread = self._allowed(directory) and (known.read is None or known.trouble is not None)
            return Found(None, fetch, self._reason(directory, keyid, known, trouble), unread)
        return Found(key, fetch and now >= known.fresh_until)

    def known(self, directory: str) -> Directory | None:
        """What is known of a directory, or None."""
        with self._lock:
            return self._known.get(directory)

    async def fetch(self, directory: str) -> None:
        """Read a directory, if that is due and allowed; ``find`` says what came of it. Never raises.

        Whoever asks while it is under way waits for the same answer.
        """
        with self._lock:
            flight = self._flights.get(directory)
            if flight is None and not self._may_start(directory):
                return
            begins = flight is None
            flight = self._flights.setdefault(directory, Future())
        if not begins:
            await asyncio.shield(asyncio.wrap_future(flight))  # one who goes away must not end it for others
            return
        try:
            await self._fetch(directory)
        finally:
            with self._lock:
                del self._flights[directory]
            flight.set_result(None)

    def _allowed(self, directory: str) -> bool:
        return self._anyone or self._agents.knows(directory)

    def _may_start(self, directory: str) -> bool:
        now = self._clock()
        return (
            self._allowed(directory)
            and now >= self._known.get(directory, _UNKNOWN).again
            and len(self._flights) < _AT_ONCE
            and self._pace.allows(urlsplit(directory).netloc, now)
        )

    async def _fetch(self, directory: str) -> None:
        try:
            if not directory.startswith("https://"):
                raise DirectoryError("it is not at an https URL")
            async with self._fetcher() as fetcher:
                response = await fetcher.fetch(directory, headers=[("Accept", _ACCEPT)], octets=_OCTETS)
            keys = _keys(directory, response)
        except (DirectoryError, FetchError) as error:
            self._keep(directory, trouble=getattr(error, "reason", str(error)))
        except Exception as error:  # a fault of ours is an outage, too: it must not be met again at once
            if not ending(error):
                logger.exception("a key directory could not be read: %s", directory)
            self._keep(directory, trouble="a fault here, told in the log")
        else:
            self._keep(directory, keys=keys, response=response)

    def _keep(
        self,
        directory: str,
        *,
        keys: Mapping[str, Key] | None = None,
        response: Response | None = None,
        trouble: str | None = None,
    ) -> None:
        now = self._clock()
        with self._lock:
            if keys is None or response is None:
                was = self._known.get(directory, _UNKNOWN)
                self._known[directory] = Directory(
                    was.keys, was.media_type, was.read, was.fresh_until, now + _FAILED, trouble
                )
            else:
                self._known[directory] = Directory(
                    keys, response.media_type or None, now, now + _freshness(response), now + _LACKED, None
                )

    def _reason(self, directory: str, keyid: str, known: Directory, trouble: str | None) -> str:
        if trouble is not None:
            return f"the key {keyid} of {directory} {trouble}"
        if known.trouble is not None:
            return f"the keys at {directory} can't be read: {known.trouble}"
        if known.read is not None:
            return f"{directory} has no key {keyid}"
        if self._allowed(directory):
            return f"the keys at {directory} are not known yet"
        return f"nobody whose keys are at {directory} is known here"


def _keys(directory: str, response: Response) -> Mapping[str, Key]:
    if response.status != 200:
        raise DirectoryError(f"the answer is {response.status}, and only 200 counts")
    if response.cut:
        raise DirectoryError(f"it is longer than {_OCTETS:,} octets")
    return read_keys(response.body, well_known=at_well_known(directory))


def _freshness(response: Response) -> float:
    shortest, usual, longest = _FRESH
    caching = response.header("cache-control")
    if _NOT_KEPT.search(caching):
        return shortest
    stated = _MAX_AGE.search(caching)
    return min(max(float(stated[1]), shortest), longest) if stated else usual
