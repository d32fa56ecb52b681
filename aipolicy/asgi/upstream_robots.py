"""The robots.txt that a site has of its own, read now and then, and merged with its policy.

It comes from the wrapped application (``inprocess``) or from a callable. A good copy is used for ``ttl``
seconds, then read anew beside the requests; after twice that time a request waits for a while. Only an answer
that says that there is no file replaces a good copy by none: every failure leaves it, and the next try is
after 1, 2, 4 ... 60 seconds.

Hosts that are no site's have copies of their own, with less room: clients choose those hosts.
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
from aipolicy.asgi.in_process import OwnFile, Place, UnreadableError
from aipolicy.asgi.shared_cache import SharedCache
from aipolicy.core.bounded_cache import Memo
from aipolicy.core.hosts import canonical_host
from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.lookup.base import error_text
from aipolicy.lookup.event_loop import running_loop
from aipolicy.lookup.renderer import is_large
from aipolicy.lookup.thread_pool import ThreadPool, is_async
from aipolicy.lookup.throttled_log import ThrottledLog
from aipolicy.rendering import Document, Rendering, robots_document
from aipolicy.robotstxt.merge import fitted_robots_txt
from aipolicy.signals.header_field import Header

logger = logging.getLogger("aipolicy.asgi")

_TIMEOUT = 10.0  # seconds that reading a file may take
_PATIENCE = 2.0  # seconds that a request waits where there is an answer without
_FIRST_DELAY, _LONGEST_DELAY = 1.0, 60.0
_SITES_BYTES, _UNKNOWN_BYTES = 32 * 1024 * 1024, 4 * 1024 * 1024  # of copies, and as much of merged files
_OVERHEAD = 512  # bytes of an entry, roughly, beside its files
_READY = 1024  # hosts
BRIEF = 60  # seconds for which caches may keep an answer that stands in for another
_LARGE = 16 * 1024  # bytes; merging more than this would hold up the event loop
_ROOT_PATHS = 8  # of sites' requests; a proxy's header may set the mount path, and clients that header
_UNKNOWN_AT_A_TIME = 16  # reads for hosts that are no site's
_UNKNOWN_A_SECOND, _UNKNOWN_AT_ONCE = 100.0, 200.0
_THREADS = 16

Robots = bytes | str | None


class Served(NamedTuple):
    """The robots.txt of a request.

    ``headers`` are the site's own; ``cache_control`` is its own, where it is no laxer than ours. ``brief``:
    rules of the site may be missing for now.
    """

    document: Document
    headers: tuple[Header, ...] = ()
    cache_control: bytes = b""
    brief: bool = False


class Source(Protocol):
    """The source of a site's own robots.txt.

    ``is_application``: whether it is the wrapped application, which can also answer a client itself.
    """

    is_application: bool

    def place(self, scope: Scope, host: str) -> Place:
        """Return which file a request is for."""

    async def read(self, place: Place, scope: Scope, calls: Calls) -> OwnFile | None:
        """Return the file, or None where there is none. Raises an exception where that can't be told."""


class _Entry(NamedTuple):
    """The state of one file. ``read_at`` is None as long as every read has failed."""

    file: OwnFile | None
    read_at: float | None
    next_read: float
    delay: float = 0.0


