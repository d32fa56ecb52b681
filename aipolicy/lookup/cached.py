"""The lookup of a host application that has its own flag: a callable, asked once in a while."""

import time
from collections.abc import Awaitable, Callable

from cachetools import LRUCache

from aipolicy.core.policy import Preset, SitePolicy
from aipolicy.forks import fork_safe_lock
from aipolicy.lookup.base import (
    MAX_BYTES,
    UNKNOWN_HOSTS,
    canonical_key,
    count,
    default_policy,
    error_text,
    seconds,
)
from aipolicy.lookup.byte_count import Weights
from aipolicy.lookup.entry import Entry
from aipolicy.lookup.fallback import Fallback
from aipolicy.lookup.generational_cache import Generations
from aipolicy.lookup.renderer import LoadResult, Prepared, Renderer, is_large
from aipolicy.lookup.single_flight import CrowdedError, Flight, Flights
from aipolicy.lookup.status import CountingPeek, LookupStatus, SourceHealth
from aipolicy.lookup.throttled_log import OutageLog
from aipolicy.rendering import Rendering
from aipolicy.signals.switches import Signals

_MOST_LOADS = 3  # that one request waits for, where each is thrown away by an invalidation
_FIRST_DELAY, _LONGEST_DELAY = 1.0, 60.0


