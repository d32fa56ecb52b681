"""Calls of ``load`` in flight: one per host, however many requests wait for it.

``SingleFlight`` starts the calls, in the event loop or in threads, and ends each after its timeout. Calls for
unknown hosts are limited, so that random host names can't hold up known sites. ``CachedLookup`` stores the
results.
"""

import inspect
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from contextvars import copy_context
from functools import partial
from itertools import count
from typing import Any

import anyio

from aipolicy.forks import survive_forks
from aipolicy.lookup.base import error_text
from aipolicy.lookup.event_loop import Loop, is_interrupt, running_loop
from aipolicy.lookup.thread_pool import ThreadPool, is_async
from aipolicy.rendering import Rendering

_MAX_QUEUED = 128  # flights of unknown hosts in each of the two queues
_MAX_PREPARING = 128  # flights that give up their slot while their large policies are rendered: 64 MB of them
_MAX_REJECTED = 1024  # rejected unknown hosts that are loaded when there is a slot


class RejectedError(Exception):
    """Too many unknown hosts are being loaded."""


class Flight:
    """One call of ``load``, and the requests that wait for it.

    Attributes:
        number: The position in the order in which calls began; 0 before it begins.
        began: The time at which it began.
        awaited: True if a request waits for it.
        ended: True if the call has returned or raised, maybe long after ``landed``.
        preparing: True while the large policy that it returned is being rendered in a thread.
        landed: True if the waiting requests have been answered.
        rejected: True if it waited for too long and never began.
        discarded: True if the host was invalidated, so the result is not used.
        error: The exception that the call raised.
        rendering: The answer for the requests that wait.
        fault: The exception that a fault in aipolicy raised.
    """

    __slots__ = (
        "_result", "_timeout", "awaited", "began", "cancel_call", "discarded", "ended", "error", "fault",
        "key", "landed", "loop", "number", "preparing", "rejected", "rendering", "timers", "waiting",
    )  # fmt: skip

    def __init__(self, key: bytes, loop: Loop, timeout: float) -> None:
        self.key, self.loop = key, loop
        self._timeout = timeout
        self.number = 0
        self.began = 0.0
        self.awaited = self.discarded = self.rejected = self.landed = self.ended = self.preparing = False
        self.waiting: set[anyio.Event] = set()
        self.cancel_call: Callable[[], None] | None = None
        self.timers: list[Callable[[], None]] = []
        self._result: Any = None
        self.error: BaseException | None = None
        self.rendering: Rendering | None = None
        self.fault: Exception | None = None

    async def call(self, load: Callable[[], Any]) -> None:
        """Call ``load`` and keep its result or exception."""
        try:
            result = load()
            self._result = await result if inspect.isawaitable(result) else result
        except BaseException as error:  # whatever it raises, it must end nothing but this call
            if self.loop.is_ending():
                self.discarded = True
            self.failed(error)
            if is_interrupt(error):
                raise
        else:
            self.ended = True

    def end_with(self, result: Any) -> None:
        """End with the result of the call."""
        self._result = result
        self.ended = True

    def failed(self, error: BaseException) -> None:
        """End with the exception of the call."""
        self.error = error
        self.ended = True

    def large_result(self, is_large: Callable[[Any], bool]) -> Any:
        """Return the result of the call if it ``is_large``, else None."""
        return self._result if self.ended and self.error is None and is_large(self._result) else None

    def result(self) -> Any:
        """Return the result of the call.

        Raises:
            Exception: The call raised or timed out. Another ``BaseException`` is wrapped.
        """
        if not self.ended:
            raise TimeoutError(f"it took longer than {self._timeout:g} s")
        if self.error is None:
            return self._result
        if isinstance(self.error, Exception):
            raise self.error
        raise RuntimeError(f"it raised {error_text(self.error)}") from self.error


