"""Labels for the keys of the document, and sentences that several outputs share."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from aipolicy.report.wording import PURPOSES, counted, date_range, duration, times, utc_time

Document = Mapping[str, Any]
"""The summary document that ``--json`` prints, or a part of it."""

VERDICTS = MappingProxyType(
    {
        "allowed": "Allowed",
        "disallowed": "Disallowed",
        "disallowed_spoofed": "Disallowed (impostors)",
        "in_grace": "Grace period",
        "exempt": "Exempt",
        "refused": "Refused",
        "robots_txt_reads": "robots.txt reads",
    }
)
"""Column headings of the verdicts; each fetch has exactly one verdict.

Fetches by impostors are separate, because they are never counted against the crawler or its operator.
"""

IDENTITIES = MappingProxyType(
    {
        "verified": "verified",
        "operator_verified": "operator verified",
        "spoofed": "spoofed",
        "unverifiable": "unverifiable",
        "check_failed": "check failed",
    }
)
"""Short names of the client identities."""


def operator_and_purpose(crawler: Document) -> str:
    """Return the operator and purpose of a crawler, or that only a policy names it."""
    if crawler["operator"] is None:
        return "named by the policy"
    return f"{crawler['operator']}, {PURPOSES.get(crawler['purpose'], crawler['purpose'])}"


def identity_counts(identities: Mapping[str, int]) -> str:
    """Return ``1,000 verified, 412 spoofed``, without zeros."""
    return ", ".join(f"{identities[key]:,} {word}" for key, word in IDENTITIES.items() if identities.get(key))


def own_fetches(crawler: Document) -> str:
    """Return the number of fetches without those by impostors."""
    own = counted(crawler["fetches"] - crawler["identity"]["spoofed"], "fetch", "fetches")
    return f"{own} that may be its own" if crawler["identity"]["spoofed"] else own


def period(document: Document) -> str:
    """Return the days between the first and the last fetch in words; empty if there was no fetch."""
    first, last = document["period"]["from"], document["period"]["to"]
    if first is None or last is None:
        return ""
    return date_range(utc_time(first).date(), utc_time(last).date())


def robots_reading(crawler: Document) -> str:
    """Return sentences on a crawler's robots.txt reads, and the last one before a disallowed fetch."""
    robots_txt = crawler["robots_txt"]
    reads, seconds = robots_txt["own_reads"], robots_txt["seconds_before_first_disallowed"]
    if not reads:
        return "It never read robots.txt in these logs."
    text = f"It read robots.txt {times(reads)}."
    if not crawler["disallowed"]:
        return text
    if seconds is None:
        return f"{text} It had not read it before its first disallowed fetch."
    return f"{text} Its last read before its first disallowed fetch was {duration(seconds)} earlier."
