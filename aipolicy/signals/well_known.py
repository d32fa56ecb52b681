"""Well-known files: ``/.well-known/tdmrep.json`` and ``/ai.txt``.

TDMRep is the W3C Community Group's final report of 2024-05-10.
"""

import json
from collections.abc import Iterable
from typing import Any

from aipolicy.core.paths import path_pattern
from aipolicy.core.patterns import path_matches
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Category, Preferences
from aipolicy.errors import PolicyError
from aipolicy.signals.switches import Signals


def tdmrep_json(policy: SitePolicy, signals: Signals) -> bytes | None:
    """The file's bytes, or None where nothing is reserved: no file, nothing said.

    The first entry that matches binds (§5.2), so the longest pattern stands first and ``/`` last.
    """
    if not signals.tdm:
        return None
    places = [*policy.effective_paths, ("/", policy.effective)]
    if not any(_reserved(preferences) for _, preferences in places):
        return None
    entries = [_entry(location, preferences, policy, signals) for location, preferences in places]
    return ("[\n  " + ",\n  ".join(map(json.dumps, entries)) + "\n]\n").encode("ascii")


def ai_txt(policy: SitePolicy, signals: Signals) -> bytes | None:
    """Spawning's ``/ai.txt``, or None where the switch is off or nothing is opted out."""
    if not signals.ai_txt or not policy.opted_out:
        return None
    return b"User-Agent: *\nDisallow: /\nDisallow: *\n"


def tdm_reservation(
    path: str, *, file: str | bytes | None = None, header: str | None = None, meta: str | None = None
) -> int | None:
    """What TDMRep says of ``path``: 1 (reserved), 0 (not reserved) or None (unset).

    The header supersedes the file, and the page's metadata supersedes the header; the absence of one
    resets nothing (§4). Any value but 0 and 1 is unset.
    """
    stated = [_file_reservation(path, file), _reservation(header), _reservation(meta)]
    return next((value for value in reversed(stated) if value is not None), None)


def tdm_entries(file: str | bytes | None) -> list[Any] | None:
    """What a tdmrep.json lists, right or wrong; None where it is no JSON array."""
    try:
        entries = json.loads(file or "")
    except (ValueError, RecursionError):
        return None
    return entries if isinstance(entries, list) else None


def tdm_entry(path: str, entries: Iterable[Any]) -> dict[str, Any] | None:
    """The entry that binds ``path``: the first in sequence that matches (§5.2)."""
    matching = (e for e in entries if isinstance(e, dict) and _location_matches(e.get("location"), path))
    return next(matching, None)


def _entry(location: str, preferences: Preferences, policy: SitePolicy, signals: Signals) -> dict[str, Any]:
    entry: dict[str, Any] = {"location": location, "tdm-reservation": int(_reserved(preferences))}
    if signals.tdm_policy and policy.tdm_policy_url and _reserved(preferences):
        entry["tdm-policy"] = policy.tdm_policy_url
    return entry


def _reserved(preferences: Preferences) -> bool:
    return preferences.disallows(Category.TRAIN_AI)


def _file_reservation(path: str, file: str | bytes | None) -> int | None:
    value = (tdm_entry(path, tdm_entries(file) or []) or {}).get("tdm-reservation")
    return value if type(value) is int and value in (0, 1) else None


def _location_matches(location: object, path: str) -> bool:
    try:
        return path_matches(path_pattern(location), path)  # type: ignore[arg-type]
    except PolicyError:
        return False


def _reservation(value: str | None) -> int | None:
    return {"0": 0, "1": 1}.get((value or "").strip(" \t"))
