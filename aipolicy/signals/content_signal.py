"""Cloudflare's Content Signals: the ``Content-Signal`` line of robots.txt.

The policy of 2025-09 at contentsignals.org, and ``use=`` of 2026-07. No grammar is published; members are
read as leniently as they are found in the wild.
"""

from collections.abc import Mapping
from types import MappingProxyType

from aipolicy.core.preferences import Category, Preference, Preferences

CATEGORIES = {"search": Category.SEARCH, "ai-input": Category.AI_USE, "ai-train": Category.TRAIN_AI}
"""The category of each key."""

KEYS = MappingProxyType({category: key for key, category in CATEGORIES.items()})

_VALUES = {Preference.ALLOW: "yes", Preference.DISALLOW: "no"}
_USES = frozenset({"immediate", "reference", "full"})


def content_signal(preferences: Preferences) -> dict[str, str]:
    """Return the members that state ``preferences``; none if they are all unknown.

    An absent key neither grants nor restricts. Every line has ``search=yes`` unless search is disallowed: an
    opt-out from AI must not look like one from search.
    """
    if not preferences:
        return {}
    stated = {key: _VALUES[preferences[c]] for key, c in CATEGORIES.items() if preferences[c] in _VALUES}
    return {"search": "yes"} | stated


def parse_content_signal(value: str) -> dict[str, str]:
    """Parse one line's value to lower-case keys and values. Members without a meaning are left out."""
    pairs = (member.partition("=") for member in value.lower().split(","))
    members = ((key.strip(" \t"), word.strip(" \t")) for key, _, word in pairs)
    return {key: word for key, word in members if word in _meanings(key)}


def signal_preferences(value: str) -> Preferences:
    """Return the preferences that one line's value states."""
    members = parse_content_signal(value)
    words = {word: preference for preference, word in _VALUES.items()}
    return Preferences(*(words.get(members.get(KEYS[c], ""), Preference.UNKNOWN) for c in Category))


def combined_signal(stated: Mapping[str, str], existing: Mapping[str, str]) -> dict[str, str]:
    """Return the members of both lines: ``no`` wins.

    Only the keys of ``stated`` and the yes/no keys of ``existing`` are kept.
    """
    both = {key: word for key, word in existing.items() if key in CATEGORIES} | dict(stated)
    return {key: "no" if "no" in (word, existing.get(key)) else word for key, word in both.items()}


def without_grants(value: str, stated: dict[str, str]) -> tuple[str | None, dict[str, str]]:
    """Return a site's own value without the grants that ``stated`` refuses, and both combined.

    The value is None if nothing is left of it.
    """
    existing = parse_content_signal(value)
    both = combined_signal(stated, existing)
    stays = {key: word for key, word in existing.items() if both.get(key, word) == word}
    if stays == existing:
        return value, both
    return (signal_text(stays) if stays else None), both


def signal_text(members: Mapping[str, str]) -> str:
    """Return the line's value, in the order of Cloudflare's own files."""
    ordered = [key for key in (*CATEGORIES, "use") if key in members]
    return ", ".join(f"{key}={members[key]}" for key in ordered)


def _meanings(key: str) -> frozenset[str]:
    if key == "use":
        return _USES
    return frozenset(_VALUES.values()) if key in CATEGORIES else frozenset()
