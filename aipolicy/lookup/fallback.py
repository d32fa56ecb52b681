"""The policy that is served while a host's own can't be read: it allows no more than the last good one.

The default is the policy of hosts that the source doesn't have. It may say nothing, so it is served only if
the source said so. Where the source gave no answer, the host may be a site that opted out, and the strict
default is served: the default without its grants, and with AI training disallowed.
"""

from contextlib import suppress
from dataclasses import replace
from weakref import WeakKeyDictionary

from cachetools import LRUCache

from aipolicy.core.policy import PRESETS, SitePolicy
from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.errors import AIPolicyError
from aipolicy.lookup.generational_cache import rendering_size
from aipolicy.lookup.renderer import Renderer
from aipolicy.lookup.throttled_log import logger
from aipolicy.rendering import Rendering

_MAX_CACHED = 16 * 1024 * 1024  # bytes
_MAX_PATHS = 500  # of a policy that is combined with the default path by path in the event loop


class Fallback:
    """The renderings of the default and of the strict default, and what is served if the source fails.

    Attributes:
        default: The rendering for hosts that the source doesn't have.
        strict_default: The rendering for hosts of which nothing is known; the same object if the default is
            as strict.
    """

    def __init__(self, renderer: Renderer, default: SitePolicy) -> None:
        self._renderer = renderer
        # Unshared: the middleware knows an unknown host by this very object.
        self.default = renderer.unshared(default)
        strict = strict_default(default)
        self.strict_default = self.default if strict == default else renderer.unshared(strict)
        # The size counts key and value, which have different files.
        self._strict: LRUCache[Rendering, Rendering] = LRUCache(
            _MAX_CACHED, getsizeof=lambda rendering: 2 * rendering_size(rendering)
        )
        # Fallbacks of large renderings, for as long as a site has them.
        self._prepared: WeakKeyDictionary[Rendering, Rendering] = WeakKeyDictionary()

    def choose(self, last: Rendering, *, recent: bool) -> Rendering:
        """Return the rendering to serve while the host's own policy can't be read.

        An opt-out is served for as long as the failure lasts. Any other policy is served while it is
        ``recent``, and then the strict default together with everything that the owner disallowed.

        Args:
            last: The last good answer: ``default`` if the source doesn't have the host, and
                ``strict_default`` if it never answered.
            recent: True if ``last`` is not older than ``max_stale``.
        """
        if recent:
            return last
        if last is self.default:
            return self.strict_default
        if last.policy.opted_out:
            return last
        prepared = self._prepared.get(last)
        if prepared is not None:
            return prepared
        try:
            return self._strict[last]
        except KeyError:
            strict = self._strict_and_refusals(last.policy)
            with suppress(ValueError):  # too large for the cache
                self._strict[last] = strict
            return strict

    def name(self, rendering: Rendering) -> str:
        """Return the words for a rendering that is served after a failure, for the log."""
        if rendering is self.default:
            return "the default policy"
        return "the strict default" if rendering is self.strict_default else "its last good answer"

    def prepare(self, large: Rendering) -> None:
        """Render the fallback of a large rendering, in the thread that made that one."""
        if not large.policy.opted_out and large not in self._prepared:
            self._prepared[large] = self._strict_and_refusals(large.policy)

    def smaller(self, last: Rendering) -> Rendering | None:
        """Return a small rendering that disallows at least what ``last`` does, or None if ``last`` is small.

        It disallows on the whole site what ``last`` disallows on any path, so most sites share a few of them.
        """
        policy = last.policy
        preferences = _without_paths(policy).preferences
        smaller = self._renderer.rendering(
            SitePolicy(site="", preferences=preferences, visibility=policy.visibility)
        )
        return None if smaller.policy == policy else smaller

    def _strict_and_refusals(self, policy: SitePolicy) -> Rendering:
        if len(policy.path_preferences) > _MAX_PATHS:
            policy = _without_paths(policy)
        strict = with_refusals(self.strict_default.policy, policy)
        if strict == self.strict_default.policy:
            return self.strict_default
        try:
            return self._renderer.rendering(strict)
        except AIPolicyError:
            logger.exception("a policy could not be combined with the default; the strict default is served")
            return self.strict_default


def strict_default(default: SitePolicy) -> SitePolicy:
    """Return ``default`` without grants and licences, and with AI training disallowed on every path."""
    no_training = PRESETS["no-training"]
    return replace(
        default,
        preferences=default.preferences.disallowed.combined(no_training),
        licensed=(),
        path_preferences=tuple(
            (path, p.disallowed.combined(no_training)) for path, p in default.path_preferences
        ),
    )


def with_refusals(default: SitePolicy, policy: SitePolicy) -> SitePolicy:
    """Return ``default`` with everything that ``policy``, which isn't opted out, disallows.

    Its grants are dropped. The site's own robots.txt and other declarations stay, since they allow nothing.
    """
    refused = _refusals(policy.preferences)
    # A path of one policy may lie within a path of the other. Only one of them will bind, so it gets both.
    paths = {
        path: default.preferences.combined(refused).combined(_refusals(p, *_path_preferences(default)))
        for path, p in policy.path_preferences
    } | {
        path: p.over(default.preferences).combined(refused).combined(_refusals(*_path_preferences(policy)))
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
    """Return ``policy`` without paths: what any path disallows, it disallows on the whole site."""
    preferences = policy.preferences.combined(_refusals(*_path_preferences(policy)))
    return replace(policy, preferences=preferences, path_preferences=())


def _path_preferences(policy: SitePolicy) -> list[Preferences]:
    return [preferences for _, preferences in policy.path_preferences]


def _refusals(*stated: Preferences) -> Preferences:
    """Return the categories that any of ``stated`` disallows, and nothing else."""
    return Preferences(
        *(
            Preference.DISALLOW if any(p.disallows(c) for p in stated) else Preference.UNKNOWN
            for c in Category
        )
    )
