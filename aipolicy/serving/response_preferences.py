"""Preferences that the application states for a single response, for example for one post of a blog."""

import logging

from aipolicy.core.policy import PRESETS, preset_named
from aipolicy.core.preferences import Preferences
from aipolicy.rendering import HeaderSet, Rendering
from aipolicy.serving.shared_cache import SharedCache

logger = logging.getLogger("aipolicy.serving")

_REMEMBERED = 1024

_Key = tuple[Rendering, HeaderSet, Preferences]


class ResponsePreferences:
    """The header sets of responses for which the application has stated preferences.

    It states ``Preferences``, the name of a preset, or True (opted out). They can only restrict: the more
    restrictive of the response's and the site's preference counts. An invalid value counts as ``no-ai``.
    """

    def __init__(self) -> None:
        self._header_sets: SharedCache[_Key, HeaderSet] = SharedCache(_REMEMBERED)

    def header_set(self, stated: object, rendering: Rendering, site: HeaderSet) -> HeaderSet:
        """Return the headers of a response.

        Args:
            stated: The application's value; None or False if it has stated nothing.
            rendering: The site's rendering.
            site: The site's headers for the request's path.
        """
        if stated is None or stated is False:
            return site
        try:
            key = (rendering, site, _preferences(stated))
        except (Exception, SystemExit, KeyboardInterrupt):
            logger.exception("a response's preferences can't be read; no-ai is sent")
            key = (rendering, site, PRESETS["no-ai"])
        try:
            return self._header_sets[key]
        except KeyError:
            found = self._header_sets[key] = rendering.headers_with(key[2], site)
            return found


def _preferences(stated: object) -> Preferences:
    if isinstance(stated, Preferences):
        return stated
    if stated is True:
        return PRESETS["no-training"]
    if isinstance(stated, str) and stated in PRESETS:
        return PRESETS[preset_named(stated)]
    logger.error(
        "a response's preferences are %.80r; use Preferences(...), True or a preset (%s); no-ai is sent",
        stated,
        ", ".join(PRESETS),
    )
    return PRESETS["no-ai"]
