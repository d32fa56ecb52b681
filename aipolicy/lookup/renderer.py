"""Policies to renderings: each policy is rendered once, and sites with equal policies share the bytes."""

import json
from typing import Any
from weakref import WeakValueDictionary

from cachetools import LRUCache

from aipolicy.core.policy import SitePolicy
from aipolicy.core.render import Rendering, render
from aipolicy.core.signals import Signals
from aipolicy.lookup.weights import weigh

_REMEMBERED = 512  # distinct policies; most sites have one of a handful, and the others 4 KB each
_LARGE = 16 * 1024  # bytes; what is larger is not kept here, but shared while a site has it


class Renderer:
    """Renders policies with the given switches, and remembers the renderings."""

    def __init__(self, signals: Signals | None = None) -> None:
        self._signals = signals or Signals()
        # All that are in use anywhere; and the last ones, also where no site has them just now.
        self._in_use: WeakValueDictionary[SitePolicy, Rendering] = WeakValueDictionary()
        self._bases: WeakValueDictionary[str, Rendering] = WeakValueDictionary()
        self._memo: LRUCache[SitePolicy, Rendering] = LRUCache(_REMEMBERED)
        self._texts: LRUCache[bytes, Rendering] = LRUCache(_REMEMBERED)
        self._flags = {flag: SitePolicy.from_flag(flag) for flag in (True, False)}

    def rendering(self, policy: SitePolicy) -> Rendering:
        """The rendering that all sites with this policy share. Raises AIPolicyError."""
        anyones = policy.for_site("") if policy.site else policy
        rendering = self._in_use.get(anyones)
        if rendering is None:
            rendering = self._in_use[anyones] = self.own(self._with_shared_base(anyones))
        if weigh(rendering) <= _LARGE:
            self._memo[anyones] = rendering
        return rendering

    def _with_shared_base(self, policy: SitePolicy) -> SitePolicy:
        """Let ``policy`` have the very text that another one has as its robots.txt, where they are equal."""
        if policy.robots_base is not None:
            same = self._bases.get(policy.robots_base)
            if same is not None:  # an equal value: nobody can tell
                object.__setattr__(policy, "robots_base", same.policy.robots_base)
        return policy

    def own(self, policy: SitePolicy) -> Rendering:
        """A rendering of ``policy`` that is shared with nobody. Raises AIPolicyError."""
        rendering = render(policy, self._signals)
        if policy.robots_base is not None:
            self._bases.setdefault(policy.robots_base, rendering)
        return rendering

    def read(self, text: bytes) -> Rendering:
        """The rendering of a policy in JSON. Raises AIPolicyError, ValueError, RecursionError."""
        try:
            return self._texts[text]
        except KeyError:
            rendering = self.rendering(SitePolicy.from_dict(json.loads(text)))
            if len(text) <= _LARGE:
                self._texts[text] = rendering
            return rendering

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
        kind = type(answer)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        hint = " (bool(...) makes a flag of 0, 1 and the like)" if hasattr(kind, "__bool__") else ""
        fix = "return a SitePolicy, True (opted out) or False, or None for a host that is no site's"
        raise TypeError(f"it returned {name}: {fix}{hint}")
