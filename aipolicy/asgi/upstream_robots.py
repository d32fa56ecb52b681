"""The application's own robots.txt, cached and merged with the site's policy.

It comes from the wrapped application (``in_process``) or from a callable. A copy is used for ``ttl`` seconds,
then read again in the background; after twice that time a request waits for a while. Only the answer "not
found" removes a copy. A failure leaves it in use, and the next try is after 1, 2, 4 ... 60 seconds.

Copies for unknown hosts have a small cache of their own, because clients choose those hosts.
"""

import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import copy_context
from operator import itemgetter
from typing import NamedTuple, Protocol

import anyio
from anyio import to_thread
from starlette.types import Receive, Scope

from aipolicy.asgi.background import Background, Calls
from aipolicy.asgi.in_process import RobotsLocation, UnreadableError, UpstreamFile
from aipolicy.asgi.token_bucket import TokenBucket
from aipolicy.core.bounded_cache import BoundedCache
from aipolicy.core.hosts import canonical_host
from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.lookup.base import error_text
from aipolicy.lookup.event_loop import running_loop
from aipolicy.lookup.renderer import is_large
from aipolicy.lookup.thread_pool import ThreadPool, is_async
from aipolicy.lookup.throttled_log import ThrottledLog
from aipolicy.rendering import Document, Rendering, robots_document
from aipolicy.robotstxt.merge import fitted_robots_txt
from aipolicy.serving.policy_files import BRIEF_CACHE_SECONDS, MergedRobots
from aipolicy.serving.shared_cache import SharedCache

logger = logging.getLogger("aipolicy.asgi")

_TIMEOUT = 10.0  # seconds that a read may take
_MAX_WAIT = 2.0  # seconds that a request waits if there is an answer without the read
_MIN_DELAY, _MAX_DELAY = 1.0, 60.0
_SITES_BYTES, _UNKNOWN_BYTES = 32 * 1024 * 1024, 4 * 1024 * 1024  # of copies, and as many of merged files
_OVERHEAD = 512  # bytes of an entry besides its files, roughly
_READY = 1024  # hosts
_LARGE = 16 * 1024  # bytes; merging more than this would hold up the event loop
_ROOT_PATHS = 8  # mount paths that are trusted: clients may be able to set one by a proxy's header
_UNKNOWN_AT_A_TIME = 16  # simultaneous reads for unknown hosts
_UNKNOWN_A_SECOND, _UNKNOWN_AT_ONCE = 100.0, 200.0
_THREADS = 16

RobotsText = bytes | str | None


class Source(Protocol):
    """The source of a site's own robots.txt.

    Attributes:
        is_application: True if it is the wrapped application, which can also answer a client itself.
    """

    is_application: bool

    def location(self, scope: Scope, host: str) -> RobotsLocation:
        """Return the location of a request's file."""

    async def read(self, location: RobotsLocation, scope: Scope, calls: Calls) -> UpstreamFile | None:
        """Return the file, or None if there is none. Raises an exception if it can't be read."""


class _Entry(NamedTuple):
    """The state of one file; ``read_at`` is None if no read has succeeded."""

    file: UpstreamFile | None
    read_at: float | None
    next_read: float
    delay: float = 0.0