class _Shelf:
    """The copies and merged files of one kind of hosts, bounded in bytes."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self.entries: SharedCache[Place, _Entry] = SharedCache(limit, getsizeof=_size_of_entry)
        self.merged: SharedCache[tuple[Rendering, bytes], tuple[Document, int]] = SharedCache(
            limit, getsizeof=itemgetter(1)
        )
        self.log = ThrottledLog(clock, logger)

    def keep(self, key: tuple[Rendering, bytes], document: Document) -> None:
        rendering, base = key
        size = len(base) + len(document.body) + len(rendering.robots.body) + _OVERHEAD
        self.merged[key] = document, size


class _Read:
    """A read under way, and how many requests wait for it."""

    def __init__(self, reads: "_Reads", shelf: _Shelf, place: Place) -> None:
        self._reads = reads
        self.shelf, self.place = shelf, place
        self.landed = anyio.Event()
        self.scope = anyio.CancelScope()
        self.waiting = 0
        self.entry: _Entry | None = None

    def end(self) -> None:
        """Let go of those who wait; the next request that needs the file begins another read."""
        if self._reads.get((self.shelf, self.place)) is self:
            del self._reads[self.shelf, self.place]
        self.landed.set()


_Reads = dict[tuple[_Shelf, Place], _Read]


class _State:
    """The state of one event loop."""

    def __init__(self) -> None:
        self.reads: _Reads = {}
        self.unknown = anyio.CapacityLimiter(_UNKNOWN_AT_A_TIME)
        self.merging = {True: anyio.Lock(), False: anyio.Lock()}


class OwnRobots:
    """The merged robots.txt of each host.

    Args:
        source: Where the sites' own files come from.
        ttl: Seconds for which a copy is used.
        max_age: Seconds for which caches may keep a file, unless a site's own Cache-Control is stricter.
        timeout: Seconds that reading a file may take.
        clock: Seconds that only grow.
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
        self._sites = _Shelf(_SITES_BYTES, clock)
        self._unknown = _Shelf(_UNKNOWN_BYTES, clock)
        self._root_paths: set[str] = {""}
        self._tokens, self._counted_at = _UNKNOWN_AT_ONCE, clock()
        # What the last answers were, at hand without any of the rest.
        self._ready: Memo[bytes, tuple[Rendering, float, Served]] = Memo(_READY)
        self._background = Background(_State)

    def at_hand(self, scope: Scope, host: bytes, rendering: Rendering) -> Served | None:
        """Return the file for a request if nothing need be done for it, as for most."""
        ready = self._ready.get(host)
        if ready is None or ready[0] is not rendering or scope.get("root_path"):
            return None
        return ready[2] if self._clock() < ready[1] else None

    async def served(
        self, scope: Scope, receive: Receive, *, host: bytes, rendering: Rendering, known: bool
    ) -> Served | None:
        """Return the file for a request. Never raises but when the request is cancelled.

        Args:
            scope: The request's.
            receive: The request's; at most the request itself is taken from it, and a disconnect.
            host: The value of its Host header.
            rendering: The host's policy.
            known: Whether the host is a site's.

        Returns:
            None where the site's own can't be read and the policy has nothing to add: then the application's
            own answer is right.
        """
        name = canonical_host(host) or ""
        place = self._source.place(scope, name)
        shelf = self._shelf(place, known)
        entry = await self._entry(shelf, place, scope, receive)
        if entry is None or entry.read_at is None:
            if self._source.is_application and not (await self._merged(shelf, rendering, b"")).body:
                return None
            return Served(rendering.robots, brief=True)
        served = Served(rendering.robots)
        if entry.file is not None:
            document = await self._merged(shelf, rendering, entry.file.body)
            served = Served(document, entry.file.headers, entry.file.cache_control)
        # Other spellings are not kept: clients choose them. Nor are large files: memory is bounded.
        canonical = not scope.get("root_path") and shelf is self._sites and name.encode() == host
        if canonical and len(served.document.body) <= _LARGE:
            self._ready.keep(host, (rendering, entry.next_read, served))
        return served

    def _shelf(self, place: Place, known: bool) -> _Shelf:
        if known and len(self._root_paths) < _ROOT_PATHS:
            self._root_paths.add(place.root_path)
        # A site stays one while the lookup fails.
        is_site = known or place in self._sites.entries
        return self._sites if is_site and place.root_path in self._root_paths else self._unknown

    async def _entry(self, shelf: _Shelf, place: Place, scope: Scope, receive: Receive) -> _Entry | None:
        """Return the state of a file, read anew where that is due."""
        entry = shelf.entries.get(place)
        now = self._clock()
        if entry is not None and now < entry.next_read:
            return entry
        reads = self._background.state().reads
        read = reads.get((shelf, place))
        if read is None:
            if shelf is self._unknown and not self._has_token(now):
                return entry
            read = reads[shelf, place] = _Read(reads, shelf, place)
            self._background.start(self._run, read, scope)
        patience = self._patience(entry, now)
        if patience:
            await self._wait(read, receive, patience, needed=entry is None or entry.read_at is None)
        return read.entry or entry

    def _patience(self, entry: _Entry | None, now: float) -> float:
        """Return the seconds that a request waits for a read that is due."""
        if entry is None:
            return self._timeout + _PATIENCE
        if entry.read_at is None:
            return _PATIENCE
        failing, recent = entry.delay > 0, now < entry.read_at + 2 * self._ttl
        return 0 if failing or recent else _PATIENCE

    async def _wait(self, read: _Read, receive: Receive, patience: float, *, needed: bool) -> None:
        """Wait for a read; one that is ``needed`` ends when the last request that waits for it has gone."""
        read.waiting += 1
        has_gone = True
        try:
            with anyio.move_on_after(patience) as waiting:
                async with anyio.create_task_group() as group:
                    if needed:
                        group.start_soon(_hang_up, receive, group.cancel_scope)
                    await read.landed.wait()
                    group.cancel_scope.cancel()
            has_gone = not waiting.cancelled_caught  # out of patience, its client may still come again
        finally:
            read.waiting -= 1
            if needed and has_gone and not read.waiting and not read.landed.is_set():
                read.scope.cancel()
                read.end()

    async def _run(self, read: _Read, scope: Scope) -> None:
        """Read a file, as a task of its own."""
        # What the application does after its answer has its time, too.
        calls = Calls(self._background, 2 * self._timeout)
        try:
            with read.scope:
                await self._land(read, scope, calls)
        except Exception:
            logger.exception("reading the robots.txt of %r failed", read.place.host)
        finally:
            if read.entry is None or read.entry.delay:
                calls.cancel()
            read.end()

    async def _land(self, read: _Read, scope: Scope, calls: Calls) -> None:
        try:
            with anyio.move_on_after(self._timeout) as limit:
                file = await self._file(read, scope, calls)
        except UnreadableError as error:
            # That hosts that are no site's are refused is in order: scanners send any.
            silent = read.shelf is self._unknown and 400 <= error.status < 500
            return self._fail(read, str(error), error.__cause__, silent=silent)
        except Exception as error:
            return self._fail(read, error_text(error), error)
        if limit.cancelled_caught:
            return self._fail(read, f"it took longer than {self._timeout:g} s")
        shelf, place = read.shelf, read.place
        before, now = shelf.entries.get(place), self._clock()
        if before is not None and before.delay:
            shelf.log.recovered(f"the robots.txt that {_named(place)} has itself can be read again")
        if file is not None:
            max_age = self._max_age if shelf is self._sites else min(self._max_age, BRIEF)
            if _longest(file.cache_control) > max_age:
                file = file._replace(cache_control=b"")
            if before is not None and before.file is not None and before.file.body == file.body:
                file = file._replace(body=before.file.body)  # one object: it is the key of the merged file
        read.entry = shelf.entries[place] = _Entry(file, now, now + self._ttl)
        return None

    async def _file(self, read: _Read, scope: Scope, calls: Calls) -> OwnFile | None:
        if read.shelf is self._sites:
            return await self._source.read(read.place, scope, calls)
        async with self._background.state().unknown:
            return await self._source.read(read.place, scope, calls)

    def _fail(
        self, read: _Read, reason: str, error: BaseException | None = None, *, silent: bool = False
    ) -> None:
        before, now = read.shelf.entries.get(read.place), self._clock()
        delay = min(before.delay * 2, _LONGEST_DELAY) if before is not None and before.delay else _FIRST_DELAY
        file, read_at = (None, None) if before is None else (before.file, before.read_at)
        if not silent and (before is None or not before.delay):
            served = "there is no earlier copy" if read_at is None else "the last copy is served"
            read.shelf.log.failed(
                f"the robots.txt that {_named(read.place)} has itself can't be read: {reason[:500]}; "
                f"{served}, and the next try is in {delay:g} s",
                error,
            )
        read.entry = read.shelf.entries[read.place] = _Entry(file, read_at, now + delay, delay)

    def _has_token(self, now: float) -> bool:
        """Return True if a host that is no site's may be read now: clients choose such hosts."""
        tokens = self._tokens + (now - self._counted_at) * _UNKNOWN_A_SECOND
        self._tokens, self._counted_at = min(tokens, _UNKNOWN_AT_ONCE), now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    async def _merged(self, shelf: _Shelf, rendering: Rendering, base: bytes) -> Document:
        key = (rendering, base)
        try:
            return shelf.merged[key][0]
        except KeyError:
            pass
        try:
            if len(base) + len(rendering.robots.body) <= _LARGE and not is_large(rendering.policy):
                document = _merge(rendering, base)
            else:
                async with self._background.state().merging[shelf is self._sites]:  # each once
                    if key in shelf.merged:
                        return shelf.merged[key][0]
                    document = await to_thread.run_sync(_merge, rendering, base)
                    shelf.keep(key, document)
        except Exception:
            logger.exception("a site's own robots.txt can't be merged: the policy's rules are served alone")
            return rendering.robots
        shelf.keep(key, document)
        return document


