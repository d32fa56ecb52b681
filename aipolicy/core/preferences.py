"""Preferences about AI, and the AIPREF statement that carries them.

Implements draft-ietf-aipref-vocab-08 (categories, statement syntax, combination), a Structured Field
Dictionary of RFC 9651.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from aipolicy.errors import PolicyError


class Preference(StrEnum):
    """A preference for one category; an absent one is *unknown* (vocab-08 §5)."""

    ALLOW = "allow"
    DISALLOW = "disallow"
    UNKNOWN = "unknown"


class Category(StrEnum):
    """A category of use, by its label in vocab-08 §4."""

    TRAIN_AI = "train-ai"
    AI_USE = "ai-use"
    SEARCH = "search"


_FIELDS = {Category.TRAIN_AI: "train_ai", Category.AI_USE: "ai_use", Category.SEARCH: "search"}
TOKENS = {Preference.ALLOW: "y", Preference.DISALLOW: "n"}
_BY_TOKEN = {token: preference for preference, token in TOKENS.items()}


@dataclass(frozen=True, slots=True)
class Preferences:
    """One preference for each category. ``str()`` is the AIPREF statement: ``train-ai=n, ai-use=n``."""

    train_ai: Preference = Preference.UNKNOWN
    ai_use: Preference = Preference.UNKNOWN
    search: Preference = Preference.UNKNOWN

    def __post_init__(self) -> None:
        for category, field in _FIELDS.items():
            value = getattr(self, field)
            try:
                object.__setattr__(self, field, Preference(value))
            except ValueError:
                choices = ", ".join(Preference)
                raise PolicyError(f"{category} is {value!r}; choose one of {choices}") from None

    def __getitem__(self, category: Category) -> Preference:
        preference: Preference = getattr(self, _FIELDS[category])
        return preference

    def __iter__(self) -> Iterator[tuple[Category, Preference]]:
        return ((category, self[category]) for category in Category)

    def __bool__(self) -> bool:
        """Return True if any category has a preference."""
        return any(preference is not Preference.UNKNOWN for _, preference in self)

    def __str__(self) -> str:
        return ", ".join(f"{category}={TOKENS[p]}" for category, p in self if p in TOKENS)

    @property
    def disallowed(self) -> "Preferences":
        """The same preferences without those that allow."""
        return self.restricted_by(Preferences())

    def disallows(self, *categories: Category) -> bool:
        """Return True if any of ``categories`` is disallowed."""
        return any(self[category] is Preference.DISALLOW for category in categories)

    def combined(self, other: "Preferences") -> "Preferences":
        """Return the combination of two statements: the most restrictive preference wins (vocab-08 §5.1)."""
        return Preferences(*(_most_restrictive(self[c], other[c]) for c in Category))

    def restricted_by(self, other: "Preferences") -> "Preferences":
        """Return what both grant: allowed if both allow, disallowed if either does, else unknown."""
        return Preferences(*(_granted_by_both(self[c], other[c]) for c in Category))

    def over(self, base: "Preferences") -> "Preferences":
        """Return these preferences, with unknown ones taken from ``base``."""
        return Preferences(*(base[c] if self[c] is Preference.UNKNOWN else self[c] for c in Category))

    @classmethod
    def parse(cls, statement: str | bytes) -> "Preferences":
        """Parse an AIPREF statement (vocab-08 §6.5). Never raises: an invalid one has no preference."""
        members = members_of(statement) or {}
        return cls(*(_preference(members.get(category)) for category in Category))


def _most_restrictive(one: Preference, other: Preference) -> Preference:
    for preference in (Preference.DISALLOW, Preference.ALLOW):
        if preference in (one, other):
            return preference
    return Preference.UNKNOWN


def _granted_by_both(one: Preference, other: Preference) -> Preference:
    if Preference.DISALLOW in (one, other):
        return Preference.DISALLOW
    return one if one == other else Preference.UNKNOWN


def _preference(member: object) -> Preference:
    """Return the preference of a member: Token ``y`` or ``n``; anything else is unknown, not an error."""
    from http_sf import Token

    value = member[0] if isinstance(member, tuple) else member
    return _BY_TOKEN.get(str(value), Preference.UNKNOWN) if isinstance(value, Token) else Preference.UNKNOWN


def members_of(statement: str | bytes) -> dict[str, object] | None:
    """Return the Dictionary's members, the last of each label, or None if it is invalid as a whole."""
    # Imported where it is used: most processes never parse a statement, and the import takes 20 ms.
    import http_sf

    try:
        raw = statement.encode("utf-8", "surrogateescape") if isinstance(statement, str) else statement
        members = http_sf.parse(raw, tltype="dictionary")
    except (http_sf.StructuredFieldError, ValueError):
        return None
    return dict(members) if isinstance(members, dict) else None
