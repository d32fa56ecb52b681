"""/.well-known/tdmrep.json: whether it says anything, and whether all of it does."""

import json
from collections.abc import Iterator
from typing import Any

from aipolicy.core.paths import path_pattern
from aipolicy.core.patterns import path_matches
from aipolicy.errors import PolicyError
from aipolicy.report.text import shown
from aipolicy.siteaudit.engines.tdmrep import NAME
from aipolicy.siteaudit.findings import Finding, finding
from aipolicy.siteaudit.html_signals import without_blank
from aipolicy.siteaudit.observation import Answer
from aipolicy.siteaudit.parsed_site import Reading

_WHERE = "tdmrep.json"
_MOST = 500  # entries compared with one another
_RIGHT = '[{"location": "/", "tdm-reservation": 1}]'


def check(reading: Reading) -> Iterator[Finding]:
    answer = reading.observation.tdmrep
    entries = reading.tdm_entries
    if entries is None:
        if answer.had and _is_meant(answer):
            yield finding(
                "tdmrep-unreadable",
                _WHERE,
                _unread(answer),
                "the protocol asks for a JSON array of entries: this file reserves nothing (TDMRep §5.2)",
                fix=_RIGHT,
            )
        return
    before: list[str] = []
    for number, entry in enumerate(entries[:_MOST], 1):
        wrong = _wrong(entry)
        if wrong:
            yield finding(
                "tdmrep-entry-unreadable",
                f"{_WHERE} entry {number}",
                f"{wrong}: {shown(json.dumps(entry))}",
                "an entry that can't be read says nothing, and ends the search where it matches",
                fix=_RIGHT,
            )
            continue
        location = entry["location"]
        shadow = next((other for other in before if _covers(other, location)), None)
        if shadow is not None:
            yield finding(
                "tdmrep-entry-never-decides",
                f"{_WHERE} entry {number}",
                f"{shown(location)!r} stands behind {shown(shadow)!r}",
                "the first entry that matches counts (TDMRep §5.2): this one never does",
                fix="put narrow locations first, and / last",
            )
        before.append(location)


def _is_meant(answer: Answer) -> bool:
    """Whether it is a tdmrep.json gone wrong, and not the page that some sites answer everything with."""
    return not answer.is_html or without_blank(answer.body)[:1] in (b"[", b"{")


def _unread(answer: Answer) -> str:
    if answer.trouble is not None:
        return shown(answer.outcome)
    if answer.cut:
        return f"it is longer than {len(answer.body)} octets"
    return f"it begins {shown(answer.body[:200].decode('utf-8', 'replace'), 60)!r}"


def _wrong(entry: Any) -> str:
    if not isinstance(entry, dict):
        return "an entry is an object"
    if not isinstance(entry.get("location"), str):
        return "location is missing"
    try:
        path_pattern(entry["location"])
    except PolicyError:
        return "location is no path pattern"
    value = entry.get(NAME)
    return "" if type(value) is int and value in (0, 1) else f"{NAME} is the number 0 or 1"


def _covers(pattern: str, other: str) -> bool:
    """Whether all that ``other`` matches ``pattern`` does: told for plain prefixes only."""
    return (
        "*" not in other
        and "$" not in other
        and "$" not in pattern
        and path_matches(path_pattern(pattern), path_pattern(other))
    )
