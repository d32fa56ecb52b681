"""Loads under way: one a host, however many requests wait for it; unknown hosts have a share of them."""

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
from aipolicy.lookup.threads import Threads, is_async
from aipolicy.rendering import Rendering

_WAITING = 128  # unknown hosts whose load waits for its turn, and as many that come again
_RENDERING = 128  # loads that keep no place while their large policies are rendered: 64 MB of them
_MARKED = 1024  # unknown hosts that found no place, and are loaded when there is one


class CrowdedError(Exception):
    """Too many unknown hosts are being loaded: this one must do without for now."""


class Flight:
    """One load.

    ``number``, ``began``  tell when it began: in which order, and by the clock. Number 0: it has not begun.
    ``waited``             a request waits for it.
    ``over``               its call has ended, which may be long after ``landed``.
    ``finishing``          what it returned is being rendered.
    ``landed``             who waited has been answered.
    ``crowded``            there was no room for it in time.
    ``thrown_away``        whatever it finds is not wanted any more.
    """

    __slots__ = (
        "_answer", "_timeout", "began", "cancel_call", "crowded", "error", "fault",
        "finishing", "key", "landed", "loop", "number", "over", "rendering", "thrown_away", "timers",
        "waited", "waiting",
    )  # fmt: skip

    def __init__(self, key: bytes, loop: Loop, timeout: float) -> None:
        self.key, self.loop = key, loop
        self._timeout = timeout
        self.number = 0
        self.began = 0.0
        self.waited = self.thrown_away = self.crowded = self.landed = self.over = self.finishing = False
        self.waiting: set[anyio.Event] = set()
        self.cancel_call: Callable[[], None] | None = None
        self.timers: list[Callable[[], None]] = []
        self._answer: Any = None
        self.error: BaseException | None = None
        self.rendering: Rendering | None = None
        self.fault: Exception | None = None

    async def call(self, load: Callable[[], Any]) -> None:
        """Call ``load``, and keep what it returns or raises; ``over`` says that it has ended."""
        try:
            answer = load()
            self._answer = await answer if inspect.isawaitable(answer) else answer
        except BaseException as error:  # whatever it raises, it must end nobody but itself
            if self.loop.is_ending():
                self.thrown_away = True
            self.failed(error)
            if is_interrupt(error):
                raise
        else:
            self.over = True

    def failed(self, error: BaseException) -> None:
        """The call raised ``error``."""
        self.error = error
        self.over = True

    def answered(self, answer: Any) -> None:
        """The call returned."""
        self._answer = answer
        self.over = True

    def answer_to_prepare(self, is_large: Callable[[Any], bool]) -> Any:
        """Return what the call returned if that ``is_large``, else None."""
        return self._answer if self.over and self.error is None and is_large(self._answer) else None

    def result(self) -> Any:
        """Return what the call returned. Raises an Exception, whatever else happened."""
        if not self.over:
            raise TimeoutError(f"it took longer than {self._timeout:g} s")
        if self.error is None:
            return self._answer
        if isinstance(self.error, Exception):
            raise self.error
        raise RuntimeError(f"it raised {error_text(self.error)}") from self.error