class CachedLookup:
    """host → rendering, from a callable. Raises ValueError or TypeError when made wrong.

        lookup = CachedLookup(load)     # load("blog.example") -> True: opted out

    ``load``         canonical host → SitePolicy, or True (opted out) or False (says nothing), or None for a
                     host that is no site's. Sync (called in a thread) or async.
    ``ttl``          seconds after which a site's answer is renewed, in the background, while the last one is
                     served for at most as long again: a change is in force within twice the ttl.
    ``unknown_ttl``  seconds for which a None is used.
    ``maxsize``      sites remembered; ``max_bytes``: of memory for their answers, equal ones counted once.
                     Sites with large files of their own are forgotten first, and loaded again when asked for.
    ``default``      for hosts that are no site's: the name of a preset, or a SitePolicy.
    ``timeout``      seconds that a load may take; to render what it returned is not counted.
    ``max_stale``    seconds for which an answer other than an opt-out may outlive its ttl while loads fail.
    ``count_hits``   whether ``status()`` tells the hit ratio: counting costs each hit a little.
    ``max_threads``  threads for a sync ``load``; one that hangs is held until it ends.
    ``max_unknown``  loads that run at once for hosts not known to be sites, sync or async; by default three
                     quarters of ``max_threads``. A few more wait for their turn; beyond that the default is
                     served at once, and the host is loaded when there is room. Known sites never wait behind
                     them.

    A request waits for a load only where the host is not known, was invalidated, or its answer is older than
    twice the ttl. While the loads of a host fail, its last good answer is served (or the default), nobody
    waits, and the next try is after 1, 2, 4 ... 60 seconds. A load that raises SystemExit or the like has
    failed, too.

    Runs under asyncio and trio. Best with one event loop at a time: several in several threads share the
    answers, but each loads for itself. ``invalidate`` may be called in any thread. After a fork the child
    goes on with what was remembered, and threads of its own.
    """

    def __init__(
        self,
        load: Callable[[str], LoadResult | Awaitable[LoadResult]],
        *,
        ttl: float = 60.0,
        maxsize: int = 100_000,
        max_bytes: int = MAX_BYTES,
        default: Preset | SitePolicy = "no-training",
        timeout: float = 2.0,
        unknown_ttl: float = 5.0,
        max_stale: float = 3600.0,
        max_threads: int = 16,
        max_unknown: int | None = None,
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
        self._timeout = seconds("timeout", timeout)
        # The rest is for known sites, which are few at a time: most are renewed while nobody waits.
        share = max(1, count("max_threads", max_threads) * 3 // 4)
        self._lock = fork_safe_lock()  # of the tables here, and of the loads under way
        self._renderer = Renderer(signals)
        self._flights = Flights(
            load,
            self._land,
            is_large=is_large,
            prepare=self._prepare,
            timeout=self._timeout,
            max_threads=max_threads,
            unknown=share if max_unknown is None else count("max_unknown", max_unknown),
            lock=self._lock,
            clock=clock,
        )
        self._clock = clock
        self._log = OutageLog(clock)
        self._fallback = Fallback(self._renderer, default_policy(default))
        self.default: Rendering = self._fallback.default
        self._weights = Weights(count("max_bytes", max_bytes))
        self._known: Generations[Entry] = Generations(
            maxsize,
            weights=self._weights,
            lock=self._lock,
            rendering=lambda entry: entry.rendering,
            shrink=self._smaller,
        )
        # Hosts that are no site's, and those whose every load has failed.
        self._unknown: LRUCache[bytes, Entry] = LRUCache(UNKNOWN_HOSTS)
        self._health = SourceHealth()
        self._misses = self._renewals = self._refused = 0
        self._finds = 0
        self._counting = CountingPeek(self._peeking()) if count_hits else None
        self.peek = self._counting or self._peeking()

    def _peeking(self) -> Callable[[bytes], Rendering | None]:
        # A closure: every request calls it, and it has little to look up in ``self``.
        clock, known = self._clock, self._known

        def peek(host: bytes) -> Rendering | None:
            entry = known.young.get(host) or known.get(host)
            return entry.rendering if entry is not None and clock() < entry.renew_at else None

        return peek

    async def find(self, host: bytes) -> Rendering:
        """The answer, loaded where that is due. Raises nothing but the caller's own cancellation."""
        self._finds += 1
        key = None
        try:
            key = canonical_key(host)
            return self.default if key is None else await self._found(key)
        except Exception as error:
            rendering = self._last_good(key)
            served = "the default policy" if rendering is self.default else "its last good answer"
            self._log.began(f"the lookup of {host!r} failed: {served} is served", error)
            return rendering

    def _last_good(self, key: bytes | None) -> Rendering:
        """Return what is served where a fault of the lookup itself keeps it from answering."""
        with self._lock:
            entry = None if key is None else self._entry(key)[0]
            return self.default if entry is None else self._fallback.instead(entry.rendering, recent=False)

    def invalidate(self, host: str) -> None:
        """Forget what is known of ``host``, in any spelling: the next request waits for a new load.

        One that is under way is thrown away.
        """
        key = canonical_key(host)
        if key is not None:
            # In this order: what the load keeps before it learns of this is found by the second step.
            self._flights.throw_away(key)
            self._outdate(key)

    def invalidate_all(self) -> None:
        """Forget what is known of every host."""
        self._flights.throw_all_away()
        with self._lock:
            for entry in self._known.values():
                entry.outdate()
            self._unknown.clear()

    def status(self) -> LookupStatus:
        """How it is. In the thread of the event loop."""
        refresh_age, error_age = self._health.ages(self._clock())
        return LookupStatus(
            sites=len(self._known),
            maxsize=self._maxsize,
            unknown_hosts=len(self._unknown),
            misses=self._misses,
            seq=None,
            refresh_age=refresh_age,
            error=self._health.error,
            last_error=self._health.last_error,
            last_error_age=error_age,
            requests=None if self._counting is None else self._counting.hits + self._finds,
            memory=self._weights.total,
            loads=len(self._flights),
            renewals=self._renewals,
            refused=self._refused,
        )

    async def _found(self, key: bytes) -> Rendering:
        for _ in range(_MOST_LOADS):
            entry, known = self._entry(key)
            if entry is not None:
                now = self._clock()
                if now < entry.renew_at:
                    return entry.rendering
                if now < entry.expires:
                    return self._renewed(key, entry, now)
            try:
                rendering = await self._flights.wait(key, known=known)
            except CrowdedError:
                self._refused += 1
                return self.default if entry is None else entry.rendering
            if rendering is not None:
                return rendering
        return self._last_good(key)

    def _prepare(self, answer: SitePolicy) -> Prepared:
        """Render a large policy, and what stands in for it, in a thread."""
        prepared = self._renderer.prepare(answer)
        self._fallback.prepare(prepared.rendering)
        return prepared

    def _entry(self, key: bytes) -> tuple[Entry | None, bool]:
        """Return what is remembered of a host, and whether it is known to be a site."""
        entry = self._known.get(key)
        if entry is not None:
            return entry, True
        with self._lock:
            return self._unknown.get(key), False

    def _renewed(self, key: bytes, entry: Entry, now: float) -> Rendering:
        """The answer that stands while it is renewed in the background."""
        with self._lock:
            if now < entry.expires:  # else it was invalidated in another thread, just now
                entry.renew(now, self._timeout)
        self._flights.refresh(key)
        return entry.rendering

    def _outdate(self, key: bytes) -> None:
        with self._lock:
            entry, _ = self._entry(key)
            if entry is not None:
                entry.outdate()

    def _land(self, flight: Flight) -> Rendering | None:
        """Keep what a load led to. None: it was thrown away."""
        with self._lock:
            if flight.waited:
                self._misses += 1
            else:
                self._renewals += 1
            if flight.thrown_away:
                return None
            entry, _ = self._entry(flight.key)
            if entry is not None and entry.number > flight.number:
                return entry.rendering  # another event loop has a newer one
            try:
                rendering = self._kept(flight, entry, self._renderer.answer(flight.result()))
            except Exception as error:
                rendering = self._failed(flight, entry, error)
            if flight.thrown_away:  # in another thread, just now
                self._outdate(flight.key)
                return None
            return rendering

    def _kept(self, flight: Flight, before: Entry | None, rendering: Rendering | None) -> Rendering:
        key, now = flight.key, self._clock()
        self._health.answered(now)
        if before is not None and before.delay:
            self._log.ended(f"load({key.decode()!r}) succeeds again")
        if rendering is None:
            self._known.pop(key)
            entry = self._unknown[key] = Entry(self.default, flight.number)
            entry.renew_at = entry.expires = now + self._unknown_ttl
            return self.default
        self._unknown.pop(key, None)
        entry = Entry(rendering, flight.number)
        entry.answer(now, began=flight.began, ttl=self._ttl, max_stale=self._max_stale)
        self._known.keep(key, entry)
        return rendering

    def _failed(self, flight: Flight, entry: Entry | None, error: Exception) -> Rendering:
        key, now = flight.key, self._clock()
        reason = error_text(error)
        self._health.failed(reason, now)
        known = self._known.get(key) is not None
        if entry is None:
            entry = self._unknown[key] = Entry(self.default)
        rendering = self._fallback.instead(entry.rendering, recent=now < entry.stale_until)
        delay = min(entry.delay * 2 or min(_FIRST_DELAY, self._ttl), _LONGEST_DELAY)
        if not entry.delay:
            served = "the default policy" if rendering is self.default else "its last good answer"
            self._log.began(
                f"load({key.decode()!r}) failed: {reason}; {served} is served, and the next try is in "
                f"{delay:g} s",
                flight.error,
            )
        if rendering is not entry.rendering:
            entry = entry.with_rendering(rendering)
            self._known.keep(key, entry)
        entry.number = flight.number
        entry.fall_back(now, delay, self._ttl if known else 0.0)
        return rendering

    def _smaller(self, key: bytes, entry: Entry) -> Entry | None:
        """Return what is kept of a site for which there is no memory: its *no*, until it is loaded again."""
        smaller = self._fallback.smaller(entry.rendering)
        if smaller is None:
            return None
        return entry.with_rendering(smaller, outdated=True)
