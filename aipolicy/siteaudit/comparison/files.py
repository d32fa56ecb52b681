"""Comparison of a site's well-known files with its policy, by what they say about paths."""

from collections.abc import Iterable, Iterator
from typing import Any

from aipolicy.core.policy import SitePolicy
from aipolicy.report.text import listed, shorten
from aipolicy.robotstxt.sample_paths import matching_paths
from aipolicy.signals.ai_txt import ai_txt
from aipolicy.signals.switches import Signals
from aipolicy.signals.tdmrep import entry_reservation, tdm_entries, tdm_entry, tdmrep_json
from aipolicy.siteaudit.declarations import ai_txt_statements
from aipolicy.siteaudit.findings import SiteFinding, finding
from aipolicy.siteaudit.parsed_site import ParsedSite
from aipolicy.siteaudit.statements import UNNAMED

_MOST_PATHS = 60
_ROUTE = "let aipolicy answer /.well-known/tdmrep.json"

_Reservation = tuple[int | None, Any]
"""The reservation, and the URL of the policy if URLs are compared."""


def differences(site: ParsedSite, policy: SitePolicy, signals: Signals) -> Iterator[SiteFinding]:
    """Yield the differences of tdmrep.json and ai.txt."""
    yield from _tdmrep(site, tdm_entries(tdmrep_json(policy, signals)), signals.tdm_policy)
    if ai_txt(policy, signals) and not ai_txt_statements(site, UNNAMED):
        answer = site.observation.ai_txt
        yield finding(
            "ai-txt-missing",
            "ai.txt",
            f"the file has no 'Disallow: /' for every crawler (status {shorten(answer.outcome)})",
            "its readers don't learn of the opt-out",
            fix="serve the file, or switch the signal off",
        )


def _tdmrep(site: ParsedSite, expected: list[Any] | None, with_policy: bool) -> Iterator[SiteFinding]:
    served, answer = site.tdm_entries, site.observation.tdmrep
    if expected is None and not served:
        return
    if expected is None:
        found = _reservations(served, site.path, [], with_policy)
        if any(reservation is not None for reservation, _ in found.values()):
            yield finding(
                "tdmrep-added",
                "tdmrep.json",
                "the site serves this file, but the policy has none",
                "it makes a statement about the owner's rights",
                fix="find its origin: an earlier policy, or another program",
            )
        return
    if served is None:
        yield finding(
            "tdmrep-missing",
            "tdmrep.json",
            "the file can't be read" if answer.ok else f"the file is missing: {shorten(answer.outcome)}",
            "readers of TDMRep look there first, and don't learn of the reservation",
            fix=_ROUTE,
        )
        return
    wanted = _reservations(expected, site.path, served, with_policy)
    found = _reservations(served, site.path, expected, with_policy)
    different = [path for path, value in wanted.items() if found.get(path, value) != value]
    if different:
        first = different[0]
        yield finding(
            "tdmrep-differs",
            "tdmrep.json",
            f"for {listed(different, 4)} the file says {_in_words(found[first])},"
            f" the policy says {_in_words(wanted[first])}",
            "readers follow the file that is served",
            fix=_ROUTE,
        )


def _reservations(
    entries: Iterable[Any] | None, path: str, others: Iterable[Any], with_policy: bool
) -> dict[str, _Reservation]:
    """Return what ``entries`` say about the page's path and about paths that either file names."""
    listing = list(entries or [])
    located = [e.get("location") for e in (*listing, *others) if isinstance(e, dict)]
    paths = [
        path,
        "/",
        *(s for location in located if isinstance(location, str) for s in matching_paths(location)),
    ]
    found: dict[str, _Reservation] = {}
    for each in list(dict.fromkeys(paths))[:_MOST_PATHS]:
        entry = tdm_entry(each, listing)
        found[each] = entry_reservation(entry), (entry or {}).get("tdm-policy") if with_policy else None
    return found


def _in_words(value: _Reservation) -> str:
    reservation, policy = value
    words = {1: "reserved (1)", 0: "not reserved (0)", None: "nothing"}[reservation]
    return f"{words} with the policy {shorten(str(policy))}" if policy else words
