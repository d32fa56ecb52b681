"""The lookup of a registry: its SQLite file, or a replica on this machine, read in-process."""

import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress

from cachetools import LRUCache

from aipolicy.core.checkpoint import Checkpoint
from aipolicy.core.policy import Preset, SitePolicy
from aipolicy.errors import RegistryError
from aipolicy.forks import fork_safe_lock, survive_forks
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
from aipolicy.lookup.freshness import Lease
from aipolicy.lookup.generational_cache import ByteBudget, GenerationalCache
from aipolicy.lookup.registry_file import (
    CopyError,
    RegistryFile,
    check_made_by_follower,
    is_temporary,
    reason_of,
    registry_path,
    report_damage,
)
from aipolicy.lookup.renderer import LARGE, Renderer, in_background
from aipolicy.lookup.status import CountingPeek, LookupStatus, ReplicaStatus, SourceHealth
from aipolicy.lookup.throttled_log import ThrottledLog
from aipolicy.rendering import Rendering
from aipolicy.signals.switches import Signals

_MAX_INVALIDATED = 1000  # invalidated hosts since the last request; if there are more, all hosts are


class _LargePolicyError(Exception):
    """A policy must be rendered in a thread first, because it is large."""

    def __init__(self, text: bytes) -> None:
        super().__init__(f"a policy of {len(text)} bytes")
        self.text = text