class Callback:
    """A callable of the host application, as the source of its hosts' robots.txt.

    Args:
        function: Called with a canonical host; returns its robots.txt as bytes or str, or None where it has
            none. Sync (called in a thread) or async.
    """

    is_application = False

    def __init__(self, function: Callable[[str], Robots | Awaitable[Robots]]) -> None:
        if not callable(function):
            raise TypeError(
                f"own_robots is {function!r}; give a function of a host that returns its robots.txt, or None"
            )
        self._function = function
        self._is_async = is_async(function)
        self._threads = ThreadPool(_THREADS, "aipolicy-own-robots")

    def place(self, scope: Scope, host: str) -> Place:
        """Return which file a request is for."""
        return Place(host)

    async def read(self, place: Place, scope: Scope, calls: Calls) -> OwnFile | None:
        """Return the file, or None where there is none. Raises UnreadableError, or what the callable does."""
        if not place.host:
            return None
        try:
            robots = await self._called(place.host)
        except (Exception, anyio.get_cancelled_exc_class()):
            raise
        except BaseException as error:  # a SystemExit must not end the server
            raise UnreadableError(f"own_robots({place.host!r}) raised {error_text(error)}") from error
        if robots is None:
            return None
        if isinstance(robots, str):
            robots = robots.encode()
        if not isinstance(robots, bytes):
            raise UnreadableError(
                f"own_robots({place.host!r}) returned {robots!r:.80}; return bytes, str or None"
            )
        if len(robots) > MAX_ROBOTS_BYTES:
            robots = robots[:MAX_ROBOTS_BYTES].rpartition(b"\n")[0]
        return OwnFile(robots)

    async def _called(self, host: str) -> object:
        answer: object = self._function(host) if self._is_async else await self._in_thread(host)
        return await answer if inspect.isawaitable(answer) else answer

    async def _in_thread(self, host: str) -> object:
        if self._threads.are_stuck(_TIMEOUT):
            raise UnreadableError(f"all {_THREADS} threads hang in earlier calls of own_robots")
        loop, context, done = running_loop(), copy_context(), anyio.Event()
        wanted, answer, error = True, None, None

        def call() -> None:
            nonlocal answer, error
            if not wanted:
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
            wanted = False
        if error is not None:
            raise error
        return answer


def _named(place: Place) -> str:
    return repr(place.host) if place.host else "a request without a valid host"


def _size_of_entry(entry: _Entry) -> int:
    if entry.file is None:
        return _OVERHEAD
    headers = sum(len(name) + len(value) + 128 for name, value in entry.file.headers)
    return len(entry.file.body) + len(entry.file.cache_control) + headers + _OVERHEAD


async def _hang_up(receive: Receive, waiting: anyio.CancelScope) -> None:
    """End ``waiting`` when the client hangs up."""
    try:
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            message = await receive()
    except Exception:
        return  # a server's trouble; then the wait ends by itself
    if message["type"] == "http.disconnect":
        waiting.cancel()


def _longest(cache_control: bytes) -> float:
    """Return the seconds for which Cache-Control lets caches keep an answer, infinite where it names none."""
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
