"""Policies to renderings: each policy is rendered once, and sites with equal policies share the bytes."""

import json
import sys
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Any, Literal, TypeVar
from weakref import WeakValueDictionary

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from cachetools import LRUCache

from aipolicy.core.bounded_cache import Memo
from aipolicy.core.policy import PRESETS, Preset, SitePolicy
from aipolicy.forks import survive_forks
from aipolicy.lookup.base import value_text
from aipolicy.lookup.byte_count import weigh
from aipolicy.lookup.throttled_log import logger
from aipolicy.rendering import Rendering, render
from aipolicy.signals.switches import Signals

T = TypeVar("T")

LoadResult = SitePolicy | Preset | bool | Literal[0, 1] | None
"""The policy of a host as ``load`` may return it.

True, or 1 as databases have it, is an opt-out; False or 0 states nothing; None is an unknown host. A policy
and the name of a preset say more.
"""

_FIX = (
    "return True (opted out), False, the name of a preset ('unset', 'no-training', 'no-ai' or 'allow'), "
    "a SitePolicy, or None for an unknown host"
)

_REMEMBERED = 512  # distinct policies; most sites have one of a handful, and the others 4 KB each
LARGE = 16 * 1024
"""Bytes: what is larger is not kept here, but shared while a site has it; and not read in an event loop."""

_TOLD = 4096  # policies of which the log says that their robots.txt is cut
_LATEST = 4  # large ones that were just rendered, and may be asked for again before a site has them
_limiter: RunVar[CapacityLimiter] = RunVar("aipolicy.lookup.renderer.limiter")


async def in_background(function: Callable[..., T], *args: Any) -> T:
    """Call ``function`` in a thread, few of them at a time in an event loop.

    Many would take turns with the event loop at Python's lock, and each request would wait for all turns.
    """
    limiter = _limiter.get(None)
    if limiter is None:
        limiter = CapacityLimiter(2)
        _limiter.set(limiter)
    return await to_thread.run_sync(function, *args, limiter=limiter)


class Renderer:
    """Renders policies with the given switches, and remembers the renderings. Threads may share one."""

    def __init__(self, signals: Signals | None = None) -> None:
        self._signals = signals or Signals()
        self._flags = {flag: SitePolicy.from_flag(flag) for flag in (True, False)}
        self._presets = {preset: SitePolicy.from_preset(preset) for preset in PRESETS}
        self.after_fork()
        survive_forks(self)

    def after_fork(self) -> None:
        """Begin anew: another thread of the parent may have been amid a change."""
        # Plain locks: they are taken while a lookup holds its own.
        self._lock = Lock()  # around the caches, never while a policy is rendered
        self._one_at_a_time = Lock()
        # All that are in use anywhere; and the last ones, also where no site has them just now.
        self._in_use: WeakValueDictionary[SitePolicy, Rendering] = WeakValueDictionary()
        self._bases: WeakValueDictionary[str, Rendering] = WeakValueDictionary()
        self._memo: LRUCache[SitePolicy, Rendering] = LRUCache(_REMEMBERED)
        self._texts: LRUCache[bytes, Rendering] = LRUCache(_REMEMBERED)
        self._latest: deque[tuple[bytes, Rendering]] = deque(maxlen=_LATEST)
        self._told: Memo[int, None] = Memo(_TOLD)

    def rendering(self, policy: SitePolicy) -> Rendering:
        """The rendering that all sites with this policy share. Raises AIPolicyError."""
        anyones = policy.for_site("") if policy.site else policy
        with self._lock:
            rendering = self._in_use.get(anyones)
        if rendering is None:
            rendering = self.own(self._with_shared_base(anyones), policy.site)
        with self._lock:
            rendering = self._in_use.setdefault(anyones, rendering)
            if weigh(rendering) <= LARGE:
                self._memo[anyones] = rendering
        return rendering

    def _with_shared_base(self, policy: SitePolicy) -> SitePolicy:
        """Let ``policy`` have the very text that another one has as its robots.txt, where they are equal."""
        if policy.robots_base is not None:
            with self._lock:
                same = self._bases.get(policy.robots_base)
            if same is not None:  # an equal value: nobody can tell
                object.__setattr__(policy, "robots_base", same.policy.robots_base)
        return policy

    def own(self, policy: SitePolicy, site: str = "") -> Rendering:
        """A rendering of ``policy`` that is shared with nobody. Raises AIPolicyError."""
        rendering = render(policy, self._signals)
        if policy.robots_base is not None:
            with self._lock:
                self._bases.setdefault(policy.robots_base, rendering)
        if rendering.cut and hash(policy) not in self._told:
            self._told.keep(hash(policy), None)
            name = site or policy.site or "a site"
            logger.warning("the robots.txt of %s is served cut, its headers in full: %s", name, rendering.cut)
        return rendering

    def read(self, text: bytes) -> Rendering:
        """The rendering of a policy in JSON. Raises AIPolicyError, ValueError, RecursionError."""
        with self._lock:
            rendering = self._texts.get(text)
        if rendering is None:
            rendering = self.rendering(SitePolicy.from_dict(json.loads(text)))
            if len(text) <= LARGE:
                with self._lock:
                    self._texts[text] = rendering
        return rendering

    def read_large(self, text: bytes) -> Rendering:
        """``read`` for a thread: one at a time, and once for all who ask for the same. Raises as it does."""
        with self._one_at_a_time:
            for known, rendering in self._latest:
                if known == text:
                    return rendering
            rendering = self.read(text)
            self._latest.append((text, rendering))
            return rendering

    def prepare(self, answer: SitePolicy) -> "Prepared":
        """Render the large policy that ``load`` returned, in a thread; ``answer`` takes what this returns.

        One at a time, and once for all who ask for the same. Raises AIPolicyError.
        """
        with self._one_at_a_time:
            rendering = self.rendering(answer)
            # Held: a site that is invalidated meanwhile finds it at its next load.
            self._latest.append((b"", rendering))
            return Prepared(rendering)

    def answer(self, result: object) -> Rendering | None:
        """Return the rendering for what ``load`` returned, or None for an unknown host.

        Raises:
            TypeError: It is no ``LoadResult``. A value that is only true or false in Python, like a
                misspelt preset or an empty dict, must not become an owner's choice.
        """
        if result is None:
            return None
        if isinstance(result, Prepared):
            return result.rendering
        return self.rendering(self._policy(result))

    def _policy(self, result: object) -> SitePolicy:
        if isinstance(result, SitePolicy):
            return result
        if isinstance(result, str) and result in PRESETS:
            return self._presets[result]
        numpy = sys.modules.get("numpy")
        value = result.item() if numpy and isinstance(result, numpy.generic) else result
        if type(value) in (bool, int) and value in (0, 1):  # no enumeration, whose 1 may mean anything
            return self._flags[bool(value)]
        raise TypeError(f"it returned {value_text(result)}; {_FIX}")


class Prepared:
    """The rendering of a large policy that ``load`` returned."""

    __slots__ = ("rendering",)

    def __init__(self, rendering: Rendering) -> None:
        self.rendering = rendering


def is_large(answer: Any) -> bool:
    """Return True for a policy that takes too long to render for an event loop."""
    if not isinstance(answer, SitePolicy):
        return False
    entries = len(answer.path_preferences) + len(answer.sitemaps)
    return len(answer.robots_base or "") + 64 * entries > LARGE
