"""Policies to renderings: each policy is rendered once, and sites with equal policies share the bytes."""

import json
from typing import Any

from cachetools import LRUCache

from aipolicy.core.policy import SitePolicy
from aipolicy.core.render import Rendering, render
from aipolicy.core.signals import Signals

_REMEMBERED = 512  # distinct policies; most sites have one of a handful, and the others 4 KB each


class Renderer:
    """Renders policies with the given switches, and remembers the renderings."""

    def __init__(self, signals: Signals | None = None) -> None:
        self._signals = signals or Signals()
        self._memo: LRUCache[SitePolicy, Rendering] = LRUCache(_REMEMBERED)
        self._texts: LRUCache[bytes, Rendering] = LRUCache(_REMEMBERED)
        self._flags = {flag: SitePolicy.from_flag(flag) for flag in (True, False)}

    def rendering(self, policy: SitePolicy) -> Rendering:
        """The rendering that all sites with this policy share. Raises AIPolicyError."""
        anyones = policy.for_site("") if policy.site else policy
        try:
            return self._memo[anyones]
        except KeyError:
            rendering = self._memo[anyones] = self.own(anyones)
            return rendering

    def own(self, policy: SitePolicy) -> Rendering:
        """A rendering of ``policy`` that is shared with nobody. Raises AIPolicyError."""
        return render(policy, self._signals)

    def read(self, text: bytes) -> Rendering:
        """The rendering of a policy in JSON. Raises AIPolicyError, ValueError, RecursionError."""
        try:
            return self._texts[text]
        except KeyError:
            rendering = self._texts[text] = self.rendering(SitePolicy.from_dict(json.loads(text)))
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
        cure = "return a SitePolicy, True (opted out) or False, or None for a host that is no site's"
        raise TypeError(f"it returned {type(answer).__qualname__}: {cure}")
