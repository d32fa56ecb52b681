"""The lookup of an application that has its own opt-out flag, behind a callable."""

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
from aipolicy.lookup.fallback import Fallback
from aipolicy.lookup.freshness import CachedAnswer
from aipolicy.lookup.generational_cache import ByteBudget, GenerationalCache
from aipolicy.lookup.renderer import LoadResult, Prepared, Renderer, is_large
from aipolicy.lookup.single_flight import Flight, RejectedError, SingleFlight
from aipolicy.lookup.status import CountingPeek, LookupStatus, SourceHealth
from aipolicy.lookup.throttled_log import ThrottledLog
from aipolicy.rendering import Rendering
from aipolicy.signals.switches import Signals

_MAX_LOADS = 3  # loads that one request waits for, if each is discarded by an invalidation
_MIN_RETRY_DELAY, _MAX_RETRY_DELAY = 1.0, 60.0  # seconds


class CachedLookup:
    """Looks up the policy of a host with a callable, and caches the answer.

        def load(host):  # such as "blog.example"
            return True  # opted out

        lookup = CachedLookup(load)

    A request waits for a load only if the host is not cached, was invalidated, or its answer is older than
    twice the ttl. While the loads of a host fail, its last good answer is served; if there is none, it is
    opted out, whatever the default is. No request waits, and the next try is after 1, 2, 4 ... 60 seconds.

    Runs under asyncio and trio. Several event loops in several threads share the answers, but each loads for
    itself. After a fork the child keeps the cached answers and starts threads of its own.

    Args:
        load: Called with a canonical host; returns its policy as ``LoadResult`` says: True (opted out), False
            (states nothing), the name of a preset, a SitePolicy, or None for an unknown host. Any other value
            is a failed load, as is an exception. Sync (called in a thread) or async.
        ttl: Seconds after which the answer for a site is renewed in the background. Meanwhile the last one is
            served, for at most as long again: a change is in force within twice the ttl.
        maxsize: Maximum number of cached sites.
        max_bytes: Maximum memory of their answers. Sites with equal policies share it; sites with large
            files of their own are evicted first.
        default: The policy of hosts for which ``load`` returned None: a SitePolicy or the name of a preset.
            Where ``load`` gave no answer and no earlier one is known, the host may be a site that opted out:
            it gets the default without grants and with AI training disallowed.
        timeout: Seconds that a load may take, without the time to render its result.
        unknown_ttl: Seconds for which an unknown host is cached.
        max_stale: Seconds for which an answer other than an opt-out, a None too, is served past its ttl while
            loads fail. An opt-out is served for as long as they fail.
        max_threads: Threads for a sync ``load``. One that hangs holds its thread until it ends.
        max_unknown: Maximum number of simultaneous loads of unknown hosts; by default three quarters of
            ``max_threads``. Some more wait; the others get the default with AI training disallowed at once,
            and are loaded later: after a start these may be your own. Known sites never wait for unknown
            hosts.
        signals: The switches of the signals.
        count_hits: Count hits for the hit ratio in ``status()``, at a small cost per hit.
        clock: Returns the time in seconds; for tests.

    Raises:
        ValueError, TypeError: An argument is invalid.
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
            raise TypeError(
                f"load is {load!r}; use a function that takes a host and returns its opt-out flag"
            )
        self._ttl = seconds("ttl", ttl)
        self._unknown_ttl = seconds("unknown_ttl", unknown_ttl, zero=True)
        self._max_stale = seconds("max_stale", max_stale, zero=True)
        self._maxsize = count("maxsize", maxsize)
        self._timeout = seconds("timeout", timeout)
        # The other threads are for known sites, of which most are renewed in the background.
        share = max(1, count("max_threads", max_threads) * 3 // 4)
        self._lock = fork_safe_lock()  # guards the tables here and in SingleFlight
        self._renderer = Renderer(signals)
        self._flights = SingleFlight(
            load,
            self._land,
            is_large=is_large,
            prepare=self._prepare,
            timeout=self._timeout,
            max_threads=max_threads,
            max_unknown=share if max_unknown is None else count("max_unknown", max_unknown),
            lock=self._lock,
            clock=clock,
        )
        self._clock = clock
        self._log = ThrottledLog(clock)
        self._refusal_log = ThrottledLog(clock)  # apart: random names must not hide a failing load
        self._fallback = Fallback(self._renderer, default_policy(default))
        self.default: Rendering = self._fallback.default
        self.strict_default: Rendering = self._fallback.strict_default
        self._budget = ByteBudget(count("max_bytes", max_bytes))
        self._known: GenerationalCache[CachedAnswer] = GenerationalCache(
            maxsize,
            budget=self._budget,
            lock=self._lock,
            rendering=lambda answer: answer.rendering,
            shrink=self._smaller,
        )
        # Unknown hosts, and those of which every load failed.
        self._unknown: LRUCache[bytes, CachedAnswer] = LRUCache(UNKNOWN_HOSTS)
        self._health = SourceHealth()
        self._misses = self._renewals = self._refused = 0
        self._finds = 0
        self._counting = CountingPeek(self._make_peek()) if count_hits else None
        self.peek = self._counting or self._make_peek()

    def _make_peek(self) -> Callable[[bytes], Rendering | None]:
        # A closure: every request calls it, and closure variables cost less than attributes of ``self``.
        clock, known = self._clock, self._known

        def peek(host: bytes) -> Rendering | None:
            answer = known.young.get(host) or known.get(host)
            return answer.rendering if answer is not None and clock() < answer.renew_at else None

        return peek

    async def find(self, host: bytes) -> Rendering:
        """Return the rendering for a host; load it if it isn't cached. Raises only if it is cancelled."""
        self._finds += 1
        key = None
        try:
            key = canonical_key(host)
            return self.default if key is None else await self._found(key)
        except Exception as error:
            rendering = self._last_good(key)
            served = self._fallback.name(rendering)
            self._log.failed(f"lookup of {host!r} failed; {served} is served", error)
            return rendering

    def _last_good(self, key: bytes | None) -> Rendering:
        """Return the rendering to serve if a fault in aipolicy keeps the lookup from answering."""
        with self._lock:
            answer = None if key is None else self._cached(key)[0]
            return self._fallback.choose(self.default if answer is None else answer.rendering, recent=False)

    def invalidate(self, host: str) -> None:
        """Forget the answer for a host, in any spelling: the next request waits for a new load.

        The result of a running load is discarded. May be called in any thread.
        """
        key = canonical_key(host)
        if key is not None:
            # In this order: an answer that the load stores before it is discarded is expired afterwards.
            self._flights.discard(key)
            self._expire(key)

    def invalidate_all(self) -> None:
        """Forget the answers for all hosts."""
        self._flights.discard_all()
        with self._lock:
            for answer in self._known.values():
                answer.expire()
            self._unknown.clear()

    def status(self) -> LookupStatus:
        """Return the state of the cache and of the loads. Call it in the event loop's thread."""
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
            memory=self._budget.total,
            loads=len(self._flights),
            renewals=self._renewals,
            refused=self._refused,
        )

    async def _found(self, key: bytes) -> Rendering:
        for _ in range(_MAX_LOADS):
            answer, known = self._cached(key)
            if answer is not None:
                now = self._clock()
                if now < answer.renew_at:
                    return answer.rendering
                if now < answer.expires:
                    return self._renew(key, answer, now)
            try:
                rendering = await self._flights.wait(key, known=known)
            except RejectedError:
                return self._rejected(answer)
            if rendering is not None:
                return rendering
        return self._last_good(key)

    def _rejected(self, answer: CachedAnswer | None) -> Rendering:
        """Return what a host gets that isn't loaded now, because too many unknown hosts are."""
        self._refused += 1
        self._refusal_log.failed(
            "too many unknown hosts are being loaded; the others get the strict default until they are loaded"
        )
        if answer is None:
            return self.strict_default
        with self._lock:
            return self._fallback.choose(answer.rendering, recent=self._clock() < answer.stale_until)

    def _prepare(self, policy: SitePolicy) -> Prepared:
        """Render a large policy and its fallback, in a thread."""
        prepared = self._renderer.prepare(policy)
        self._fallback.prepare(prepared.rendering)
        return prepared

    def _cached(self, key: bytes) -> tuple[CachedAnswer | None, bool]:
        """Return the cached answer for a host, valid or not, and True if the host is known to be a site."""
        answer = self._known.get(key)
        if answer is not None:
            return answer, True
        with self._lock:
            return self._unknown.get(key), False

    def _renew(self, key: bytes, answer: CachedAnswer, now: float) -> Rendering:
        """Start to renew an answer in the background; return its rendering."""
        with self._lock:
            if now < answer.expires:  # else another thread invalidated it meanwhile
                answer.renewal_started(now, self._timeout)
        self._flights.refresh(key)
        return answer.rendering

    def _expire(self, key: bytes) -> None:
        with self._lock:
            answer, _ = self._cached(key)
            if answer is not None:
                answer.expire()

    def _land(self, flight: Flight) -> Rendering | None:
        """Store the result of a load and return its rendering, or None if it was discarded."""
        with self._lock:
            if flight.awaited:
                self._misses += 1
            else:
                self._renewals += 1
            if flight.discarded:
                return None
            answer, _ = self._cached(flight.key)
            if answer is not None and answer.number > flight.number:
                return answer.rendering  # another event loop loaded a newer one
            try:
                rendering = self._store(flight, answer, self._renderer.answer(flight.result()))
            except Exception as error:
                rendering = self._failed(flight, answer, error)
            if flight.discarded:  # by another thread meanwhile
                self._expire(flight.key)
                return None
            return rendering

    def _store(self, flight: Flight, before: CachedAnswer | None, rendering: Rendering | None) -> Rendering:
        key, now = flight.key, self._clock()
        self._health.answered(now)
        if before is not None and before.delay:
            self._log.recovered(f"load({key.decode()!r}) succeeded again")
        if rendering is None:
            self._known.pop(key)
            answer = self._unknown[key] = CachedAnswer(self.default, flight.number)
            answer.renew_at = answer.expires = now + self._unknown_ttl
            answer.stale_until = answer.expires + self._max_stale
            return self.default
        self._unknown.pop(key, None)
        answer = CachedAnswer(rendering, flight.number)
        answer.loaded(now, began=flight.began, ttl=self._ttl, max_stale=self._max_stale)
        self._known.put(key, answer)
        return rendering

    def _failed(self, flight: Flight, answer: CachedAnswer | None, error: Exception) -> Rendering:
        key, now = flight.key, self._clock()
        reason = error_text(error)
        self._health.failed(reason, now)
        known = self._known.get(key) is not None
        if answer is None:
            answer = self._unknown[key] = CachedAnswer(self.strict_default)
        rendering = self._fallback.choose(answer.rendering, recent=now < answer.stale_until)
        delay = min(answer.delay * 2 or min(_MIN_RETRY_DELAY, self._ttl), _MAX_RETRY_DELAY)
        if not answer.delay:
            served = self._fallback.name(rendering)
            self._log.failed(
                f"load({key.decode()!r}) failed: {reason}; {served} is served, and the next try is in "
                f"{delay:g} s",
                flight.error,
            )
        if rendering is not answer.rendering:
            answer = answer.with_rendering(rendering)
            if known:
                self._known.put(key, answer)
            else:
                self._unknown[key] = answer
        answer.number = flight.number
        answer.failed(now, delay, self._ttl if known else 0.0)
        return rendering

    def _smaller(self, key: bytes, answer: CachedAnswer) -> CachedAnswer | None:
        """Return a small answer to fall back on for a site that the byte budget evicts."""
        smaller = self._fallback.smaller(answer.rendering)
        return None if smaller is None else answer.with_rendering(smaller, expired=True)
