"""Cloudflare's Content Signals: the ``Content-Signal`` line of robots.txt.

The policy of 2025-09 at contentsignals.org, and ``use=`` of 2026-07. No grammar is published; members are
read as leniently as they are found in the wild.
"""

from collections.abc import Mapping

from aipolicy.core.preferences import Category, Preference, Preferences

_KEYS = {"search": Category.SEARCH, "ai-input": Category.AI_USE, "ai-train": Category.TRAIN_AI}
_VALUES = {Preference.ALLOW: "yes", Preference.DISALLOW: "no"}
_USES = frozenset({"immediate", "reference", "full"})


def content_signal(preferences: Preferences) -> dict[str, str]:
    """The members that say ``preferences``; nothing where they say nothing.

    An absent key neither grants nor restricts. ``search=yes`` goes with every line unless search is
    disallowed: an opt-out from AI must not read like one from search.
    """
    if not preferences:
        return {}
    stated = {key: _VALUES[preferences[c]] for key, c in _KEYS.items() if preferences[c] in _VALUES}
    return {"search": "yes"} | stated


def parse_content_signal(value: str) -> dict[str, str]:
    """Read one line's value: lower-case keys and values; members that mean nothing are left out."""
    pairs = (member.partition("=") for member in value.lower().split(","))
    members = ((key.strip(" \t"), said.strip(" \t")) for key, _, said in pairs)
    return {key: said for key, said in members if said in _meanings(key)}


def combined_signal(ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, str]:
    """Both lines hold: ``no`` wins. Only the keys of ``ours`` and the yes/no keys of ``theirs`` are kept."""
    both = {key: said for key, said in theirs.items() if key in _KEYS} | dict(ours)
    return {key: "no" if "no" in (said, theirs.get(key)) else said for key, said in both.items()}


def signal_text(members: Mapping[str, str]) -> str:
    """The line's value, in the order that Cloudflare's own files have."""
    ordered = [key for key in (*_KEYS, "use") if key in members]
    return ", ".join(f"{key}={members[key]}" for key in ordered)


def _meanings(key: str) -> frozenset[str]:
    if key == "use":
        return _USES
    return frozenset(_VALUES.values()) if key in _KEYS else frozenset()
