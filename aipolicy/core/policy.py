"""What one site declares."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, Self

from aipolicy.core import validation
from aipolicy.core.crawlers import Crawler, Scope, crawler_named
from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.core.validation import Visibility
from aipolicy.errors import PolicyError

Preset = Literal["unset", "no-training", "no-ai", "allow"]
"""The name of a preset."""

PRESETS: Mapping[str, Preferences] = MappingProxyType(
    {
        "unset": Preferences(),
        "no-training": Preferences(train_ai=Preference.DISALLOW),
        "no-ai": Preferences(train_ai=Preference.DISALLOW, ai_use=Preference.DISALLOW),
        "allow": Preferences(train_ai=Preference.ALLOW, ai_use=Preference.ALLOW),
    }
)
"""The named choices: say nothing; no training; no AI use either; an explicit grant."""

# What a visibility says by itself. Discouraging search opts out, as on WordPress.com and Tumblr.
_IMPLIED = {
    Visibility.PUBLIC: Preferences(),
    Visibility.DISCOURAGED: Preferences(train_ai=Preference.DISALLOW, search=Preference.DISALLOW),
    Visibility.PRIVATE: Preferences(*(Preference.DISALLOW for _ in Category)),
}


@dataclass(frozen=True, slots=True)
class SitePolicy:
    """Everything one site declares. Immutable: a change is a new policy. Raises PolicyError when made wrong.

    ``site``             canonical host; empty: any site.
    ``preferences``      one preference an AIPREF category.
    ``visibility``       public, discouraged (implies opted out) or private (nothing for anyone).
    ``licensed``         product tokens the owner lets in although opted out.
    ``path_preferences`` path pattern (RFC 9309: ``*``, ``$``) and the preferences there; what they leave
                         unknown is the site's.
    ``sitemaps``         absolute URLs.
    ``tdm_policy_url``   TDMRep policy; ``license_url`` RSL licence: each absolute, or None.
    ``robots_base``      the site's own robots.txt, or None where the application or nobody has one.
    ``scope``            documented: an opt-out names the crawlers whose purpose is documented; broad: also
                         those that are only listed, of which some come for something else than AI.
    """

    _: KW_ONLY
    site: str = ""
    preferences: Preferences = PRESETS["unset"]
    visibility: Visibility = Visibility.PUBLIC
    licensed: tuple[str, ...] = ()
    path_preferences: tuple[tuple[str, Preferences], ...] = ()
    sitemaps: tuple[str, ...] = ()
    tdm_policy_url: str | None = None
    license_url: str | None = None
    robots_base: str | None = None
    scope: Scope = Scope.DOCUMENTED

    def __post_init__(self) -> None:
        checked = {
            "site": validation.site(self.site),
            "preferences": validation.preferences(self.preferences),
            "visibility": validation.visibility(self.visibility),
            "licensed": validation.licensed(self.licensed),
            "path_preferences": validation.path_preferences(self.path_preferences),
            "sitemaps": validation.sitemaps(self.sitemaps),
            "tdm_policy_url": validation.optional_url("tdm_policy_url", self.tdm_policy_url),
            "license_url": validation.optional_url("license_url", self.license_url),
            "robots_base": validation.robots_base(self.robots_base),
            "scope": validation.scope(self.scope),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_preset(cls, preset: str, *, site: str = "", **others: Any) -> Self:
        """A policy with the preferences of a preset: ``unset``, ``no-training``, ``no-ai`` or ``allow``."""
        if not isinstance(preset, str) or preset not in PRESETS:
            raise PolicyError(f"preset {preset!r} is unknown: choose one of {', '.join(PRESETS)}")
        return cls(site=site, preferences=PRESETS[preset], **others)

    @classmethod
    def from_flag(cls, opted_out: bool, *, site: str = "") -> Self:
        """The policy of a bare opt-out flag. False says nothing: it is never a grant."""
        return cls.from_preset("no-training" if opted_out else "unset", site=site)

    @property
    def preset(self) -> str | None:
        """The name of the preset with these preferences, or None."""
        return next((name for name, preferences in PRESETS.items() if preferences == self.preferences), None)

    @property
    def effective(self) -> Preferences:
        """The preferences together with what the visibility implies; the most restrictive wins."""
        return self.preferences.combined(_IMPLIED[self.visibility])

    @property
    def effective_paths(self) -> tuple[tuple[str, Preferences], ...]:
        """Path pattern and the full preferences there, longest first: the first that matches binds."""
        implied = _IMPLIED[self.visibility]
        stated = {p for _, p in self.path_preferences}  # few, however many paths there are
        full = {p: p.over(self.preferences).combined(implied) for p in stated}
        paths = ((pattern, full[p]) for pattern, p in self.path_preferences)
        return tuple(sorted(paths, key=lambda item: (-len(item[0]), item[0])))

    @property
    def opted_out(self) -> bool:
        """Whether AI training is disallowed on the whole site."""
        return self.effective.disallows(Category.TRAIN_AI)

    def covers(self, crawler: Crawler) -> bool:
        """Return True if an opt-out of this scope names the crawler, if it comes for what is disallowed."""
        return not crawler.listed or self.scope is Scope.BROAD

    def for_site(self, site: str) -> Self:
        """The same declarations for another site."""
        return replace(self, site=site)

    def to_dict(self) -> dict[str, Any]:
        """JSON form; what says nothing is left out. ``from_dict`` reads it back."""
        said = {
            "licensed": list(self.licensed),
            "path_preferences": {path: _stated(p) for path, p in self.path_preferences},
            "sitemaps": list(self.sitemaps),
            "tdm_policy_url": self.tdm_policy_url,
            "license_url": self.license_url,
            "robots_base": self.robots_base,
            "scope": None if self.scope is Scope.DOCUMENTED else str(self.scope),
        }
        always = {
            "site": self.site,
            "preset": self.preset,
            "preferences": _stated(self.preferences),
            "visibility": str(self.visibility),
        }
        return always | {name: value for name, value in said.items() if value not in (None, [], {})}

    @classmethod
    def from_dict(cls, source: Mapping[str, Any]) -> Self:
        """Read the JSON form. Raises PolicyError.

        ``preset`` is read only where ``preferences`` is absent, and null is no choice there. A licensed token
        that this version's table doesn't have is left out: nothing here would block it.
        """
        given = dict(validation.mapping("a site policy", source))
        preset = given.pop("preset", "unset")
        if "preferences" in given:
            given["preferences"] = _preferences(given["preferences"])
        else:
            given["preferences"] = cls.from_preset(preset).preferences
        if "licensed" in given:
            given["licensed"] = [
                t for t in validation.strings("licensed", given["licensed"]) if crawler_named(t)
            ]
        paths = validation.mapping("path_preferences", given.pop("path_preferences", {}))
        equal: dict[Preferences, Preferences] = {}  # one object each: few, however many paths there are
        read = ((path, _preferences(stated)) for path, stated in paths.items())
        given["path_preferences"] = {path: equal.setdefault(p, p) for path, p in read}
        unknown = sorted(set(given) - set(cls.__slots__), key=str)
        if unknown:
            raise PolicyError(f"a site policy has no field {unknown[0]!r}: it has {', '.join(cls.__slots__)}")
        return cls(**given)


def _stated(preferences: Preferences) -> dict[str, str]:
    return {str(c): str(p) for c, p in preferences if p is not Preference.UNKNOWN}


def _preferences(source: Any) -> Preferences:
    stated = validation.mapping("preferences", source)
    unknown = sorted(set(stated) - set(Category), key=str)
    if unknown:
        raise PolicyError(f"category {unknown[0]!r} is unknown: choose from {', '.join(Category)}")
    return Preferences(*(stated.get(category, Preference.UNKNOWN) for category in Category))
