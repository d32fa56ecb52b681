"""The well-known files against the policy's, by what they say of paths."""

from collections.abc import Iterable, Iterator
from typing import Any

from aipolicy.core.policy import SitePolicy
from aipolicy.report.text import listed, shown
from aipolicy.robotstxt.sample_paths import matching_paths
from aipolicy.signals.switches import Signals
from aipolicy.signals.well_known import ai_txt, tdm_entries, tdm_entry, tdmrep_json
from aipolicy.siteaudit.crawler_view import UNNAMED
from aipolicy.siteaudit.engines.ai_txt import ai_txt_statements
from aipolicy.siteaudit.findings import Finding, finding
from aipolicy.siteaudit.parsed_site import Reading

_TRIED = 60  # paths


def differences(reading: Reading, policy: SitePolicy, signals: Signals) -> Iterator[Finding]:
    """Of tdmrep.json and ai.txt."""
    yield from _tdmrep(reading, tdm_entries(tdmrep_json(policy, signals)), signals.tdm_policy)
    if ai_txt(policy, signals) and not ai_txt_statements(reading, UNNAMED):
        answer = reading.observation.ai_txt
        yield finding(
            "ai-txt-missing",
            "ai.txt",
            f"{shown(answer.outcome)}: no Disallow: / for everyone there",
            "its readers are told nothing",
            fix="serve it, or switch it off",
        )


def _tdmrep(reading: Reading, wanted: list[Any] | None, policies: bool) -> Iterator[Finding]:
    served, answer = reading.tdm_entries, reading.observation.tdmrep
    if wanted is None and not served:
        return
    if wanted is None:
        if any(value[0] is not None for value in _values(served, reading.path, [], policies).values()):
            yield finding(
                "tdmrep-added",
                "tdmrep.json",
                "there is one, and the policy has none",
                "it speaks of the owner's rights",
                fix="look where it comes from: a file of an earlier policy, or another program's",
            )
        return
    if served is None:
        yield finding(
            "tdmrep-missing",
            "tdmrep.json",
            f"{shown(answer.outcome)} instead of the file"
            if not answer.ok
            else "what is there can't be read as one",
            "TDMRep has readers look there first: they are told nothing",
            fix="let /.well-known/tdmrep.json through to aipolicy",
        )
        return
    expected = _values(wanted, reading.path, served, policies)
    found = _values(served, reading.path, wanted, policies)
    differing = [path for path, value in expected.items() if found.get(path, value) != value]
    if differing:
        first = differing[0]
        yield finding(
            "tdmrep-differs",
            "tdmrep.json",
            f"of {listed(differing, 4)} it says {_told(found[first])}, the policy {_told(expected[first])}",
            "readers go by what is served",
            fix="let /.well-known/tdmrep.json through to aipolicy",
        )


def _values(
    entries: Iterable[Any] | None, path: str, others: Iterable[Any], policies: bool
) -> dict[str, tuple[Any, Any]]:
    """Path → what a file says of it: for paths that either file names, and the page's own."""
    listing = list(entries or [])
    located = [e.get("location") for e in (*listing, *others) if isinstance(e, dict)]
    paths = [
        path,
        "/",
        *(s for location in located if isinstance(location, str) for s in matching_paths(location)),
    ]
    found = {}
    for one in list(dict.fromkeys(paths))[:_TRIED]:
        entry = tdm_entry(one, listing) or {}
        value = entry.get("tdm-reservation")
        value = value if type(value) is int and value in (0, 1) else None
        found[one] = (value, entry.get("tdm-policy") if policies else None)
    return found


def _told(value: tuple[Any, Any]) -> str:
    reservation, policy = value
    said = "nothing" if reservation is None else str(reservation)
    return f"{said} with {shown(str(policy))}" if policy else said
