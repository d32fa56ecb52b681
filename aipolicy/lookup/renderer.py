"""Policies to renderings: each policy is rendered once, and sites with equal policies share the bytes."""

import json
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from anyio import CapacityLimiter, to_thread
from cachetools import LRUCache

from aipolicy.core.memo import Memo
from aipolicy.core.policy import SitePolicy
from aipolicy.core.render import Rendering, render
from aipolicy.core.signals import Signals
from aipolicy.lookup.outage import logger

T = TypeVar("T")

_REMEMBERED = 512  # distinct policies; most sites have one of a handful, and the others 4 KB each
_TOLD = 4096  # policies whose robots.txt is cut, that were told of
LARGE = 16 * 1024
"""Bytes of a policy, or of a robots.txt, that are too many to be read in the event loop."""

_limiters: WeakKeyDictionary[object, CapacityLimiter] = WeakKeyDictionary()


async def in_background(function: Callable[..., T], *args: Any) -> T:
    """Call ``function`` in a thread, one such call at a time in an event loop.

    Two would take turns with the event loop at Python's lock, and forty would make each request wait for
    forty turns.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    limiter = _limiters.get(loop)
    if limiter is None:
        limiter = _limiters[loop] = CapacityLimiter(1)
    return await to_thread.run_sync(function, *args, limiter=limiter)


class Renderer:
    """Renders policies with the given switches, and remembers the renderings. Threads may share one."""

    def __init__(self, signals: Signals | None = None) -> None:
        self._signals = signals or Signals()
        self._memo: LRUCache[SitePolicy, Rendering] = LRUCache(_REMEMBERED)
        self._texts: LRUCache[bytes, Rendering] = LRUCache(_REMEMBERED)
        self._flags = {flag: SitePolicy.from_flag(flag) for flag in (True, False)}
        self._told: Memo[int, None] = Memo(_TOLD)
        self._lock = Lock()  # around the caches, never while a policy is rendered

    def rendering(self, policy: SitePolicy) -> Rendering:
        """The rendering that all sites with this policy share. Raises AIPolicyError."""
        anyones = policy.for_site("") if policy.site else policy
        with self._lock:
            rendering = self._memo.get(anyones)
        if rendering is None:
            rendering = self._rendered(anyones, policy.site)
            with self._lock:
                self._memo[anyones] = rendering
        return rendering

    def own(self, policy: SitePolicy) -> Rendering:
        """A rendering of ``policy`` that is shared with nobody. Raises AIPolicyError."""
        return self._rendered(policy, policy.site)

    def _rendered(self, policy: SitePolicy, site: str) -> Rendering:
        rendering = render(policy, self._signals)
        if rendering.cut and hash(policy) not in self._told:
            self._told.keep(hash(policy), None)
            logger.warning(
                "the robots.txt of %s is served cut, its headers as ever: %s", site or "a site", rendering.cut
            )
        return rendering

    def read(self, text: bytes) -> Rendering:
        """The rendering of a policy in JSON. Raises AIPolicyError, ValueError, RecursionError."""
        with self._lock:
            rendering = self._texts.get(text)
        if rendering is None:
            rendering = self.rendering(SitePolicy.from_dict(json.loads(text)))
            with self._lock:
                self._texts[text] = rendering
        return rendering

    def takes_long(self, text: bytes) -> bool:
        """Whether ``read`` may hold up an event loop: the text is large, and not remembered."""
        return len(text) > LARGE and text not in self._texts

    def answer(self, answer: Any) -> Rendering | None:
        """What ``load`` answered → rendering; None where the host is no site's.

        Raises TypeError for anything but a policy, a flag or None: a value that only looks true must never
        become somebody's choice.
        """
        if answer is None:
            return None
        if isinstance(answer, bool):
            return self.rendering(self._flags[answer])
        if isinstance(answer, SitePolicy):
            return self.rendering(answer)
        cure = "return a SitePolicy, True (opted out) or False, or None for a host that is no site's"
        raise TypeError(f"it returned {type(answer).__qualname__}: {cure}")

    async def answered(self, answer: Any) -> Rendering | None:
        """``answer``, with a large policy rendered in a thread."""
        if isinstance(answer, SitePolicy) and _is_large(answer):
            return await in_background(self.answer, answer)
        return self.answer(answer)


def _is_large(policy: SitePolicy) -> bool:
    entries = len(policy.path_preferences) + len(policy.sitemaps)
    return len(policy.robots_base or "") + 64 * entries > LARGE
