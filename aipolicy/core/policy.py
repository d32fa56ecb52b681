"""The policy of one site."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, Self, TypedDict, Unpack

from aipolicy.core import validation
from aipolicy.core.crawlers import Crawler, Scope, crawler_named
from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.core.validation import Visibility
from aipolicy.errors import PolicyError

VisibilityName = Literal["public", "discouraged", "private"]
ScopeName = Literal["documented", "broad"]

Preset = Literal["unset", "no-training", "no-ai", "allow"]
"""The name of a preset."""

PRESETS: Mapping[Preset, Preferences] = MappingProxyType(
    {
        "unset": Preferences(),
        "no-training": Preferences(train_ai=Preference.DISALLOW),
        "no-ai": Preferences(train_ai=Preference.DISALLOW, ai_use=Preference.DISALLOW),
        "allow": Preferences(train_ai=Preference.ALLOW, ai_use=Preference.ALLOW),
    }
)
"""The presets: say nothing; no training; no AI use either; an explicit grant."""

# The preferences that a visibility implies. Discouraging search opts out, as on WordPress.com and Tumblr.
_IMPLIED = {
    Visibility.PUBLIC: Preferences(),
    Visibility.DISCOURAGED: Preferences(train_ai=Preference.DISALLOW, search=Preference.DISALLOW),
    Visibility.PRIVATE: Preferences(*(Preference.DISALLOW for _ in Category)),
}


def preset_named(name: str) -> Preset:
    """Return ``name`` as the name of a preset.

    Raises:
        PolicyError: There is no such preset.
    """
    for preset in PRESETS:
        if preset == name:
            return preset
    raise PolicyError(f"preset {name!r} is unknown; choose one of {', '.join(PRESETS)}")


class _OtherFields(TypedDict, total=False):
    """The further fields of a site policy that ``from_preset`` takes."""

    visibility: Visibility | VisibilityName
    licensed: Iterable[str]
    path_preferences: Mapping[str, Preferences] | Iterable[tuple[str, Preferences]]
    sitemaps: Iterable[str]
    tdm_policy_url: str | None
    license_url: str | None
    robots_base: str | bytes | None
    scope: Scope | ScopeName


@dataclass(frozen=True, slots=True, init=False)
class SitePolicy:
    """Everything that one site declares. Immutable: a change is a new policy.

    Args:
        site: The canonical host; empty for any site.
        preferences: One preference for each AIPREF category.
        visibility: ``public``, ``discouraged`` (search engines are asked to stay away; implies an opt-out) or
            ``private`` (nothing for anyone).
        licensed: Product tokens of crawlers that may fetch although the site is opted out.
        path_preferences: Path patterns (RFC 9309: ``*``, ``$``) and the preferences there; a category that
            is unknown there has the site's preference.
        sitemaps: Absolute URLs.
        tdm_policy_url: The absolute URL of a TDMRep policy.
        license_url: The absolute URL of an RSL licence.
        robots_base: The site's own robots.txt; None if it has none, or the application serves it.
        scope: The crawlers that an opt-out names. ``documented``: those with a documented
            purpose; ``broad``: also those that are only listed, some of which have other purposes than AI.

    Raises:
        PolicyError: A field is invalid; the message names it and the fix.
    """

    site: str
    preferences: Preferences
    visibility: Visibility
    licensed: tuple[str, ...]
    path_preferences: tuple[tuple[str, Preferences], ...]
    sitemaps: tuple[str, ...]
    tdm_policy_url: str | None
    license_url: str | None
    robots_base: str | None
    scope: Scope

    def __init__(
        self,
        *,
        site: str = "",
        preferences: Preferences = PRESETS["unset"],
        visibility: Visibility | VisibilityName = Visibility.PUBLIC,
        licensed: Iterable[str] = (),
        path_preferences: Mapping[str, Preferences] | Iterable[tuple[str, Preferences]] = (),
        sitemaps: Iterable[str] = (),
        tdm_policy_url: str | None = None,
        license_url: str | None = None,
        robots_base: str | bytes | None = None,
        scope: Scope | ScopeName = Scope.DOCUMENTED,
    ) -> None:
        checked = {
            "site": validation.site(site),
            "preferences": validation.preferences(preferences),
            "visibility": validation.visibility(visibility),
            "licensed": validation.licensed(licensed),
            "path_preferences": validation.path_preferences(path_preferences),
            "sitemaps": validation.sitemaps(sitemaps),
            "tdm_policy_url": validation.optional_url("tdm_policy_url", tdm_policy_url),
            "license_url": validation.optional_url("license_url", license_url),
            "robots_base": validation.robots_base(robots_base),
            "scope": validation.scope(scope),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_preset(cls, preset: Preset, *, site: str = "", **others: Unpack[_OtherFields]) -> Self:
        """Return a policy with the preferences of a preset.

        Raises:
            PolicyError: The preset is unknown, or a field is invalid.
        """
        return cls(site=site, preferences=PRESETS[preset_named(preset)], **others)

    @classmethod
    def from_flag(cls, opted_out: bool, *, site: str = "") -> Self:
        """Return the policy of an opt-out flag. False says nothing: it is never a grant."""
        return cls.from_preset("no-training" if opted_out else "unset", site=site)

    @property
    def preset(self) -> Preset | None:
        """The name of the preset with these preferences, or None."""
        return next((name for name, preferences in PRESETS.items() if preferences == self.preferences), None)

    @property
    def effective(self) -> Preferences:
        """The preferences combined with those that the visibility implies; the most restrictive wins."""
        return self.preferences.combined(_IMPLIED[self.visibility])

    @property
    def effective_paths(self) -> tuple[tuple[str, Preferences], ...]:
        """Pairs of path pattern and complete preferences, the longest first: the first match binds."""
        implied = _IMPLIED[self.visibility]
        stated = {p for _, p in self.path_preferences}  # few, however many paths there are
        full = {p: p.over(self.preferences).combined(implied) for p in stated}
        paths = ((pattern, full[p]) for pattern, p in self.path_preferences)
        return tuple(sorted(paths, key=lambda item: (-len(item[0]), item[0])))

    @property
    def opted_out(self) -> bool:
        """True if AI training is disallowed on the whole site."""
        return self.effective.disallows(Category.TRAIN_AI)

    def covers(self, crawler: Crawler) -> bool:
        """Return True if an opt-out of this scope may name the crawler."""
        return not crawler.listed or self.scope is Scope.BROAD

    def for_site(self, site: str) -> Self:
        """Return the same policy for another site."""
        return replace(self, site=site)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form without empty fields. ``from_dict`` reads it."""
        optional = {
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
        return always | {name: value for name, value in optional.items() if value not in (None, [], {})}

    @classmethod
    def from_dict(cls, source: Mapping[str, Any]) -> Self:
        """Read the JSON form.

        ``preset`` is read only if ``preferences`` is absent, and must not be null then. A licensed token that
        this version's table doesn't have is ignored, because nothing would block that crawler.

        Raises:
            PolicyError: A field is unknown or invalid.
        """
        fields = dict(validation.mapping("a site policy", source, '{"preset": "no-training"}'))
        preset = fields.pop("preset", "unset")
        if "preferences" in fields:
            fields["preferences"] = _preferences(fields["preferences"])
        else:
            fields["preferences"] = cls.from_preset(preset).preferences
        if "licensed" in fields:
            fields["licensed"] = [
                t for t in validation.strings("licensed", fields["licensed"]) if crawler_named(t)
            ]
        paths = validation.mapping(
            "path_preferences",
            fields.pop("path_preferences", {}),
            '{"/scores/": {"train-ai": "disallow"}}',
        )
        equal: dict[Preferences, Preferences] = {}  # one object each: few, however many paths there are
        read = ((path, _preferences(stated)) for path, stated in paths.items())
        fields["path_preferences"] = {path: equal.setdefault(p, p) for path, p in read}
        unknown = sorted(set(fields) - set(cls.__slots__), key=str)
        if unknown:
            raise PolicyError(
                f"a site policy has no field {unknown[0]!r}; its fields are {', '.join(cls.__slots__)}"
            )
        return cls(**fields)


def _stated(preferences: Preferences) -> dict[str, str]:
    return {str(c): str(p) for c, p in preferences if p is not Preference.UNKNOWN}


def _preferences(source: Any) -> Preferences:
    stated = validation.mapping("preferences", source, '{"train-ai": "disallow"}')
    unknown = sorted(set(stated) - set(Category), key=str)
    if unknown:
        raise PolicyError(f"category {unknown[0]!r} is unknown; choose from {', '.join(Category)}")
    return Preferences(*(stated.get(category, Preference.UNKNOWN) for category in Category))
