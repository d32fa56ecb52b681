"""Event loops with virtual time, which jumps to the next event, so that hours of waiting take no time."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any

import trio
import trio.testing


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that advances the time instead of waiting."""

    loop: "JumpingLoop"

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing is due any more, and the test isn't over"
            self.loop.now += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """An asyncio event loop with virtual time."""

    def __init__(self) -> None:
        self.now = 1000.0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now


def run(backend: str, test: Callable[[Callable[[], float]], Awaitable[None]]) -> None:
    """Run ``test(clock)`` in virtual time."""
    if backend == "trio":
        clock = trio.testing.MockClock(autojump_threshold=0)
        trio.run(test, clock.current_time, clock=clock)
        return
    loop = JumpingLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(test(loop.time))  # type: ignore[arg-type]
