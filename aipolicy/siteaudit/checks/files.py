"""Checks of the well-known files: /.well-known/tdmrep.json and /ai.txt."""

import json
from collections.abc import Iterator

from aipolicy.report.text import shorten
from aipolicy.signals.tdmrep import covers, entry_error
from aipolicy.siteaudit.findings import SiteFinding, finding
from aipolicy.siteaudit.html_signals import without_blank
from aipolicy.siteaudit.observation import FetchResult
from aipolicy.siteaudit.parsed_site import ParsedSite

_TDMREP = "tdmrep.json"
_MOST = 500  # entries compared with one another
_EXAMPLE = '[{"location": "/", "tdm-reservation": 1}]'


def check(site: ParsedSite) -> Iterator[SiteFinding]:
    """Yield what is wrong with each file, whatever the policy."""
    yield from _tdmrep(site)
    answer = site.observation.ai_txt
    if answer.received and answer.trouble is not None and not answer.is_html:
        yield finding(
            "ai-txt-unreadable",
            "ai.txt",
            f"the file can't be read: {shorten(answer.outcome)}",
            "its readers don't learn of the opt-out",
            fix="serve the whole file, uncompressed or in a coding that the client accepts",
        )


def _tdmrep(site: ParsedSite) -> Iterator[SiteFinding]:
    answer, entries = site.observation.tdmrep, site.tdm_entries
    if entries is None:
        if answer.received and _is_broken(answer):
            yield finding(
                "tdmrep-unreadable",
                _TDMREP,
                _unreadable(answer),
                "the protocol requires a JSON array of entries (TDMRep §5.2), so this file reserves nothing",
                fix=_EXAMPLE,
            )
        return
    earlier: list[str] = []
    for number, entry in enumerate(entries[:_MOST], 1):
        error = entry_error(entry)
        if error:
            yield finding(
                "tdmrep-entry-unreadable",
                f"{_TDMREP} entry {number}",
                f"{error}: {shorten(json.dumps(entry))}",
                "an invalid entry reserves nothing, and later entries for the same path are not read",
                fix=_EXAMPLE,
            )
            continue
        location = entry["location"]
        shadow = next((other for other in earlier if covers(other, location)), None)
        if shadow is not None:
            yield finding(
                "tdmrep-entry-never-decides",
                f"{_TDMREP} entry {number}",
                f"the entry for {shorten(location)!r} comes after the one for {shorten(shadow)!r}",
                "the first entry that matches a path decides (TDMRep §5.2), so this one never does",
                fix="put the more specific locations first, and / last",
            )
        earlier.append(location)


def _is_broken(answer: FetchResult) -> bool:
    """Return True for a broken tdmrep.json, False for the HTML page that some sites send for every path."""
    return not answer.is_html or without_blank(answer.body)[:1] in (b"[", b"{")


def _unreadable(answer: FetchResult) -> str:
    if answer.trouble is not None:
        return f"the file can't be read: {shorten(answer.outcome)}"
    if answer.cut:
        return f"the file is longer than {len(answer.body)} bytes"
    return f"the file begins with {shorten(answer.body[:200].decode('utf-8', 'replace'), 60)!r}"
