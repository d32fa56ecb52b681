"""The lookup of a registry: its SQLite file, or this machine's replica, read in-process."""

import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress

from cachetools import LRUCache

from aipolicy.core.checkpoint import Mark
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
from aipolicy.lookup.byte_count import Weights
from aipolicy.lookup.fallback import Fallback
from aipolicy.lookup.generational_cache import Generations
from aipolicy.lookup.lease import Lease
from aipolicy.lookup.registry_file import (
    CopyError,
    RegistryFile,
    check_made_by_follower,
    is_temporary,
    registry_path,
    report_damage,
    trouble_with,
)
from aipolicy.lookup.renderer import LARGE, Renderer, in_background
from aipolicy.lookup.status import CountingPeek, LookupStatus, ReplicaStatus, SourceHealth
from aipolicy.lookup.throttled_log import OutageLog
from aipolicy.rendering import Rendering
from aipolicy.signals.switches import Signals

_MOST_INVALIDATED = 1000  # hosts that wait for a request to come; more are taken for all


class _TakesLongError(Exception):
    """A policy is so large that it is rendered in a thread first."""

    def __init__(self, text: bytes) -> None:
        super().__init__(f"a policy of {len(text)} bytes")
        self.text = text


class LocalLookup:
    """host → rendering, from a registry's file. Raises ValueError or TypeError when made wrong.

        lookup = LocalLookup("sqlite:///aipolicy.db")

    ``registry``   a ``sqlite:///`` URL, or a path. The file may come later, go away and come back.
    ``refresh``    seconds within which a change is in force.
    ``maxsize``    sites remembered; ``max_bytes``: of memory for their answers, equal ones counted once.
                   Sites with large files of their own are forgotten first, and read again when asked for.
    ``default``    for hosts that are no site's: the name of a preset, or a SitePolicy.
    ``max_stale``  seconds for which answers other than opt-outs stand while the file can't be read; none
                   where it is ruined and was not read in the second before.
    ``count_hits`` whether ``status()`` tells the hit ratio: counting costs each hit a little.

    It reads in the event loop, asyncio's or trio's, so the file belongs on a local disk. Several event loops
    in several threads may share one, and take turns to read; ``invalidate`` may be called in any thread.
    After a fork the child goes on with what was remembered, and opens the file for itself.
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
        self._log = OutageLog(clock)
        self._renderer = Renderer(signals)
        self._fallback = Fallback(self._renderer, default_policy(default))
        self.default: Rendering = self._fallback.default
        # Of all that is below, and of the connection: at a fork no thread is reading.
        self._lock = fork_safe_lock()
        self._weights = Weights(count("max_bytes", max_bytes))
        self._known: Generations[Rendering] = self._generations(self._give_up)
        # What changed and was not read anew; and the little that is kept of what there was no memory for.
        self._outdated: Generations[Rendering] = self._generations(self._smaller)
        self._unknown: LRUCache[bytes, None] = LRUCache(UNKNOWN_HOSTS)
        self._invalidated: deque[bytes] = deque(maxlen=_MOST_INVALIDATED)
        self._file: RegistryFile | None = None
        self._source: object = None  # the file and the registry that the answers are from
        self._followed = False  # they are from a replica that its follower made
        self._last = Mark()  # the change that they are up to
        self._ready: dict[bytes, Rendering | Exception] = {}  # what was rendered in a thread, for one find
        self._health = SourceHealth()
        self._misses = 0
        self._finds = 0
        self._counting = CountingPeek(self._peeking()) if count_hits else None
        self.peek = self._counting or self._peeking()
        self._follow(clock())
        survive_forks(self)

    def _generations(self, shrink: Callable[[bytes, Rendering], Rendering | None]) -> Generations[Rendering]:
        return Generations(
            self._maxsize,
            weights=self._weights,
            lock=self._lock,
            rendering=lambda rendering: rendering,
            shrink=shrink,
        )

    @property
    def seq(self) -> int:
        """The number of the last change that is in force here; 0 before the file was read."""
        return self._last.seq

    def _peeking(self) -> Callable[[bytes], Rendering | None]:
        # A closure: every request calls it, and it has little to look up in ``self``.
        clock, lease, known = self._clock, self._lease, self._known

        def peek(host: bytes) -> Rendering | None:
            if clock() < lease.fresh_until:
                return known.young.get(host) or known.get(host)
            return None

        return peek

    async def find(self, host: bytes) -> Rendering:
        """The answer, read where that is due. Never raises, and waits for a large policy's rendering only."""
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
                except _TakesLongError as due:
                    text = due.text
                try:
                    ready = {text: await in_background(self._read_large, text)}
                except Exception as error:
                    ready = {text: error}
        except Exception as error:
            rendering = self._last_good(key)
            served = "the default policy" if rendering is self.default else "its last good answer"
            self._log.began(f"the lookup of {host!r} failed: {served} is served", error)
            return rendering

    def _read_large(self, text: bytes) -> Rendering:
        """Render a large policy, and what stands in for it, in a thread."""
        rendering = self._renderer.read_large(text)
        self._fallback.prepare(rendering)
        return rendering

    def _last_good(self, key: bytes | None) -> Rendering:
        """Return what is served where a fault of the lookup itself keeps it from answering."""
        with self._lock:
            last = None if key is None else self._known.get(key) or self._outdated.get(key)
            return self.default if last is None else self._fallback.instead(last, recent=False)

    def invalidate(self, host: str) -> None:
        """Read ``host``, in any spelling, anew at its next request."""
        key = canonical_key(host)
        if key is not None:
            self._invalidated.append(key)
            self._lease.end()

    def status(self) -> LookupStatus:
        """How it is. In the thread of the event loop."""
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
            memory=self._weights.total,
        )

    def _replica(self) -> ReplicaStatus | None:
        with self._lock:
            return None if self._file is None else self._file.replica()

    def close(self) -> None:
        """Let go of the file; another request opens it again."""
        with self._lock:
            self._lease.end()
            if self._file is not None:
                self._file.close()
                self._file = None

    def after_fork(self) -> None:
        """Close the parent's connection, before another is opened, which would share its locks."""
        self.close()

    def _found(self, key: bytes) -> Rendering:
        now = self._clock()
        if now >= self._lease.next_look:
            self._follow(now)
        rendering = self._known.get(key)
        if rendering is None:
            return self._missed(key, now)
        return self._standing(rendering, now)

    def _missed(self, key: bytes, now: float) -> Rendering:
        if key in self._unknown:
            self._unknown[key] = None  # used just now
            return self.default
        self._misses += 1
        if self._file is not None:  # or it is deleted, and still open
            try:
                text = self._file.policy(key.decode())
                if text is not None and len(text) > LARGE and text not in self._ready:
                    raise _TakesLongError(text)
                rendering = self._kept(key, text)
            except sqlite3.Error as error:
                self._failed(error, now)
            else:
                return rendering if rendering is self.default else self._standing(rendering, now)
        return self._fallback.instead(self._outdated.get(key) or self.default, recent=False)

    def _standing(self, rendering: Rendering, now: float) -> Rendering:
        """What is served of a site's rendering, after however long without a look at the file."""
        recent = not self._health.error or now < self._lease.stale_at
        return self._fallback.instead(rendering, recent=recent)

    def _kept(self, key: bytes, text: bytes | None) -> Rendering:
        last = self._outdated.pop(key) or self.default
        if text is None:
            self._unknown[key] = None
            return self.default
        try:
            ready = self._ready.get(text)
            if isinstance(ready, Exception):
                raise ready
            rendering = ready or self._renderer.read(text)
        except Exception as error:  # whatever is wrong with it, it is wrong with this site alone
            rendering = self._fallback.instead(last, recent=False)
            served = "the default policy" if rendering is self.default else "its last good answer"
            self._log.began(
                f"the policy of {key.decode()!r} in {self._path} can't be used: "
                f"{error_text(error)}; {served} is served until it changes"
            )
        self._known.keep(key, rendering)
        return rendering

    def _follow(self, now: float) -> None:
        """Drop what changed since the last time, and renew the lease."""
        if len(self._invalidated) == _MOST_INVALIDATED:  # some may have been pushed out
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
                self._log.ended(f"the registry {self._path} can be read now")
            self._health.answered(now)
            self._lease.renew(now)
        if self._invalidated:  # in another thread, just now
            self._lease.end()

    def _catch_up(self, now: float) -> None:
        file = self._file
        if file is None or not self._is_in_place(file, now):
            if self._followed:
                check_made_by_follower(self._path)
            # Before another is opened: closed later, it would take away that one's locks on the same log.
            self.close()
            self._file = file = RegistryFile(self._path)
        self._drop_changed(file)

    def _is_in_place(self, file: RegistryFile, now: float) -> bool:
        """Return True if the open file is the one at its path.

        Where it was deleted or replaced, the changes committed to it before are read first: what comes in its
        place may be late, older, or ruined.
        """
        try:
            if file.is_in_place():
                return True
        except OSError:
            if file.is_readable():
                self._read_changed(file, now)
            raise
        if file.is_readable():
            with suppress(sqlite3.Error, RegistryError):  # it was ruined before it was replaced
                self._read_changed(file, now)
        return False

    def _read_changed(self, file: RegistryFile, now: float) -> None:
        for key in self._drop_changed(file):
            self._kept(key, file.policy(key.decode()))
        self._lease.seen(now)

    def _drop_changed(self, file: RegistryFile) -> list[bytes]:
        """Forget the sites that changed since the last time, and return their hosts that were in memory."""
        registry, last = file.state()
        self._followed = file.followed
        source = (file.identity[:2], registry)  # a child goes on with its parent's answers
        changed = file.changed(self._last, last) if source == self._source else None
        if changed is None:
            self._drop_all()
        dropped = self._drop(changed or ())
        self._source, self._last = source, last
        return dropped

    def _give_up(self, key: bytes, rendering: Rendering) -> None:
        """For one there is no memory: its *no* is kept, until it is read again."""
        smaller = self._fallback.smaller(rendering)
        if smaller is not None:
            self._outdated.keep(key, smaller)

    def _smaller(self, _: bytes, rendering: Rendering) -> Rendering | None:
        return self._fallback.smaller(rendering)

    def _drop(self, hosts: Iterable[bytes]) -> list[bytes]:
        dropped = []
        for key in hosts:
            self._unknown.pop(key, None)
            rendering = self._known.pop(key)
            if rendering is not None:
                self._outdated.keep(key, rendering)
                dropped.append(key)
        return dropped

    def _drop_all(self) -> None:
        self._outdated.take_all(self._known)
        self._unknown = LRUCache(UNKNOWN_HOSTS)

    def _failed(self, error: Exception, now: float) -> None:
        # Where it was only displaced, the one that is open can still be read.
        readable = (
            isinstance(error, OSError | CopyError) and self._file is not None and self._file.is_readable()
        )
        if not readable:
            self.close()
        if self._followed:
            report_damage(self._path, error)
        trouble = trouble_with(error)
        if trouble != self._health.error:
            self._log.began(
                f"the registry {self._path} can't be read: {trouble}; last good answers are served, "
                "and the default policy where there are none"
            )
        self._health.failed(trouble, now)
        self._lease.put_off(now, lost=not readable and not is_temporary(error))
