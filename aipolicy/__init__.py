"""Each blog's AI opt-out in every signal that crawlers read.

Most applications need only the names here. Each is imported when it is first used, so that ``import
aipolicy`` loads neither starlette nor SQLAlchemy nor click. Import everything else from its package:
``aipolicy.robotstxt``, ``aipolicy.signals``, ``aipolicy.identity``, ``aipolicy.errors`` and so on.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from aipolicy import crawlers  # not lazily: it sets up the reading of AIPOLICY_CRAWLERS
from aipolicy.version import __version__

if TYPE_CHECKING:
    from aipolicy.asgi import AIPolicyMiddleware, PathTenants
    from aipolicy.core.policy import SitePolicy
    from aipolicy.core.preferences import Category, Preference, Preferences
    from aipolicy.core.validation import Visibility
    from aipolicy.errors import AIPolicyError
    from aipolicy.lookup import CachedLookup, LocalLookup
    from aipolicy.registry import Registry
    from aipolicy.robotstxt.merge import robots_txt
    from aipolicy.signals.switches import Signals

__all__ = [
    "AIPolicyError",
    "AIPolicyMiddleware",
    "CachedLookup",
    "Category",
    "LocalLookup",
    "PathTenants",
    "Preference",
    "Preferences",
    "Registry",
    "Signals",
    "SitePolicy",
    "Visibility",
    "__version__",
    "crawlers",
    "robots_txt",
]

_MODULES = {
    "AIPolicyError": "aipolicy.errors",
    "AIPolicyMiddleware": "aipolicy.asgi",
    "CachedLookup": "aipolicy.lookup",
    "Category": "aipolicy.core.preferences",
    "LocalLookup": "aipolicy.lookup",
    "PathTenants": "aipolicy.asgi",
    "Preference": "aipolicy.core.preferences",
    "Preferences": "aipolicy.core.preferences",
    "Registry": "aipolicy.registry",
    "Signals": "aipolicy.signals.switches",
    "SitePolicy": "aipolicy.core.policy",
    "Visibility": "aipolicy.core.validation",
    "robots_txt": "aipolicy.robotstxt.merge",
}

if not TYPE_CHECKING:  # a type checker would take any name for one of this module's

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used (PEP 562)."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_MODULES[name]), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