class Flights:
    """Calls ``load`` once for all who wait, for at most ``timeout`` seconds.

    ``land(flight)`` keeps the result, and returns its rendering, or None where it was thrown away. An answer
    that ``is_large`` goes through ``prepare`` before, in a thread: that is our work, which is bounded, and
    none of the load's time.

    At most ``unknown`` loads of hosts that aren't known to be sites run at once, and a few wait for their
    turn. Others are refused, and loaded when there is room. A host that was refused and comes again goes
    before those that come once, as random names do. Loads of known sites never wait behind them.
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
        unknown: int,
        lock: AbstractContextManager[Any],
        clock: Callable[[], float],
    ) -> None:
        # Of no request: whoever asks first must not decide what all get.
        self._context = copy_context()
        self._load, self._land, self._clock = load, land, clock
        self._is_large, self._prepare = is_large, prepare
        self._timeout = timeout
        self._unknown = unknown
        # One: more would only take turns with the event loop at Python's lock.
        self._preparing = Threads(1, "aipolicy-render")
        self._threads = None if is_async(load) else Threads(max_threads, "aipolicy-load")
        self._numbers = count(1)
        self._lock = lock
        self.after_fork()
        survive_forks(self)

    def after_fork(self) -> None:
        self._under_way: dict[bytes, list[Flight]] = {}  # of one host one in each event loop
        self._running: set[Flight] = set()  # those of unknown hosts
        self._finishing: set[Flight] = set()
        self._queue: deque[Flight] = deque()
        self._returning: deque[Flight] = deque()
        self._marked: OrderedDict[bytes, None] = OrderedDict()

    def __len__(self) -> int:
        """Return how many hosts are being loaded."""
        return len(self._under_way)

    async def wait(self, key: bytes, *, known: bool) -> Rendering | None:
        """Return what the load of that host leads to, or None where it was thrown away meanwhile.

        Raises CrowdedError; what ``land`` raised.
        """
        flight = self._flight(key, known=known)
        flight.waited = True
        if not flight.landed:
            # A client that hangs up ends its own waiting, and nothing else.
            landed = anyio.Event()
            flight.waiting.add(landed)
            try:
                await landed.wait()
            finally:
                flight.waiting.discard(landed)
        if flight.crowded or not flight.landed:
            raise CrowdedError
        if flight.fault is not None:
            raise flight.fault
        return flight.rendering

    def refresh(self, key: bytes) -> None:
        """Load a known site, unless that is under way, and let nobody wait for it."""
        self._flight(key, known=True)

    def throw_away(self, key: bytes) -> None:
        """Let a request that comes from now on start a new load. From any thread."""
        with self._lock:
            flights = self._under_way.pop(key, [])
            self._marked.pop(key, None)
        for flight in flights:
            self._throw_away(flight)

    def throw_all_away(self) -> None:
        """Do so with all hosts."""
        for key in list(self._under_way):
            self.throw_away(key)

    def _throw_away(self, flight: Flight) -> None:
        flight.thrown_away = True
        try:
            flight.loop.soon(partial(self._end, flight))
        except RuntimeError:  # the event loop has ended, and who waited with it
            self._forget(flight)

    def _flight(self, key: bytes, *, known: bool) -> Flight:
        """Return the one under way in this event loop, or a new one. Raises CrowdedError."""
        loop = running_loop()
        with self._lock:
            for flight in self._under_way.get(key, ()):
                if flight.loop == loop:
                    return flight
            flight = Flight(key, loop, self._timeout)
            begins = known or self._takes_place(flight)
            # Those of an event loop that has ended will never land.
            others = [other for other in self._under_way.get(key, ()) if not other.loop.is_over()]
            self._under_way[key] = [*others, flight]
        if begins:
            self._begin_safely(flight)
        else:
            flight.timers.append(loop.later(self._timeout, partial(self._let_go, flight)))
        return flight

    def _takes_place(self, flight: Flight) -> bool:
        """Return True if it may begin; else it waits for its turn. Raises CrowdedError where it can't."""
        if not self._is_full():
            self._running.add(flight)
            return True
        queue = self._returning if flight.key in self._marked else self._queue
        stuck = all(running.landed for running in self._running)  # out of time, and not over
        if stuck or len(queue) >= _WAITING:
            self._marked[flight.key] = None
            self._marked.move_to_end(flight.key)
            if len(self._marked) > _MARKED:
                self._marked.popitem(last=False)
            raise CrowdedError
        queue.append(flight)
        return False

    def _is_full(self) -> bool:
        if len(self._running) >= self._unknown:
            self._running = {flight for flight in self._running if not flight.loop.is_over()}
        return len(self._running) >= self._unknown

    def _begin_safely(self, flight: Flight) -> None:
        if flight.landed:  # while its turn came
            self._make_room(flight)
            return
        try:
            self._begin(flight)
        except Exception as error:  # the event loop is ending, and starts no task any more
            flight.fault, flight.thrown_away = error, True
            flight.failed(error)
            self._end(flight)

    def _begin(self, flight: Flight) -> None:
        """Call ``load``; in the flight's event loop."""
        flight.number = next(self._numbers)
        flight.began = self._clock()
        flight.timers.append(flight.loop.later(self._timeout, partial(self._end, flight)))
        host = flight.key.decode("ascii")
        if self._threads is None:
            self._start(flight, partial(self._load, host))
            return
        if self._threads.are_stuck(self._timeout):
            flight.failed(TimeoutError("every thread hangs in an earlier call"))
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
            flight.over = flight.thrown_away = True
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
            if flight.landed or flight.thrown_away:  # nobody waits any more
                flight.over = True
                return
            answer = load()
            if inspect.isawaitable(answer):
                self._threads = None  # a plain function that returns coroutines needs no thread
                flight.loop.soon(partial(self._await, flight, answer))
                return
            flight.answered(answer)
        except BaseException as error:
            flight.failed(error)
        finally:
            if flight.over:
                self._end_soon(flight)

    def _await(self, flight: Flight, answer: Awaitable[Any]) -> None:
        try:
            self._start(flight, lambda: answer)
        except Exception as error:  # the event loop is ending
            flight.thrown_away = True
            flight.failed(error)
            self._end(flight)
        else:
            if flight.landed and flight.cancel_call is not None:  # it took its time in the thread
                flight.cancel_call()

    def _end_soon(self, flight: Flight) -> None:
        try:
            flight.loop.soon(partial(self._end, flight))
        except RuntimeError:  # the event loop has ended, and who waited with it
            self._forget(flight)

    def _let_go(self, flight: Flight) -> None:
        """Let nobody wait any longer for one that waited for its turn; what has begun may go on."""
        if not flight.number:
            self._end(flight)
        for event in flight.waiting:
            event.set()

    def _end(self, flight: Flight) -> None:
        """Land where that is due: the call is over, or out of time, or thrown away.

        In the flight's event loop. Called again when a call is over that was given up before.
        """
        if not flight.landed and not flight.thrown_away and (flight.finishing or self._finish(flight)):
            return
        if not flight.landed:
            flight.landed = True
            flight.crowded = not flight.number and not flight.thrown_away
            if flight.crowded:
                self._leave_queue(flight)
            else:
                try:
                    flight.rendering = self._land(flight)
                except Exception as error:  # a fault of ours, and for those who wait
                    flight.fault = error
            self._forget(flight)  # not before: an invalidation that comes while it lands must find it
            if not flight.over and flight.cancel_call is not None:
                flight.cancel_call()
            for event in flight.waiting:
                event.set()
            for cancel in flight.timers:
                cancel()
        if flight.over or not flight.number:
            self._make_room(flight)

    def _finish(self, flight: Flight) -> bool:
        """Begin to prepare a large answer; then the load's time is no longer counted."""
        answer = flight.answer_to_prepare(self._is_large)
        if answer is None:
            return False
        flight.finishing = True
        self._finishing.add(flight)
        try:
            self._preparing.submit(partial(self._finish_in_thread, flight, answer))
        except RuntimeError:  # no thread can be started: landing renders it
            flight.finishing = False
            self._finishing.discard(flight)
            return False
        for cancel in flight.timers:
            cancel()
        if len(self._finishing) <= _RENDERING:
            self._make_room(flight)
        return True

    def _finish_in_thread(self, flight: Flight, answer: Any) -> None:
        try:
            if not flight.thrown_away:
                flight.answered(self._prepare(answer))
        except BaseException as error:
            flight.failed(error)
        finally:
            flight.finishing = False
            self._finishing.discard(flight)
            self._end_soon(flight)

    def _forget(self, flight: Flight) -> None:
        with self._lock:
            others = [other for other in self._under_way.get(flight.key, ()) if other is not flight]
            if others:
                self._under_way[flight.key] = others
            else:
                self._under_way.pop(flight.key, None)

    def _leave_queue(self, flight: Flight) -> None:
        with self._lock:
            for queue in (self._queue, self._returning):
                if flight in queue:
                    queue.remove(flight)

    def _make_room(self, flight: Flight) -> None:
        """Let those begin that wait for their turn, now that ``flight`` needs no place any more."""
        with self._lock:
            self._running.discard(flight)
            begin = []
            while not self._is_full() and (following := self._next(flight.loop)) is not None:
                self._running.add(following)
                begin.append(following)
        for following in begin:
            try:
                following.loop.soon(partial(self._begin_safely, following))
            except RuntimeError:  # that event loop has ended
                self._forget(following)

    def _next(self, loop: Loop) -> Flight | None:
        for queue in (self._returning, self._queue):
            while queue:
                flight = queue.popleft()
                if not flight.landed and not flight.thrown_away:
                    return flight
        while self._marked:
            key, _ = self._marked.popitem(last=False)
            if key not in self._under_way:
                flight = Flight(key, loop, self._timeout)
                self._under_way[key] = [flight]
                return flight
        return None
