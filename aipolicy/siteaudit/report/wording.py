"""The wording of the reports for people."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from aipolicy.report.text import listed
from aipolicy.report.wording import PURPOSES, counted
from aipolicy.siteaudit.robots_diff import best_known_first

Document = Mapping[str, Any]
"""The document of a site, or a part of it."""

USES = MappingProxyType({"train-ai": "AI training", "ai-use": "AI use", "search": "Search"})
"""The categories as headings."""

ANSWERS = MappingProxyType({"disallow": "no", "allow": "yes", "unknown": "\N{EN DASH}"})
"""The preferences as words."""

_FIRST_WORD = re.compile(r"(?!aipolicy\b)[a-z]+(?= )")


def sentence(text: str) -> str:
    """Return a finding's text as a sentence; names such as ``robots.txt`` keep their small letter."""
    if _FIRST_WORD.match(text):
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "\N{HORIZONTAL ELLIPSIS}")) else f"{text}."


def sources(use: Document) -> list[str]:
    """Return the places that state a preference for a use, marking those that say something else."""
    preference = use["preference"]
    places = (
        statement["where"]
        if statement["preference"] == preference
        else f"{statement['where']} (says {ANSWERS[statement['preference']]})"
        for statement in use["statements"]
    )
    return list(dict.fromkeys(places))


def crawlers(row: Document, most: int = 3) -> str:
    """Return the crawlers of a row, the best known first."""
    names = best_known_first(row["crawlers"])
    if not row["any_other"]:
        return listed(names, most)
    return f"any other crawler, {listed(names, most)}" if names else "any other crawler"


def purposes(row: Document) -> str:
    return ", ".join(PURPOSES.get(purpose, purpose) for purpose in row["purposes"])


def fetching(row: Document) -> str:
    """Return the decision on the page; for a control token, which no crawler sends, on its use."""
    if row["control"]:
        return "allowed" if row["may_fetch"] else "disallowed"
    return "yes" if row["may_fetch"] else "no"


def counts(site: Document) -> str:
    """Return ``2 errors, 1 warning``."""
    if not site["answered"]:
        return "not reached"
    if not site["audited"]:
        return "could not be checked"
    parts = []
    for severity in ("error", "warning"):
        number = sum(found["severity"] == severity for found in site["findings"])
        if number:
            parts.append(counted(number, severity))
    return ", ".join(parts) or "no problems found"


def expected(site: Document) -> str:
    """Return ``no-training (change 5, since 2026-10-01)``, or "" without a policy to compare with."""
    policy = site["expected"]
    if policy is None:
        return ""
    if policy["policy"] is None:
        return "not in the registry"
    since = f", since {policy['since'].partition('T')[0]}" if policy["since"] else ""
    change = f" (change {policy['change']}{since})" if policy["change"] is not None else ""
    visibility = "" if policy["visibility"] == "public" else f", {policy['visibility']}"
    return f"{policy['policy'] or 'unset'}{visibility}{change}"


def outcome(answer: Document) -> str:
    """Return ``200, text/plain, 2,510 bytes``, or the reason of a failure."""
    if answer["status"] is None:
        return f"no answer: {answer['reason']}"
    kind = answer["content_type"].partition(";")[0].strip(" \t")
    size = f"{answer['bytes']:,} bytes{' or more' if answer['truncated'] else ''}"
    redirects = len(answer["redirects"])
    target = f", {counted(redirects, 'redirect')} to {answer['url']}" if redirects else ""
    return ", ".join(filter(None, [str(answer["status"]), kind, size, answer["reason"]])) + target


def quotations(site: Document) -> dict[str, str]:
    """Return the text at each place that the rows refer to."""
    found: dict[str, str] = {}
    for row in site["crawlers"]:
        for place in (row["decided_by"], *(s for use in row["uses"].values() for s in use["statements"])):
            if place["where"]:
                found.setdefault(place["where"], place["text"])
    return dict(sorted(found.items(), key=lambda item: _line(item[0])))


def _line(where: str) -> tuple[str, int]:
    name, _, number = where.rpartition(" line ")
    return (name, int(number)) if name and number.isdigit() else (where, 0)
