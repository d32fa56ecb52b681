"""A renderer that renders each policy once: sites with equal policies share one rendering."""

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

from aipolicy.core.bounded_cache import BoundedCache
from aipolicy.core.policy import PRESETS, Preset, SitePolicy, preset_named
from aipolicy.forks import survive_forks
from aipolicy.lookup.base import value_text
from aipolicy.lookup.generational_cache import rendering_size
from aipolicy.lookup.throttled_log import logger
from aipolicy.rendering import Rendering, render
from aipolicy.signals.switches import Signals

T = TypeVar("T")

LoadResult = SitePolicy | Preset | bool | Literal[0, 1] | None
"""The policy of a host as ``load`` may return it.

True or 1 is an opt-out, False or 0 states nothing, and None is an unknown host. The name of a preset or a
policy can state more.
"""

_FIX = (
    "return True (opted out), False, the name of a preset ('unset', 'no-training', 'no-ai' or 'allow'), "
    "a SitePolicy, or None for an unknown host"
)

_CACHED = 512  # distinct policies; most sites have one of a handful, and the others take 4 KB each
LARGE = 16 * 1024
"""Size in bytes above which a policy is rendered in a thread, and cached only while a site has it."""

_MAX_LOGGED = 4096  # policies whose shortened robots.txt has a line in the log
_MAX_LATEST = 4  # large renderings that were just made and that no site has yet
_limiter: RunVar[CapacityLimiter] = RunVar("aipolicy.lookup.renderer.limiter")


async def in_background(function: Callable[..., T], *args: Any) -> T:
    """Call a function in a thread, two at a time in each event loop.

    More would compete with the event loop for Python's global lock, and slow down every request.
    """
    limiter = _limiter.get(None)
    if limiter is None:
        limiter = CapacityLimiter(2)
        _limiter.set(limiter)
    return await to_thread.run_sync(function, *args, limiter=limiter)


class Renderer:
    """Renders policies and caches the renderings. Safe to share between threads."""

    def __init__(self, signals: Signals | None = None) -> None:
        self._signals = signals or Signals()
        self._flags = {flag: SitePolicy.from_flag(flag) for flag in (True, False)}
        self._presets = {preset: SitePolicy.from_preset(preset) for preset in PRESETS}
        self.after_fork()
        survive_forks(self)

    def after_fork(self) -> None:
        """Start with empty caches: another thread of the parent may have been changing them."""
        # Not fork_safe_lock, of which a thread may hold only one: a lookup holds its own meanwhile.
        self._lock = Lock()  # guards the caches; never held while a policy is rendered
        self._large_lock = Lock()
        # Every rendering that is in use, and the latest ones, which may no longer be in use.
        self._in_use: WeakValueDictionary[SitePolicy, Rendering] = WeakValueDictionary()
        self._bases: WeakValueDictionary[str, Rendering] = WeakValueDictionary()
        self._recent: LRUCache[SitePolicy, Rendering] = LRUCache(_CACHED)
        self._texts: LRUCache[bytes, Rendering] = LRUCache(_CACHED)
        self._latest: deque[tuple[bytes, Rendering]] = deque(maxlen=_MAX_LATEST)
        self._logged: BoundedCache[int, None] = BoundedCache(_MAX_LOGGED)

    def rendering(self, policy: SitePolicy) -> Rendering:
        """Return the rendering that all sites with this policy share.

        Raises:
            AIPolicyError: The policy can't be rendered.
        """
        shared = policy.for_site("") if policy.site else policy
        with self._lock:
            rendering = self._in_use.get(shared)
        if rendering is None:
            rendering = self.unshared(self._with_shared_base(shared), policy.site)
        with self._lock:
            rendering = self._in_use.setdefault(shared, rendering)
            if rendering_size(rendering) <= LARGE:
                self._recent[shared] = rendering
        return rendering

    def _with_shared_base(self, policy: SitePolicy) -> SitePolicy:
        """Replace the policy's own robots.txt by an equal string that another policy has in memory."""
        if policy.robots_base is not None:
            with self._lock:
                same = self._bases.get(policy.robots_base)
            if same is not None:  # an equal value, so the frozen policy doesn't change
                object.__setattr__(policy, "robots_base", same.policy.robots_base)
        return policy

    def unshared(self, policy: SitePolicy, site: str = "") -> Rendering:
        """Return a new rendering, which is not cached.

        Args:
            site: The site's name in the log, if it isn't in the policy.

        Raises:
            AIPolicyError: The policy can't be rendered.
        """
        rendering = render(policy, self._signals)
        if policy.robots_base is not None:
            with self._lock:
                self._bases.setdefault(policy.robots_base, rendering)
        if rendering.cut and hash(policy) not in self._logged:
            self._logged.keep(hash(policy), None)
            name = site or policy.site or "a site"
            logger.warning("robots.txt of %s is shortened, its headers are complete: %s", name, rendering.cut)
        return rendering

    def read(self, text: bytes) -> Rendering:
        """Return the rendering of a policy in JSON.

        Raises:
            AIPolicyError, ValueError, RecursionError: The text is invalid.
        """
        with self._lock:
            rendering = self._texts.get(text)
        if rendering is None:
            rendering = self.rendering(SitePolicy.from_dict(json.loads(text)))
            if len(text) <= LARGE:
                with self._lock:
                    self._texts[text] = rendering
        return rendering

    def read_large(self, text: bytes) -> Rendering:
        """Do the same for a large policy, in a thread: one policy at a time, each once."""
        with self._large_lock:
            for known, rendering in self._latest:
                if known == text:
                    return rendering
            rendering = self.read(text)
            self._latest.append((text, rendering))
            return rendering

    def prepare(self, policy: SitePolicy) -> "Prepared":
        """Render a large policy that ``load`` returned, in a thread: one policy at a time, each once.

        Returns:
            A value to pass to ``answer`` instead of the policy.

        Raises:
            AIPolicyError: The policy can't be rendered.
        """
        with self._large_lock:
            rendering = self.rendering(policy)
            # Kept: if the site is invalidated meanwhile, its next load finds the rendering.
            self._latest.append((b"", rendering))
            return Prepared(rendering)

    def answer(self, result: object) -> Rendering | None:
        """Return the rendering for what ``load`` returned, or None for an unknown host.

        Raises:
            TypeError: It isn't a ``LoadResult``. A misspelt preset or an empty dict, which Python takes for
                true or false, must not become an owner's choice.
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
            return self._presets[preset_named(result)]
        numpy = sys.modules.get("numpy")
        value = result.item() if numpy and isinstance(result, numpy.generic) else result
        if type(value) in (bool, int) and value in (0, 1):  # not an enumeration, whose 1 may mean anything
            return self._flags[bool(value)]
        raise TypeError(f"it returned {value_text(result)}; {_FIX}")


class Prepared:
    """The rendering of a large policy that ``load`` returned, made in a thread."""

    __slots__ = ("rendering",)

    def __init__(self, rendering: Rendering) -> None:
        self.rendering = rendering


def is_large(result: object) -> bool:
    """Return True for a policy that would take too long to render in an event loop."""
    if not isinstance(result, SitePolicy):
        return False
    entries = len(result.path_preferences) + len(result.sitemaps)
    return len(result.robots_base or "") + 64 * entries > LARGE
