"""What the application says of one response: a post whose author wants something else than the blog does."""

import logging

from starlette.types import Scope

from aipolicy.asgi.shared_cache import SharedCache
from aipolicy.core.policy import PRESETS, preset_named
from aipolicy.core.preferences import Preferences
from aipolicy.rendering import HeaderSet, Rendering

logger = logging.getLogger("aipolicy.asgi")

STATE = "aipolicy"
"""The key in ``scope["state"]``, and so the attribute of Starlette's ``request.state``."""

_REMEMBERED = 1024

_Key = tuple[Rendering, HeaderSet, Preferences]


class Posts:
    """The header set of a response whose preferences the application has stated in the request's state.

    Preferences, the name of a preset, or True (opted out). They can only restrict: with what the site says of
    the path, the most restrictive wins a category. What can't be understood is taken for ``no-ai``.
    """

    def __init__(self) -> None:
        self._memo: SharedCache[_Key, HeaderSet] = SharedCache(_REMEMBERED)

    def header_set(self, scope: Scope, rendering: Rendering, site: HeaderSet) -> HeaderSet:
        """Return what is sent where ``site`` holds for the path unless something is stated. Never raises."""
        try:
            stated = scope["state"].get(STATE)
            if stated is None or stated is False:
                return site
            key = (rendering, site, _preferences(stated))
        except (Exception, SystemExit, KeyboardInterrupt):
            logger.exception("request.state.%s could not be read; no-ai is sent", STATE)
            key = (rendering, site, PRESETS["no-ai"])
        try:
            return self._memo[key]
        except KeyError:
            found = self._memo[key] = rendering.headers_with(key[2], site)
            return found


def _preferences(stated: object) -> Preferences:
    if isinstance(stated, Preferences):
        return stated
    if stated is True:
        return PRESETS["no-training"]
    if isinstance(stated, str) and stated in PRESETS:
        return PRESETS[preset_named(stated)]
    logger.error(
        "request.state.%s is %.80r: give Preferences(...), True or the name of a preset (%s); no-ai is sent",
        STATE,
        stated,
        ", ".join(PRESETS),
    )
    return PRESETS["no-ai"]