class _Copies:
    """The copies and merged files of known or of unknown hosts, bounded in bytes."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self.entries: SharedCache[RobotsLocation, _Entry] = SharedCache(limit, getsizeof=_size_of_entry)
        self.merged: SharedCache[tuple[Rendering, bytes], tuple[Document, int]] = SharedCache(
            limit, getsizeof=itemgetter(1)
        )
        self.log = ThrottledLog(clock, logger)

    def keep(self, key: tuple[Rendering, bytes], document: Document) -> None:
        rendering, base = key
        size = len(base) + len(document.body) + len(rendering.robots.body) + _OVERHEAD
        self.merged[key] = document, size


class _Read:
    """A running read, with the number of requests that wait for it."""

    def __init__(self, reads: "_Reads", copies: _Copies, location: RobotsLocation) -> None:
        self._reads = reads
        self.copies, self.location = copies, location
        self.done = anyio.Event()
        self.scope = anyio.CancelScope()
        self.waiting = 0
        self.entry: _Entry | None = None

    def end(self) -> None:
        """Wake the waiting requests; the next request that needs the file starts another read."""
        if self._reads.get((self.copies, self.location)) is self:
            del self._reads[self.copies, self.location]
        self.done.set()


_Reads = dict[tuple[_Copies, RobotsLocation], _Read]


class _State:
    """The state of one event loop."""

    def __init__(self) -> None:
        self.reads: _Reads = {}
        self.unknown = anyio.CapacityLimiter(_UNKNOWN_AT_A_TIME)
        self.merging = {True: anyio.Lock(), False: anyio.Lock()}


class UpstreamRobots:
    """The merged robots.txt of each host.

    Args:
        source: The source of the sites' own files.
        ttl: Seconds for which a copy is used.
        max_age: Seconds for which caches may keep a file, unless the application's Cache-Control is stricter.
        timeout: Seconds that reading a file may take.
        clock: Returns the time in seconds; for tests.
    """

    def __init__(
        self,
        source: Source,
        ttl: float,
        max_age: int,
        *,
        timeout: float = _TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source, self._ttl, self._max_age = source, ttl, max_age
        self._timeout, self._clock = timeout, clock
        self._sites = _Copies(_SITES_BYTES, clock)
        self._unknown = _Copies(_UNKNOWN_BYTES, clock)
        self._root_paths: set[str] = {""}
        # Clients choose unknown hosts.
        self._unknown_reads = TokenBucket(_UNKNOWN_A_SECOND, _UNKNOWN_AT_ONCE, clock())
        # The last results by host, for the fast path.
        self._ready: BoundedCache[bytes, tuple[Rendering, float, MergedRobots]] = BoundedCache(_READY)
        self._background = Background(_State)

    def cached(self, scope: Scope, host: bytes, rendering: Rendering) -> MergedRobots | None:
        """Return the file for a request if it is ready, as for most requests."""
        ready = self._ready.get(host)
        if ready is None or ready[0] is not rendering or scope.get("root_path"):
            return None
        return ready[2] if self._clock() < ready[1] else None

    async def merged(
        self, scope: Scope, receive: Receive, host: bytes, rendering: Rendering, *, is_site: bool
    ) -> MergedRobots | None:
        """Return the file for a request. Never raises, unless the request is cancelled.

        Args:
            scope: The request's scope.
            receive: Reads the request's messages: at most the request itself, and a disconnect.
            host: The value of its Host header.
            rendering: The host's rendering.
            is_site: True if the lookup knows the host.

        Returns:
            None if the site's own file can't be read and the policy adds nothing: then the application must
            answer.
        """
        name = canonical_host(host) or ""
        location = self._source.location(scope, name)
        copies = self._copies_of(location, is_site=is_site)
        entry = await self._entry(copies, location, scope, receive)
        if entry is None or entry.read_at is None:
            if self._source.is_application and not (await self._document(copies, rendering, b"")).body:
                return None
            return MergedRobots(rendering.robots, is_brief=True)
        merged = MergedRobots(rendering.robots)
        if entry.file is not None:
            document = await self._document(copies, rendering, entry.file.body)
            merged = MergedRobots(document, entry.file.headers, entry.file.cache_control)
        # Neither other spellings of the host, which clients choose, nor large files: memory is bounded.
        canonical = not scope.get("root_path") and copies is self._sites and name.encode() == host
        if canonical and len(merged.document.body) <= _LARGE:
            self._ready.keep(host, (rendering, entry.next_read, merged))
        return merged

    def _copies_of(self, location: RobotsLocation, *, is_site: bool) -> _Copies:
        if is_site and len(self._root_paths) < _ROOT_PATHS:
            self._root_paths.add(location.root_path)
        # A known host stays known while the lookup fails.
        is_site = is_site or location in self._sites.entries
        return self._sites if is_site and location.root_path in self._root_paths else self._unknown

    async def _entry(
        self, copies: _Copies, location: RobotsLocation, scope: Scope, receive: Receive
    ) -> _Entry | None:
        """Return the state of a file, read again if that is due."""
        entry = copies.entries.get(location)
        now = self._clock()
        if entry is not None and now < entry.next_read:
            return entry
        reads = self._background.state().reads
        read = reads.get((copies, location))
        if read is None:
            if copies is self._unknown and not self._unknown_reads.take(now):
                return entry
            read = reads[copies, location] = _Read(reads, copies, location)
            self._background.start(self._run, read, scope)
        timeout = self._wait_timeout(entry, now)
        if timeout:
            await self._wait(read, receive, timeout, needed=entry is None or entry.read_at is None)
        return read.entry or entry

    def _wait_timeout(self, entry: _Entry | None, now: float) -> float:
        """Return the seconds for which a request waits for a read that is due."""
        if entry is None:
            return self._timeout + _MAX_WAIT
        if entry.read_at is None:
            return _MAX_WAIT
        failing, recent = entry.delay > 0, now < entry.read_at + 2 * self._ttl
        return 0 if failing or recent else _MAX_WAIT

    async def _wait(self, read: _Read, receive: Receive, timeout: float, *, needed: bool) -> None:
        """Wait for a read. A read that is ``needed`` is cancelled when no request waits for it any more."""
        read.waiting += 1
        has_gone = True
        try:
            with anyio.move_on_after(timeout) as waiting:
                async with anyio.create_task_group() as group:
                    if needed:
                        group.start_soon(_cancel_on_disconnect, receive, group.cancel_scope)
                    await read.done.wait()
                    group.cancel_scope.cancel()
            has_gone = not waiting.cancelled_caught  # after a timeout its client may still retry
        finally:
            read.waiting -= 1
            if needed and has_gone and not read.waiting and not read.done.is_set():
                read.scope.cancel()
                read.end()

    async def _run(self, read: _Read, scope: Scope) -> None:
        """Read a file, in a task of its own."""
        # The application's work after its answer has a timeout, too.
        calls = Calls(self._background, 2 * self._timeout)
        try:
            with read.scope:
                await self._read(read, scope, calls)
        except Exception:
            logger.exception("reading the robots.txt of %r failed", read.location.host)
        finally:
            if read.entry is None or read.entry.delay:
                calls.cancel()
            read.end()

    async def _read(self, read: _Read, scope: Scope, calls: Calls) -> None:
        try:
            with anyio.move_on_after(self._timeout) as limit:
                file = await self._file(read, scope, calls)
        except UnreadableError as error:
            # Scanners send any host, and it is right that the application refuses unknown ones.
            silent = read.copies is self._unknown and 400 <= error.status < 500
            return self._fail(read, str(error), error.__cause__, silent=silent)
        except Exception as error:
            return self._fail(read, error_text(error), error)
        if limit.cancelled_caught:
            return self._fail(read, f"it timed out after {self._timeout:g} s")
        copies, location = read.copies, read.location
        before, now = copies.entries.get(location), self._clock()
        if before is not None and before.delay:
            copies.log.recovered(f"the application's robots.txt for {_named(location)} can be read again")
        if file is not None:
            max_age = self._max_age if copies is self._sites else min(self._max_age, BRIEF_CACHE_SECONDS)
            if _longest(file.cache_control) > max_age:
                file = file._replace(cache_control=b"")
            if before is not None and before.file is not None and before.file.body == file.body:
                file = file._replace(body=before.file.body)  # one object: it is the key of the merged file
        read.entry = copies.entries[location] = _Entry(file, now, now + self._ttl)
        return None

    async def _file(self, read: _Read, scope: Scope, calls: Calls) -> UpstreamFile | None:
        if read.copies is self._sites:
            return await self._source.read(read.location, scope, calls)
        async with self._background.state().unknown:
            return await self._source.read(read.location, scope, calls)

    def _fail(
        self, read: _Read, reason: str, error: BaseException | None = None, *, silent: bool = False
    ) -> None:
        before, now = read.copies.entries.get(read.location), self._clock()
        delay = min(before.delay * 2, _MAX_DELAY) if before is not None and before.delay else _MIN_DELAY
        file, read_at = (None, None) if before is None else (before.file, before.read_at)
        if not silent and (before is None or not before.delay):
            served = "there is no earlier copy" if read_at is None else "the last copy is used"
            read.copies.log.failed(
                f"the application's robots.txt for {_named(read.location)} can't be read: {reason[:500]}; "
                f"{served}; next try in {delay:g} s",
                error,
            )
        read.entry = read.copies.entries[read.location] = _Entry(file, read_at, now + delay, delay)

    async def _document(self, copies: _Copies, rendering: Rendering, base: bytes) -> Document:
        key = (rendering, base)
        try:
            return copies.merged[key][0]
        except KeyError:
            pass
        try:
            if len(base) + len(rendering.robots.body) <= _LARGE and not is_large(rendering.policy):
                document = _merge(rendering, base)
            else:
                async with self._background.state().merging[copies is self._sites]:  # each once
                    if key in copies.merged:
                        return copies.merged[key][0]
                    document = await to_thread.run_sync(_merge, rendering, base)
                    copies.keep(key, document)
        except Exception:
            logger.exception(
                "the application's robots.txt can't be merged; the policy's rules are served alone"
            )
            return rendering.robots
        copies.keep(key, document)
        return document


class RobotsCallback:
    """A callable of the host application as the source of robots.txt.

    Args:
        function: Returns a canonical host's robots.txt as bytes or str, or None if it has none. Sync (called
            in a thread) or async.
    """

    is_application = False

    def __init__(self, function: Callable[[str], RobotsText | Awaitable[RobotsText]]) -> None:
        if not callable(function):
            raise TypeError(
                f"own_robots is {function!r}; use a function of a host that returns its robots.txt, or None"
            )
        self._function = function
        self._is_async = is_async(function)
        self._threads = ThreadPool(_THREADS, "aipolicy-own-robots")

    def location(self, scope: Scope, host: str) -> RobotsLocation:
        return RobotsLocation(host)

    async def read(self, location: RobotsLocation, scope: Scope, calls: Calls) -> UpstreamFile | None:
        """Return the file, or None if there is none.

        Raises:
            UnreadableError: The callable's result is invalid, or no thread is free.
            Exception: The callable raised it.
        """
        if not location.host:
            return None
        try:
            robots = await self._called(location.host)
        except (Exception, anyio.get_cancelled_exc_class()):
            raise
        except BaseException as error:  # a SystemExit must not end the server
            raise UnreadableError(f"own_robots({location.host!r}) raised {error_text(error)}") from error
        if robots is None:
            return None
        if isinstance(robots, str):
            robots = robots.encode()
        if not isinstance(robots, bytes):
            raise UnreadableError(
                f"own_robots({location.host!r}) returned {robots!r:.80}; return bytes, str or None"
            )
        if len(robots) > MAX_ROBOTS_BYTES:
            robots = robots[:MAX_ROBOTS_BYTES].rpartition(b"\n")[0]
        return UpstreamFile(robots)

    async def _called(self, host: str) -> object:
        answer: object = self._function(host) if self._is_async else await self._in_thread(host)
        return await answer if inspect.isawaitable(answer) else answer

    async def _in_thread(self, host: str) -> object:
        if self._threads.are_stuck(_TIMEOUT):
            raise UnreadableError(f"earlier calls of own_robots still block all {_THREADS} threads")
        loop, context, done = running_loop(), copy_context(), anyio.Event()
        cancelled, answer, error = False, None, None

        def call() -> None:
            nonlocal answer, error
            if cancelled:
                return
            try:
                answer = context.run(self._function, host)
            except BaseException as raised:
                error = raised
            with suppress(RuntimeError):  # the event loop has ended
                loop.soon(done.set)

        self._threads.submit(call)
        try:
            await done.wait()
        finally:
            cancelled = True
        if error is not None:
            raise error
        return answer


def _named(location: RobotsLocation) -> str:
    return repr(location.host) if location.host else "a request without a valid host"


def _size_of_entry(entry: _Entry) -> int:
    if entry.file is None:
        return _OVERHEAD
    headers = sum(len(name) + len(value) + 128 for name, value in entry.file.headers)
    return len(entry.file.body) + len(entry.file.cache_control) + headers + _OVERHEAD


async def _cancel_on_disconnect(receive: Receive, waiting: anyio.CancelScope) -> None:
    """Cancel ``waiting`` when the client disconnects."""
    try:
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            message = await receive()
    except Exception:
        return  # the server failed; the wait ends at its timeout
    if message["type"] == "http.disconnect":
        waiting.cancel()


def _longest(cache_control: bytes) -> float:
    """Return the seconds for which Cache-Control lets caches keep a response; infinite if unlimited."""
    longest = None
    for directive in cache_control.lower().split(b","):
        name, _, value = directive.strip(b" \t").partition(b"=")
        if name in (b"no-store", b"no-cache"):
            return 0
        if name in (b"max-age", b"s-maxage", b"stale-while-revalidate", b"stale-if-error"):
            seconds = value.strip(b'" ')
            if not (seconds.isdigit() and len(seconds) < 10):
                return float("inf")
            longest = max(longest or 0, int(seconds))
    return float("inf") if longest is None else longest


def _merge(rendering: Rendering, base: bytes) -> Document:
    fitted = fitted_robots_txt(rendering.policy, rendering.signals, base)
    if fitted.cut:
        logger.error("the application's robots.txt is cut: %s", fitted.cut)
    return robots_document(fitted.body)
