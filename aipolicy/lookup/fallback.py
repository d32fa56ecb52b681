"""What is served in place of an answer that can't be had: never more permissive than the last good one."""

from contextlib import suppress
from dataclasses import replace
from weakref import WeakKeyDictionary

from cachetools import LRUCache

from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.errors import AIPolicyError
from aipolicy.lookup.byte_count import weigh
from aipolicy.lookup.renderer import Renderer
from aipolicy.lookup.throttled_log import logger
from aipolicy.rendering import Rendering

_REMEMBERED = 16 * 1024 * 1024  # bytes
_MOST_PATHS = 500  # of a policy that is combined with the default path by path, in the event loop


class Fallback:
    """The default's rendering, and the choice between it and a last good answer."""

    def __init__(self, renderer: Renderer, default: SitePolicy) -> None:
        self._renderer = renderer
        # Not the one that sites share: being this very object tells that a host is no site's.
        self.default = renderer.own(default)
        # It refers to both; their files differ.
        self._strict: LRUCache[Rendering, Rendering] = LRUCache(
            _REMEMBERED, getsizeof=lambda rendering: 2 * weigh(rendering)
        )
        # Of large renderings, as long as a site has them.
        self._prepared: WeakKeyDictionary[Rendering, Rendering] = WeakKeyDictionary()

    def instead(self, last: Rendering, *, recent: bool) -> Rendering:
        """What to serve while the host's answer can't be had; ``last`` is the last good one.

        An opt-out holds for as long as the failure lasts. Anything else holds while it is ``recent``: then
        the default takes its place, together with all that the owner refused.
        """
        if recent or last.policy.opted_out:
            return last
        prepared = self._prepared.get(last)
        if prepared is not None:
            return prepared
        try:
            return self._strict[last]
        except KeyError:
            strict = self._default_and_refusals(last.policy)
            with suppress(ValueError):  # too large to be remembered
                self._strict[last] = strict
            return strict

    def prepare(self, large: Rendering) -> None:
        """Make what is served instead of ``large`` one day, in the thread that rendered it."""
        if not large.policy.opted_out and large not in self._prepared:
            self._prepared[large] = self._default_and_refusals(large.policy)

    def smaller(self, last: Rendering) -> Rendering | None:
        """Return what says no less than ``last`` refuses, and takes little memory; None where ``last`` is it.

        Few sites have others than the same few: what a path refuses is refused for the whole site.
        """
        policy = last.policy
        preferences = _without_paths(policy).preferences
        smaller = self._renderer.rendering(
            SitePolicy(site="", preferences=preferences, visibility=policy.visibility)
        )
        return None if smaller.policy == policy else smaller

    def _default_and_refusals(self, policy: SitePolicy) -> Rendering:
        if len(policy.path_preferences) > _MOST_PATHS:
            policy = _without_paths(policy)
        strict = with_refusals(self.default.policy, policy)
        if strict == self.default.policy:
            return self.default
        try:
            return self._renderer.rendering(strict)
        except AIPolicyError:
            logger.exception("a stale policy could not be combined with the default, which is served alone")
            return self.default


def with_refusals(default: SitePolicy, policy: SitePolicy) -> SitePolicy:
    """``default``, and all that ``policy``, which is not opted out, refuses. Its grants are not taken over.

    The site's own robots.txt and its other declarations stay: they lift nothing.
    """
    refused = _refusals(policy.preferences)
    # A path of one may lie within a path of the other, and only one of both will bind: it says it all.
    paths = {
        path: default.preferences.combined(refused).combined(_refusals(p, *_all(default)))
        for path, p in policy.path_preferences
    } | {
        path: p.over(default.preferences).combined(refused).combined(_refusals(*_all(policy)))
        for path, p in default.path_preferences
    }
    return replace(
        policy,
        site="",
        preferences=default.preferences.combined(refused),
        visibility=default.visibility,
        licensed=tuple(token for token in default.licensed if token in policy.licensed),
        path_preferences=tuple(paths.items()),
    )


def _without_paths(policy: SitePolicy) -> SitePolicy:
    """Return ``policy`` with what any path refuses refused for the whole site."""
    preferences = policy.preferences.combined(_refusals(*_all(policy)))
    return replace(policy, preferences=preferences, path_preferences=())


def _all(policy: SitePolicy) -> list[Preferences]:
    return [preferences for _, preferences in policy.path_preferences]


def _refusals(*stated: Preferences) -> Preferences:
    """What any of ``stated`` disallows, and nothing else."""
    return Preferences(
        *(
            Preference.DISALLOW if any(p.disallows(c) for p in stated) else Preference.UNKNOWN
            for c in Category
        )
    )
