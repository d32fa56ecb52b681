"""How a report puts things."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from aipolicy.report.text import listed
from aipolicy.report.wording import PURPOSES, counted
from aipolicy.siteaudit.signal_summary import known_first

Document = Mapping[str, Any]
"""The document of a site, or a part of it."""

USES = MappingProxyType({"train-ai": "AI training", "ai-use": "AI use", "search": "Search"})
"""The categories, as headings."""

ANSWERS = MappingProxyType({"disallow": "no", "allow": "yes", "unknown": "\N{EN DASH}"})
"""What is declared of a use; nothing is no yes."""


def sources(use: Document) -> list[str]:
    """Describe a source; where it says otherwise than what holds, with what it says."""
    said = use["preference"]
    wheres = (
        one["where"] if one["preference"] == said else f"{one['where']} (says {ANSWERS[one['preference']]})"
        for one in use["said"]
    )
    return list(dict.fromkeys(wheres))


def who(row: Document, most: int = 3) -> str:
    """Whom a row is about: the best known first, as the table of crawlers has them."""
    names = known_first(row["crawlers"])
    if not row["any_other"]:
        return listed(names, most)
    return f"any other crawler, {listed(names, most)}" if names else "any other crawler"


def purposes(row: Document) -> str:
    return ", ".join(PURPOSES.get(purpose, purpose) for purpose in row["purposes"])


def fetching(row: Document) -> str:
    """Whether the page may be fetched. By a control token nobody fetches."""
    if row["control"]:
        return "in use" if not row["may_fetch"] else "not in use"
    return "yes" if row["may_fetch"] else "no"


def counts(site: Document) -> str:
    """``2 errors, 1 warning``."""
    if not site["answered"]:
        return "not reached"
    if not site["judged"]:
        return "could not be judged"
    said = []
    for severity in ("error", "warning"):
        number = sum(found["severity"] == severity for found in site["findings"])
        if number:
            said.append(counted(number, severity))
    return ", ".join(said) or "nothing found"


def expected(site: Document) -> str:
    """``no-training (change 5, since 2026-10-01)``; empty where nothing is expected."""
    wanted = site["expected"]
    if wanted is None:
        return ""
    if wanted["policy"] is None:
        return "unknown there"
    since = f", since {wanted['since'].partition('T')[0]}" if wanted["since"] else ""
    change = f" (change {wanted['change']}{since})" if wanted["change"] is not None else ""
    hidden = "" if wanted["visibility"] == "public" else f", {wanted['visibility']}"
    return f"{wanted['policy']}{hidden}{change}"


def outcome(answer: Document) -> str:
    """``200, text/plain, 2,510 octets``, or what went wrong."""
    if answer["status"] is None:
        return f"no answer: {answer['reason']}"
    kind = answer["content_type"].partition(";")[0].strip(" \t")
    size = f"{answer['octets']:,} octets{' and more' if answer['cut'] else ''}"
    hops = len(answer["redirects"])
    led = f", {counted(hops, 'redirect')} to {answer['url']}" if hops else ""
    return ", ".join(filter(None, [str(answer["status"]), kind, size, answer["reason"]])) + led


def places(site: Document) -> dict[str, str]:
    """Where → what stands there, of everything that the rows refer to."""
    found: dict[str, str] = {}
    for row in site["crawlers"]:
        for place in (row["because"], *(s for use in row["uses"].values() for s in use["said"])):
            if place["where"]:
                found.setdefault(place["where"], place["text"])
    return dict(sorted(found.items(), key=lambda item: _line(item[0])))


def _line(where: str) -> tuple[str, int]:
    name, _, number = where.rpartition(" line ")
    return (name, int(number)) if name and number.isdigit() else (where, 0)