class SingleFlight:
    """Calls ``load`` once per host for all waiting requests.

    Loads of known sites begin at once. At most ``max_unknown`` loads of unknown hosts run at the same time;
    some wait in a queue, and the others are rejected and loaded when there is a slot. A rejected host that
    comes again goes before hosts that come for the first time, as random names do.

    Args:
        load: The application's callable, sync or async.
        land: Stores the result of a flight; returns its rendering, or None if it was discarded.
        is_large: Returns True if ``prepare`` must be called with the result first.
        prepare: Called in a thread with a large result; returns the value for ``land``. Its time doesn't
            count for the timeout.
        timeout: Seconds that a call may take.
        max_threads: Threads for a sync ``load``.
        max_unknown: Maximum number of simultaneous loads of unknown hosts.
        lock: Guards the tables here and those of the lookup.
        clock: The time in seconds.
    """

    def __init__(
        self,
        load: Callable[[str], Any],
        land: Callable[[Flight], Rendering | None],
        *,
        is_large: Callable[[Any], bool],
        prepare: Callable[[Any], Any],
        timeout: float,
        max_threads: int,
        max_unknown: int,
        lock: AbstractContextManager[Any],
        clock: Callable[[], float],
    ) -> None:
        # Not a request's context: the first request must not influence what all others get.
        self._context = copy_context()
        self._load, self._land, self._clock = load, land, clock
        self._is_large, self._prepare = is_large, prepare
        self._timeout = timeout
        self._max_unknown = max_unknown
        # One thread: more would only compete with the event loop for Python's global lock.
        self._render_thread = ThreadPool(1, "aipolicy-render")
        self._threads = None if is_async(load) else ThreadPool(max_threads, "aipolicy-load")
        self._numbers = count(1)
        self._lock = lock
        self.after_fork()
        survive_forks(self)

    def after_fork(self) -> None:
        self._in_flight: dict[bytes, list[Flight]] = {}  # for each host one in each event loop
        self._running: set[Flight] = set()  # flights of unknown hosts, each of which holds a slot
        self._preparing: set[Flight] = set()
        self._queue: deque[Flight] = deque()
        self._priority_queue: deque[Flight] = deque()  # of hosts that were rejected before
        self._rejected: OrderedDict[bytes, None] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of hosts that are being loaded."""
        return len(self._in_flight)

    async def wait(self, key: bytes, *, known: bool) -> Rendering | None:
        """Wait for the load of a host and return its rendering, or None if it was discarded.

        Raises:
            RejectedError: Too many unknown hosts are being loaded.
            Exception: ``land`` raised it.
        """
        flight = self._flight(key, known=known)
        flight.awaited = True
        if not flight.landed:
            # A client that disconnects cancels this wait, and nothing else.
            landed = anyio.Event()
            flight.waiting.add(landed)
            try:
                await landed.wait()
            finally:
                flight.waiting.discard(landed)
        if flight.rejected or not flight.landed:
            raise RejectedError
        if flight.fault is not None:
            raise flight.fault
        return flight.rendering

    def refresh(self, key: bytes) -> None:
        """Start to load a known site, unless it is being loaded."""
        self._flight(key, known=True)

    def discard(self, key: bytes) -> None:
        """Make the next request start a new load. May be called in any thread."""
        with self._lock:
            flights = self._in_flight.pop(key, [])
            self._rejected.pop(key, None)
        for flight in flights:
            flight.discarded = True
            self._end_soon(flight)

    def discard_all(self) -> None:
        """Do the same for every host."""
        for key in list(self._in_flight):
            self.discard(key)

    def _flight(self, key: bytes, *, known: bool) -> Flight:
        """Return the host's flight in this event loop, or start a new one.

        Raises:
            RejectedError: Too many unknown hosts are being loaded.
        """
        loop = running_loop()
        with self._lock:
            for flight in self._in_flight.get(key, ()):
                if flight.loop == loop:
                    return flight
            flight = Flight(key, loop, self._timeout)
            begins = known or self._takes_slot(flight)
            # A flight of an event loop that has ended never lands.
            others = [other for other in self._in_flight.get(key, ()) if not other.loop.is_over()]
            self._in_flight[key] = [*others, flight]
        if begins:
            self._begin_safely(flight)
        else:
            flight.timers.append(loop.later(self._timeout, partial(self._give_up, flight)))
        return flight

    def _takes_slot(self, flight: Flight) -> bool:
        """Return True if the flight may begin now, and False if it was queued.

        Raises:
            RejectedError: The queue is full.
        """
        if not self._is_full():
            self._running.add(flight)
            return True
        queue = self._priority_queue if flight.key in self._rejected else self._queue
        stuck = all(running.landed for running in self._running)  # timed out, and still running
        if stuck or len(queue) >= _MAX_QUEUED:
            self._rejected[flight.key] = None
            self._rejected.move_to_end(flight.key)
            if len(self._rejected) > _MAX_REJECTED:
                self._rejected.popitem(last=False)
            raise RejectedError
        queue.append(flight)
        return False

    def _is_full(self) -> bool:
        if len(self._running) >= self._max_unknown:
            self._running = {flight for flight in self._running if not flight.loop.is_over()}
        return len(self._running) >= self._max_unknown

    def _begin_safely(self, flight: Flight) -> None:
        if flight.landed:  # meanwhile
            self._free_slot(flight)
            return
        try:
            self._begin(flight)
        except Exception as error:  # the event loop is ending and starts no more tasks
            flight.fault, flight.discarded = error, True
            flight.failed(error)
            self._end(flight)

    def _begin(self, flight: Flight) -> None:
        """Call ``load``, in the flight's event loop."""
        flight.number = next(self._numbers)
        flight.began = self._clock()
        flight.timers.append(flight.loop.later(self._timeout, partial(self._end, flight)))
        host = flight.key.decode("ascii")
        if self._threads is None:
            self._start(flight, partial(self._load, host))
            return
        if self._threads.are_stuck(self._timeout):
            flight.failed(TimeoutError("every thread is busy with an earlier call that timed out"))
        else:
            try:
                load = partial(self._context.copy().run, self._load, host)
                self._threads.submit(partial(self._call_in_thread, flight, load))
                return
            except RuntimeError as error:
                flight.failed(error)
        self._end(flight)

    def _start(self, flight: Flight, load: Callable[[], Any]) -> None:
        def lost() -> None:
            flight.ended = flight.discarded = True
            self._end(flight)

        start = partial(flight.loop.start, partial(self._call, flight, load), lost)
        flight.cancel_call = self._context.copy().run(start)

    async def _call(self, flight: Flight, load: Callable[[], Any]) -> None:
        try:
            await flight.call(load)
        finally:
            self._end(flight)

    def _call_in_thread(self, flight: Flight, load: Callable[[], Any]) -> None:
        try:
            if flight.landed or flight.discarded:  # no request waits
                flight.ended = True
                return
            result = load()
            if inspect.isawaitable(result):
                self._threads = None  # a plain function that returns coroutines needs no thread
                flight.loop.soon(partial(self._await, flight, result))
                return
            flight.end_with(result)
        except BaseException as error:
            flight.failed(error)
        finally:
            if flight.ended:
                self._end_soon(flight)

    def _await(self, flight: Flight, result: Awaitable[Any]) -> None:
        try:
            self._start(flight, lambda: result)
        except Exception as error:  # the event loop is ending
            flight.discarded = True
            flight.failed(error)
            self._end(flight)
        else:
            if flight.landed and flight.cancel_call is not None:  # it timed out in the thread
                flight.cancel_call()

    def _end_soon(self, flight: Flight) -> None:
        try:
            flight.loop.soon(partial(self._end, flight))
        except RuntimeError:  # the event loop has ended, and the requests with it
            self._forget(flight)

    def _give_up(self, flight: Flight) -> None:
        """Answer the requests that wait for a queued flight. If it has begun, it continues without them."""
        if not flight.number:
            self._end(flight)
        for event in flight.waiting:
            event.set()

    def _end(self, flight: Flight) -> None:
        """Land a flight: its call has ended or timed out, or it was discarded.

        Called in the flight's event loop, and again when a call ends after it timed out.
        """
        if (
            not flight.landed
            and not flight.discarded
            and (flight.preparing or self._starts_preparing(flight))
        ):
            return
        if not flight.landed:
            flight.landed = True
            flight.rejected = not flight.number and not flight.discarded
            if flight.rejected:
                self._leave_queue(flight)
            else:
                try:
                    flight.rendering = self._land(flight)
                except Exception as error:  # a fault in aipolicy, to be raised in the waiting requests
                    flight.fault = error
            self._forget(flight)  # not before: an invalidation meanwhile must find the flight
            if not flight.ended and flight.cancel_call is not None:
                flight.cancel_call()
            for event in flight.waiting:
                event.set()
            for cancel in flight.timers:
                cancel()
        if flight.ended or not flight.number:
            self._free_slot(flight)

    def _starts_preparing(self, flight: Flight) -> bool:
        """Render a large result in a thread, after which the flight lands. Return False if it isn't large."""
        result = flight.large_result(self._is_large)
        if result is None:
            return False
        flight.preparing = True
        self._preparing.add(flight)
        try:
            self._render_thread.submit(partial(self._prepare_in_thread, flight, result))
        except RuntimeError:  # no thread can be started: ``land`` renders it
            flight.preparing = False
            self._preparing.discard(flight)
            return False
        for cancel in flight.timers:
            cancel()
        if len(self._preparing) <= _MAX_PREPARING:
            self._free_slot(flight)
        return True

    def _prepare_in_thread(self, flight: Flight, result: Any) -> None:
        try:
            if not flight.discarded:
                flight.end_with(self._prepare(result))
        except BaseException as error:
            flight.failed(error)
        finally:
            flight.preparing = False
            self._preparing.discard(flight)
            self._end_soon(flight)

    def _forget(self, flight: Flight) -> None:
        with self._lock:
            others = [other for other in self._in_flight.get(flight.key, ()) if other is not flight]
            if others:
                self._in_flight[flight.key] = others
            else:
                self._in_flight.pop(flight.key, None)

    def _leave_queue(self, flight: Flight) -> None:
        with self._lock:
            for queue in (self._queue, self._priority_queue):
                if flight in queue:
                    queue.remove(flight)

    def _free_slot(self, flight: Flight) -> None:
        """Free the slot of a flight, and begin flights that wait for one."""
        with self._lock:
            self._running.discard(flight)
            begin = []
            while not self._is_full() and (next_flight := self._next(flight.loop)) is not None:
                self._running.add(next_flight)
                begin.append(next_flight)
        for next_flight in begin:
            try:
                next_flight.loop.soon(partial(self._begin_safely, next_flight))
            except RuntimeError:  # that event loop has ended
                self._forget(next_flight)

    def _next(self, loop: Loop) -> Flight | None:
        for queue in (self._priority_queue, self._queue):
            while queue:
                flight = queue.popleft()
                if not flight.landed and not flight.discarded:
                    return flight
        while self._rejected:
            key, _ = self._rejected.popitem(last=False)
            if key not in self._in_flight:
                flight = Flight(key, loop, self._timeout)
                self._in_flight[key] = [flight]
                return flight
        return None
