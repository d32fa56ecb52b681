"""The TDM Reservation Protocol: ``/.well-known/tdmrep.json``, the headers and their HTML meta tags.

TDMRep is the W3C Community Group's final report of 2024-05-10. A reservation is 1 (reserved) or 0 (not
reserved); if it is absent it is unset. The page's meta tag supersedes the header, and the header the file
(§4). That is the opposite of AIPREF: a page whose tag says 0 is open, whatever the file reserves.
"""

import json
from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

from aipolicy.core.paths import path_pattern
from aipolicy.core.patterns import is_literal, path_matches
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.errors import PolicyError
from aipolicy.signals.header_field import HeaderField
from aipolicy.signals.switches import Signals

NAME = "tdm-reservation"


def _reservation_values(_: SitePolicy, preferences: Preferences, signals: Signals) -> tuple[str, ...]:
    # Never 0: without the header the file applies, and no grant is stated that the owner didn't make.
    return ("1",) if signals.tdm and _reserves(preferences) else ()


def _policy_values(policy: SitePolicy, preferences: Preferences, signals: Signals) -> tuple[str, ...]:
    sent = signals.tdm and signals.tdm_policy and _reserves(preferences)
    return (policy.tdm_policy_url,) if sent and policy.tdm_policy_url else ()


# Set, never appended: "1, 1" is read as unset.
RESERVATION = HeaderField(NAME, _reservation_values, meta_name=NAME)
POLICY = HeaderField("tdm-policy", _policy_values, meta_name="tdm-policy")


def tdmrep_json(policy: SitePolicy, signals: Signals) -> bytes | None:
    """Return the bytes of tdmrep.json, or None if nothing is reserved: then there is no file."""
    if not signals.tdm:
        return None
    preferences_by_path = [*policy.effective_paths, ("/", policy.effective)]
    if not any(_reserves(preferences) for _, preferences in preferences_by_path):
        return None
    policy_url = policy.tdm_policy_url if signals.tdm_policy else None
    entries = tdmrep_entries(preferences_by_path, policy_url)
    return ("[\n  " + ",\n  ".join(map(json.dumps, entries)) + "\n]\n").encode("ascii")


def tdmrep_entries(
    preferences_by_path: Iterable[tuple[str, Preferences]], policy_url: str | None = None
) -> list[dict[str, Any]]:
    """Return the entries of a tdmrep.json for path patterns and the preferences there.

    The first entry that matches binds (§5.2), so the longest pattern must come first and ``/`` last. The
    entry says 1 if training is disallowed, and 0 if it is allowed. If it is unknown there is no entry, and no
    other entry says 0 there: the protocol has no third value, and 0 would state a grant that the owner didn't
    make.

    Args:
        preferences_by_path: Pairs of path pattern and preferences, the longest pattern first.
        policy_url: The address of the policy that goes with a reservation.
    """
    training = [(location, preferences[Category.TRAIN_AI]) for location, preferences in preferences_by_path]
    unknown = [location for location, preference in training if preference is Preference.UNKNOWN]
    literal, wild = sorted(filter(is_literal, unknown)), not all(map(is_literal, unknown))
    entries: list[dict[str, Any]] = []
    for location, preference in training:
        if preference is Preference.DISALLOW:
            entry: dict[str, Any] = {"location": location, NAME: 1}
            entries.append(entry | {"tdm-policy": policy_url} if policy_url else entry)
        elif preference is Preference.ALLOW:
            # With a wildcard it is unknown if both match a path, so the 0 is left out.
            overlaps = wild if is_literal(location) else bool(unknown)
            if not overlaps and not _any_begins(literal, location):
                entries.append({"location": location, NAME: 0})
    return entries


def tdm_reservation(
    path: str, *, file: str | bytes | None = None, header: str | None = None, meta: str | None = None
) -> int | None:
    """Return the reservation of ``path``: 1 (reserved), 0 (not reserved) or None (unset).

    The header supersedes the file, and the page's meta tag supersedes the header; an absent or invalid one
    supersedes nothing (§4).
    """
    entry = tdm_entry(path, tdm_entries(file) or [])
    stated = [entry_reservation(entry), reservation_value(header), reservation_value(meta)]
    return next((value for value in reversed(stated) if value is not None), None)


def tdm_entries(file: str | bytes | None) -> list[Any] | None:
    """Return the entries of a tdmrep.json, valid or not, or None if it isn't a JSON array."""
    try:
        entries = json.loads(file or "")
    except (ValueError, RecursionError):
        return None
    return entries if isinstance(entries, list) else None


def tdm_entry(path: str, entries: Iterable[Any]) -> dict[str, Any] | None:
    """Return the entry that binds ``path``: the first in sequence that matches (§5.2)."""
    matching = (e for e in entries if isinstance(e, dict) and _location_matches(e.get("location"), path))
    return next(matching, None)


def entry_reservation(entry: dict[str, Any] | None) -> int | None:
    """Return the reservation of an entry: 1, 0 or, for any other value, None."""
    value = (entry or {}).get(NAME)
    return value if type(value) is int and value in (0, 1) else None


def entry_error(entry: Any) -> str:
    """Return what is wrong with an entry, for people; "" if nothing is."""
    if not isinstance(entry, dict):
        return "the entry is not an object"
    if not isinstance(entry.get("location"), str):
        return "the entry has no location"
    try:
        path_pattern(entry["location"])
    except PolicyError:
        return "the location is not a path pattern: it must start with /"
    return "" if entry_reservation(entry) is not None else f"{NAME} is neither the number 0 nor 1"


def reservation_value(value: str | None) -> int | None:
    """Return the reservation in the value of a header or tag: 1, 0 or, for any other value, None."""
    return {"0": 0, "1": 1}.get((value or "").strip(" \t"))


def covers(pattern: str, other: str) -> bool:
    """Return True if ``pattern`` matches all that ``other`` does; False if ``other`` isn't a plain prefix."""
    plain = is_literal(other) and not pattern.endswith("$")
    return plain and path_matches(path_pattern(pattern), path_pattern(other))


def _any_begins(ordered: list[str], prefix: str) -> bool:
    place = bisect_left(ordered, prefix)
    return place < len(ordered) and ordered[place].startswith(prefix)


def _reserves(preferences: Preferences) -> bool:
    return preferences.disallows(Category.TRAIN_AI)


def _location_matches(location: object, path: str) -> bool:
    try:
        return path_matches(path_pattern(location), path)  # type: ignore[arg-type]
    except PolicyError:
        return False
