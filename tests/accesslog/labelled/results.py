"""Conversion of the summary document to the form of the oracle's answer."""

import re
from datetime import datetime
from typing import Any

from tests.accesslog.labelled.clients import NAMED
from tests.accesslog.labelled.definitions import rule_text
from tests.accesslog.labelled.oracle import COUNTERS


def observed(document: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of a summary document that an oracle's answer has."""
    crawlers = {_label(entry["product_token"]): entry for entry in document["crawlers"]}
    return {
        "lines": document["lines"],
        "site_audits": _site_audits(document["notes"]),
        "period": {end: moment(document["period"][end]) for end in ("from", "to")},
        "sites": document["sites"],
        "files": [(file["file"], file["lines"]) for file in document["files"]],
        "without_policy": document["without_policy"],
        "total": counters(document["total"]),
        "unknown_crawlers": {
            row["name"].lower(): row["fetches"] for row in document["unknown_crawlers"]["listed"]
        },
        "crawlers": {token: _crawler(entry) for token, entry in crawlers.items()},
        "days": {
            (row["day"], _label(row["product_token"])): tuple(row[name] for name in _DAILY)
            for row in document["days"]
        },
    }


def _label(token: str) -> str:
    """Return the label of a crawler; one that only policies name is shown in a spelling that was seen."""
    return NAMED if token.lower() == NAMED.lower() else token


_SITE_AUDITS = re.compile(r"([\d,]+) requests? of aipolicy's own site audit (?:is|are) left out")


def _site_audits(notes: list[str]) -> int:
    return sum(int(found[1].replace(",", "")) for note in notes if (found := _SITE_AUDITS.match(note)))


_DAILY = ("fetches", "disallowed", "disallowed_spoofed", "robots_txt_reads")


def counters(entry: dict[str, Any]) -> dict[str, Any]:
    names = ("fetches", *COUNTERS, "identity", "disallowed_by_identity")
    return {name: entry[name] for name in names}


def moment(text: str | None) -> datetime | None:
    return (text and datetime.fromisoformat(text)) or None


def _crawler(entry: dict[str, Any]) -> dict[str, Any]:
    return counters(entry) | {
        "operator": entry["operator"],
        "purpose": entry["purpose"],
        **{name: moment(entry[name]) for name in ("first", "last", "first_disallowed", "last_disallowed")},
        "reads": entry["robots_txt"]["own_reads"],
        "first_read": moment(entry["robots_txt"]["first_read"]),
        "last_read": moment(entry["robots_txt"]["last_read"]),
        "rules": _rules(entry["rules"]),
    }


def _rules(rows: list[dict[str, Any]]) -> dict[tuple[str, int], int]:
    """Return the rules; different spellings of a rule at one line are counted together."""
    found: dict[tuple[str, int], int] = {}
    for row in rows:
        key = rule_text(row["rule"]), row["line"]
        found[key] = found.get(key, 0) + row["disallowed"]
    return found


def contradictions(document: dict[str, Any]) -> list[str]:
    """Return the contradictions within a summary document."""
    lines, total = document["lines"], document["total"]
    rows = [*document["crawlers"], total]
    found = []
    if lines["read"] != lines["crawler"] + lines["other"] + lines["unreadable"]:
        found.append(f"lines don't add up: {lines}")
    if sum(file["lines"] for file in document["files"]) != lines["read"]:
        found.append("the files' lines aren't the lines read")
    for row in rows:
        if row["fetches"] != sum(row[name] for name in COUNTERS):
            found.append(f"fetches aren't the sum of what they were: {row}")
        if row["fetches"] != sum(row["identity"].values()):
            found.append(f"identities don't add up: {row}")
        if row["disallowed"] != sum(row["disallowed_by_identity"].values()):
            found.append(f"identities of the disallowed don't add up: {row}")
    found += [
        f"{name}: the total isn't the crawlers' sum"
        for name in ("fetches", *COUNTERS)
        if total[name] != sum(entry[name] for entry in document["crawlers"])
    ]
    if total["fetches"] != lines["crawler"]:
        found.append("there are other fetches than crawlers' lines")
    for row in rows:
        if row["identity"]["spoofed"] < row["disallowed_spoofed"]:
            found.append(f"impostors did more than there are: {row}")
    if sum(
        row["disallowed"] + row["disallowed_spoofed"] + row["refused"] for row in document["statuses"]
    ) != sum(total[name] for name in ("disallowed", "disallowed_spoofed", "refused")):
        found.append("statuses don't add up")
    order = [(-entry["disallowed"], -entry["fetches"]) for entry in document["crawlers"]]
    if order != sorted(order):
        found.append("crawlers are not in order")
    return found