class LocalLookup:
    """Looks up the policy of a host in a registry's SQLite file or in a replica of it.

        lookup = LocalLookup("sqlite:///aipolicy.db")

    It reads the file in the event loop, of asyncio or trio, so the file should be on a local disk. Several
    event loops in several threads may share one lookup; they take turns to read. After a fork the child keeps
    the cached answers and opens the file for itself.

    Args:
        registry: A ``sqlite:///`` URL or a path. The file may be created later, disappear and come back.
        refresh: Seconds within which a change is in force.
        maxsize: Maximum number of cached sites.
        max_bytes: Maximum memory of their answers. Sites with equal policies share it; sites with large
            files of their own are evicted first.
        default: The policy of hosts that the registry doesn't have: a SitePolicy or the name of a preset.
            While the file can't be read, a host of which nothing is known may be a site that opted out: it
            gets the default without grants and with AI training disallowed.
        max_stale: Seconds for which answers other than opt-outs are served while the file can't be read. They
            aren't served if the file's content is lost and was last read more than a second before.
        signals: The switches of the signals.
        count_hits: Count hits for the hit ratio in ``status()``, at a small cost per hit.
        clock: Returns the time in seconds; for tests.

    Raises:
        ValueError, TypeError: An argument is invalid.
    """

    def __init__(
        self,
        registry: str | os.PathLike[str],
        *,
        refresh: float = 0.1,
        maxsize: int = 100_000,
        max_bytes: int = MAX_BYTES,
        default: Preset | SitePolicy = "no-training",
        max_stale: float = 3600.0,
        signals: Signals | None = None,
        count_hits: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = registry_path(registry)
        self._lease = Lease(seconds("refresh", refresh), seconds("max_stale", max_stale, zero=True))
        self._maxsize = count("maxsize", maxsize)
        self._clock = clock
        self._log = ThrottledLog(clock)
        self._renderer = Renderer(signals)
        self._fallback = Fallback(self._renderer, default_policy(default))
        self.default: Rendering = self._fallback.default
        self.strict_default: Rendering = self._fallback.strict_default
        # Guards everything below and the connection, so that no thread reads during a fork.
        self._lock = fork_safe_lock()
        self._budget = ByteBudget(count("max_bytes", max_bytes))
        self._known: GenerationalCache[Rendering] = self._make_cache(self._evicted)
        # Answers to fall back on: of sites that changed and were not read since, or that were evicted.
        self._outdated: GenerationalCache[Rendering] = self._make_cache(self._smaller)
        self._unknown: LRUCache[bytes, None] = LRUCache(UNKNOWN_HOSTS)
        self._invalidated: deque[bytes] = deque(maxlen=_MAX_INVALIDATED)
        self._file: RegistryFile | None = None
        self._source: object = None  # the file and the registry that the answers were read from
        self._followed = False  # the file is a replica that its follower made
        self._last = Checkpoint()  # the last change that the answers include
        self._ready: dict[bytes, Rendering | Exception] = {}  # large policies rendered for the current find
        self._health = SourceHealth()
        self._misses = 0
        self._finds = 0
        self._counting = CountingPeek(self._make_peek()) if count_hits else None
        self.peek = self._counting or self._make_peek()
        self._follow(clock())
        survive_forks(self)

    def _make_cache(
        self, shrink: Callable[[bytes, Rendering], Rendering | None]
    ) -> GenerationalCache[Rendering]:
        return GenerationalCache(
            self._maxsize,
            budget=self._budget,
            lock=self._lock,
            rendering=lambda rendering: rendering,
            shrink=shrink,
        )

    @property
    def seq(self) -> int:
        """Number of the last change that is in force here; 0 before the file was read."""
        return self._last.seq

    def _make_peek(self) -> Callable[[bytes], Rendering | None]:
        # A closure: every request calls it, and closure variables cost less than attributes of ``self``.
        clock, lease, known = self._clock, self._lease, self._known

        def peek(host: bytes) -> Rendering | None:
            if clock() < lease.fresh_until:
                return known.young.get(host) or known.get(host)
            return None

        return peek

    async def find(self, host: bytes) -> Rendering:
        """Return the rendering for a host; read the file if that is due. Never raises.

        Only the rendering of a large policy is awaited.
        """
        self._finds += 1
        key = None
        try:
            key = canonical_key(host)
            if key is None:
                return self.default
            ready: dict[bytes, Rendering | Exception] = {}
            while True:
                try:
                    with self._lock:
                        self._ready = ready
                        return self._found(key)
                except _LargePolicyError as large:
                    text = large.text
                try:
                    ready = {text: await in_background(self._read_large, text)}
                except Exception as error:
                    ready = {text: error}
        except Exception as error:
            rendering = self._last_good(key)
            served = self._fallback.name(rendering)
            self._log.failed(f"lookup of {host!r} failed; {served} is served", error)
            return rendering

    def _read_large(self, text: bytes) -> Rendering:
        """Render a large policy and its fallback, in a thread."""
        rendering = self._renderer.read_large(text)
        self._fallback.prepare(rendering)
        return rendering

    def _last_good(self, key: bytes | None) -> Rendering:
        """Return the rendering to serve if a fault in aipolicy keeps the lookup from answering."""
        with self._lock:
            last = None if key is None else self._known.get(key) or self._outdated.get(key)
            return self._fallback.choose(last or self.default, recent=False)

    def invalidate(self, host: str) -> None:
        """Make the next request of a host, in any spelling, read the file. May be called in any thread."""
        key = canonical_key(host)
        if key is not None:
            self._invalidated.append(key)
            self._lease.end()

    def status(self) -> LookupStatus:
        """Return the state of the cache and of the file. Call it in the event loop's thread."""
        refresh_age, error_age = self._health.ages(self._clock())
        return LookupStatus(
            sites=len(self._known),
            maxsize=self._maxsize,
            unknown_hosts=len(self._unknown),
            misses=self._misses,
            seq=self.seq,
            refresh_age=refresh_age,
            error=self._health.error,
            last_error=self._health.last_error,
            last_error_age=error_age,
            requests=None if self._counting is None else self._counting.hits + self._finds,
            replica=self._replica(),
            memory=self._budget.total,
        )

    def _replica(self) -> ReplicaStatus | None:
        with self._lock:
            return None if self._file is None else self._file.replica()

    def close(self) -> None:
        """Close the file; the next request opens it again."""
        with self._lock:
            self._lease.end()
            if self._file is not None:
                self._file.close()
                self._file = None

    def after_fork(self) -> None:
        """Close the parent's connection: another one would share its locks."""
        self.close()

    def _found(self, key: bytes) -> Rendering:
        now = self._clock()
        if now >= self._lease.next_look:
            self._follow(now)
        rendering = self._known.get(key)
        if rendering is None:
            return self._missed(key, now)
        return self._served(rendering, now)

    def _missed(self, key: bytes, now: float) -> Rendering:
        if key in self._unknown:
            self._unknown[key] = None  # marks it as used
            return self._served(self.default, now)
        self._misses += 1
        if self._file is not None:  # it may be deleted and still open
            try:
                text = self._file.policy(key.decode())
                if text is not None and len(text) > LARGE and text not in self._ready:
                    raise _LargePolicyError(text)
                rendering = self._store(key, text)
            except sqlite3.Error as error:
                self._failed(error, now)
            else:
                return self._served(rendering, now)
        return self._fallback.choose(self._outdated.get(key) or self.default, recent=False)

    def _served(self, rendering: Rendering, now: float) -> Rendering:
        """Return a rendering that was read, or its fallback if the file can't be read for too long."""
        recent = not self._health.error or now < self._lease.stale_at
        return self._fallback.choose(rendering, recent=recent)

    def _store(self, key: bytes, text: bytes | None) -> Rendering:
        last = self._outdated.pop(key) or self.default
        if text is None:
            self._unknown[key] = None
            return self.default
        try:
            ready = self._ready.get(text)
            if isinstance(ready, Exception):
                raise ready
            rendering = ready or self._renderer.read(text)
        except Exception as error:  # an invalid policy must affect only its own site
            rendering = self._fallback.choose(last, recent=False)
            served = self._fallback.name(rendering)
            self._log.failed(
                f"policy of {key.decode()!r} in {self._path} is invalid: "
                f"{error_text(error)}; {served} is served until the policy changes"
            )
        self._known.put(key, rendering)
        return rendering

    def _follow(self, now: float) -> None:
        """Forget the sites that changed since the last look at the file, and renew the lease."""
        if len(self._invalidated) == _MAX_INVALIDATED:  # some may have been lost
            self._invalidated.clear()
            self._drop_all()
        while self._invalidated:
            self._drop([self._invalidated.popleft()])
        try:
            self._catch_up(now)
        except (OSError, sqlite3.Error, RegistryError) as error:
            self._failed(error, now)
        else:
            if self._health.error:
                self._log.recovered(f"registry {self._path} can be read again")
            self._health.answered(now)
            self._lease.renew(now)
        if self._invalidated:  # by another thread meanwhile
            self._lease.end()

    def _catch_up(self, now: float) -> None:
        file = self._file
        if file is None or not self._is_in_place(file, now):
            if self._followed:
                check_made_by_follower(self._path)
            # Before the next is opened: closing it later would drop the locks of that one on the same log.
            self.close()
            self._file = file = RegistryFile(self._path)
        self._drop_changed(file)

    def _is_in_place(self, file: RegistryFile, now: float) -> bool:
        """Return True if the open file is the one at its path.

        If it was deleted or replaced, the changes that were committed to it are read first: the file that
        takes its place may come late, be older or be damaged.
        """
        try:
            if file.is_in_place():
                return True
        except OSError:
            if file.is_readable():
                self._read_changed(file, now)
            raise
        if file.is_readable():
            with suppress(sqlite3.Error, RegistryError):  # it was damaged before it was replaced
                self._read_changed(file, now)
        return False

    def _read_changed(self, file: RegistryFile, now: float) -> None:
        for key in self._drop_changed(file):
            self._store(key, file.policy(key.decode()))
        self._lease.read_before_replacement(now)

    def _drop_changed(self, file: RegistryFile) -> list[bytes]:
        """Forget the sites that changed since the last look; return those hosts that were cached."""
        registry, last = file.state()
        self._followed = file.followed
        source = (file.identity[:2], registry)  # without the process: a child keeps its parent's answers
        changed = file.changed(self._last, last) if source == self._source else None
        if changed is None:
            self._drop_all()
        dropped = self._drop(changed or ())
        self._source, self._last = source, last
        return dropped

    def _evicted(self, key: bytes, rendering: Rendering) -> None:
        """Keep a small answer to fall back on for a site that the byte budget evicts."""
        smaller = self._fallback.smaller(rendering)
        if smaller is not None:
            self._outdated.put(key, smaller)

    def _smaller(self, _: bytes, rendering: Rendering) -> Rendering | None:
        return self._fallback.smaller(rendering)

    def _drop(self, hosts: Iterable[bytes]) -> list[bytes]:
        dropped = []
        for key in hosts:
            self._unknown.pop(key, None)
            rendering = self._known.pop(key)
            if rendering is not None:
                self._outdated.put(key, rendering)
                dropped.append(key)
        return dropped

    def _drop_all(self) -> None:
        self._outdated.take_all(self._known)
        self._unknown = LRUCache(UNKNOWN_HOSTS)

    def _failed(self, error: Exception, now: float) -> None:
        # If the file was only replaced, the open one can still be read.
        readable = (
            isinstance(error, OSError | CopyError) and self._file is not None and self._file.is_readable()
        )
        if not readable:
            self.close()
        if self._followed:
            report_damage(self._path, error)
        reason = reason_of(error)
        if reason != self._health.error:
            self._log.failed(
                f"registry {self._path} can't be read: {reason}; last good answers are served, "
                "and the strict default where there are none"
            )
        self._health.failed(reason, now)
        self._lease.put_off(now, lost=not readable and not is_temporary(error))
