"""The lookup of a host application that has its own flag: a callable, asked once in a while."""

import time
from collections.abc import Awaitable, Callable

from cachetools import LRUCache

from aipolicy.core.memo import Memo
from aipolicy.core.policy import SitePolicy
from aipolicy.core.render import Rendering
from aipolicy.core.signals import Signals
from aipolicy.lookup.base import RECENT, STRANGERS, canonical_key, count, default_policy, seconds
from aipolicy.lookup.entry import Entry
from aipolicy.lookup.fallback import Fallback
from aipolicy.lookup.flights import Flight, Flights
from aipolicy.lookup.outage import OutageLog
from aipolicy.lookup.renderer import Renderer
from aipolicy.lookup.status import CountingPeek, LookupStatus, Outcomes

Answer = SitePolicy | bool | None

_MOST_LOADS = 3  # that one request waits for, where each is thrown away by an invalidation
_FIRST_DELAY, _LONGEST_DELAY = 1.0, 60.0


class CachedLookup:
    """host → rendering, from a callable. Raises ValueError or TypeError when made wrong.

        lookup = CachedLookup(load)     # load("blog.example") -> True: opted out

    ``load``         canonical host → SitePolicy, or True (opted out) or False (says nothing), or None for a
                     host that is no site's. Sync (called in a thread) or async.
    ``ttl``          seconds for which an answer is used; ``unknown_ttl``: for which a None is.
    ``maxsize``      sites remembered.
    ``default``      for hosts that are no site's: the name of a preset, or a SitePolicy.
    ``timeout``      seconds that a load may take.
    ``max_stale``    seconds for which an answer other than an opt-out may outlive its ttl while loads fail.
    ``count_hits``   whether ``status()`` tells the hit ratio: counting costs each hit a little.
    ``max_threads``  threads for a sync ``load``; one that hangs is held until it ends.

    While the loads of a host fail, its last good answer is served (or the default), and the next try is after
    1, 2, 4 ... 60 seconds. For one event loop at a time; ``invalidate`` may be called in any thread.
    """

    def __init__(
        self,
        load: Callable[[str], Answer | Awaitable[Answer]],
        *,
        ttl: float = 60.0,
        maxsize: int = 100_000,
        default: str | SitePolicy = "no-training",
        timeout: float = 2.0,
        unknown_ttl: float = 5.0,
        max_stale: float = 3600.0,
        max_threads: int = 16,
        signals: Signals | None = None,
        count_hits: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not callable(load):
            raise TypeError(f"load is {load!r}: give a function of a host that returns its opt-out flag")
        self._ttl = seconds("ttl", ttl)
        self._unknown_ttl = seconds("unknown_ttl", unknown_ttl, zero=True)
        self._max_stale = seconds("max_stale", max_stale, zero=True)
        self._maxsize = count("maxsize", maxsize)
        self._renderer = Renderer(signals)
        self._flights = Flights(
            load,
            self._land,
            self._renderer.answered,
            timeout=seconds("timeout", timeout),
            max_threads=count("max_threads", max_threads),
        )
        self._clock = clock
        self._log = OutageLog(clock)
        self._fallback = Fallback(self._renderer, default_policy(default))
        self.default: Rendering = self._fallback.default
        self._known: LRUCache[bytes, Entry] = LRUCache(maxsize)
        self._recent: Memo[bytes, Entry] = Memo(RECENT)  # some of the known, found in less time
        self._outdated: LRUCache[bytes, Entry] = LRUCache(maxsize)  # what was known before invalidate_all
        # Hosts that are no site's, and those whose every load has failed.
        self._strangers: LRUCache[bytes, Entry] = LRUCache(STRANGERS)
        self._outcomes = Outcomes()
        self._misses = 0
        self._finds = 0
        self._counting = CountingPeek(self._peeking()) if count_hits else None
        self.peek = self._counting or self._peeking()

    def _peeking(self) -> Callable[[bytes], Rendering | None]:
        # A closure: every request calls it, and it has nothing to look up in ``self``.
        recent, clock, remembered = self._recent.get, self._clock, self._remembered

        def peek(host: bytes) -> Rendering | None:
            entry = recent(host) or remembered(host)
            return entry.rendering if entry is not None and clock() < entry.expires else None

        return peek

    def _remembered(self, host: bytes) -> Entry | None:
        known, recent = self._known, self._recent
        try:
            entry = known[host]
        except KeyError:
            return None
        recent.keep(host, entry)
        if known is not self._known:  # all were forgotten just now, in another thread
            recent.clear()
        return entry

    async def find(self, host: bytes) -> Rendering:
        """The answer, loaded where that is due. Raises nothing but the caller's own cancellation."""
        self._finds += 1
        try:
            key = canonical_key(host)
            return self.default if key is None else await self._found(key)
        except Exception as error:
            self._log.began(f"the lookup of {host!r} failed: the default policy is served", error)
            return self.default

    def invalidate(self, host: str) -> None:
        """Forget what is known of ``host``, in any spelling; a load under way is thrown away."""
        key = canonical_key(host)
        if key is not None:
            # In this order: what the load keeps before it learns of this is found by the second step.
            self._flights.throw_away(key)
            self._outdate(key)

    def invalidate_all(self) -> None:
        """Forget what is known of every host."""
        self._flights.throw_all_away()
        self._outdated, self._known = self._known, LRUCache(self._maxsize)
        self._recent.clear()
        self._strangers = LRUCache(STRANGERS)

    def status(self) -> LookupStatus:
        """How it is. In the thread of the event loop."""
        refresh_age, error_age = self._outcomes.ages(self._clock())
        return LookupStatus(
            sites=len(self._known),
            maxsize=self._maxsize,
            strangers=len(self._strangers),
            misses=self._misses,
            seq=None,
            refresh_age=refresh_age,
            trouble=self._outcomes.trouble,
            last_error=self._outcomes.error,
            last_error_age=error_age,
            requests=None if self._counting is None else self._counting.hits + self._finds,
        )

    async def _found(self, key: bytes) -> Rendering:
        for _ in range(_MOST_LOADS):
            entry = self._entry(key)
            if entry is not None and self._clock() < entry.expires:
                return entry.rendering
            rendering = await self._flights.wait(key)
            if rendering is not None:
                return rendering
        entry = self._entry(key)
        return self.default if entry is None else self._fallback.instead(entry.rendering, recent=False)

    def _entry(self, key: bytes) -> Entry | None:
        for cache in (self._known, self._strangers):
            try:
                return cache[key]
            except KeyError:
                continue
        entry = self._outdated.pop(key, None)
        if entry is not None:
            entry.outdate()
            self._known[key] = entry
            self._recent.pop(key, None)
        return entry

    def _outdate(self, key: bytes) -> None:
        # Nothing is taken out of a cache: this may be another thread than the event loop's.
        for cache in (self._known, self._strangers):
            try:
                cache[key].outdate()
            except KeyError:
                continue

    def _land(self, key: bytes, flight: Flight) -> Rendering | None:
        """Keep what a load led to. None: it was thrown away."""
        self._misses += 1
        if flight.thrown_away:
            return None
        try:
            rendering = self._kept(key, flight.result())
        except Exception as error:
            rendering = self._failed(key, error, flight)
        if flight.thrown_away:  # in another thread, just now
            self._outdate(key)
            return None
        return rendering

    def _kept(self, key: bytes, rendering: Rendering | None) -> Rendering:
        before, now = self._entry(key), self._clock()
        self._outcomes.answered(now)
        if before is not None and before.delay:
            self._log.ended(f"load({key.decode()!r}) succeeds again")
        if rendering is None:
            self._known.pop(key, None)
            self._recent.pop(key, None)
            self._strangers[key] = Entry(self.default, now + self._unknown_ttl)
            return self.default
        self._strangers.pop(key, None)
        self._known[key] = Entry(rendering, now + self._ttl, self._max_stale)
        self._recent.pop(key, None)
        return rendering

    def _failed(self, key: bytes, error: Exception, flight: Flight) -> Rendering:
        entry, now = self._entry(key), self._clock()
        self._outcomes.failed(f"{type(error).__name__}: {error}", now)
        if entry is None:
            entry = self._strangers[key] = Entry(self.default)
        rendering = self._fallback.instead(entry.rendering, recent=now < entry.stale_until)
        delay = min(entry.delay * 2 or min(_FIRST_DELAY, self._ttl), _LONGEST_DELAY)
        if not entry.delay:
            served = "the default policy" if rendering is self.default else "its last good answer"
            self._log.began(
                f"load({key.decode()!r}) failed: {type(error).__name__}: {error}; {served} is served, "
                f"and the next try is in {delay:g} s",
                flight.error,
            )
        entry.fall_back(rendering, now, delay)
        return rendering
