"""What the checker must say of labelled logs, by plain loops over the labels."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.check.labelled.clients import NOT_VERIFIED
from tests.check.labelled.definitions import FACTS
from tests.check.labelled.logs import Line, LogFile
from tests.check.labelled.traffic import Request

COUNTERS = ("allowed", "disallowed", "in_grace", "exempt", "refused", "robots_txt_reads")
IDENTITIES = ("verified", "operator_verified", "spoofed", "unverifiable", "check_failed")
_UNPROVED = ("spoofed", "unverifiable", "check_failed")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which crawlers' requests are looked at: ``--since``, ``--until`` and ``--site``."""

    since: datetime | None = None
    until: datetime | None = None
    sites: frozenset[str] = frozenset()

    def takes(self, request: Request) -> bool:
        return not (
            (self.since and request.time < self.since)
            or (self.until and request.time >= self.until)
            or (self.sites and request.site not in self.sites)
        )


def crawlers_lines(files: Iterable[LogFile], choice: Choice) -> Iterator[tuple[LogFile, int, Line, Request]]:
    """Each chosen request of a crawler, with its file and its line, counted from 1."""
    for file in files:
        for number, line in enumerate(file.lines, 1):
            if line.request is not None and choice.takes(line.request):
                yield file, number, line, line.request


def disallowed_lines(files: Iterable[LogFile]) -> Iterator[tuple[LogFile, int, Line, Request]]:
    for file, number, line, request in crawlers_lines(files, Choice()):
        if request.judgement and request.judgement.counter == "disallowed":
            yield file, number, line, request


def expected(files: list[LogFile], known: set[str], choice: Choice | None = None) -> dict[str, Any]:
    """The parts of the summary document that the definitions settle. ``known``: sites with a policy."""
    choice = choice or Choice()
    kinds = Counter(line.kind for file in files for line in file.lines)
    chosen = [request for *_, request in crawlers_lines(files, choice)]
    left_out = kinds["crawler"] - len(chosen)
    by_crawler: dict[str, list[Request]] = {}
    for request in chosen:
        by_crawler.setdefault(str(request.crawler), []).append(request)
    strangers = [request for request in chosen if request.site not in known]
    return {
        "lines": {
            "read": kinds.total(),
            "crawler": len(chosen),
            "other": kinds["other"] + left_out,
            "unreadable": kinds["unreadable"],
            "left_out": left_out,
        },
        "period": {"from": earliest(chosen), "to": latest(chosen)},
        "sites": len({request.site for request in chosen}),
        "files": [(file.name, len(file.lines)) for file in files],
        "without_policy": {"fetches": len(strangers), "sites": len({request.site for request in strangers})},
        "total": loosened(counted(chosen)),
        "crawlers": {token: _crawler(token, requests) for token, requests in by_crawler.items()},
        "days": _days(chosen),
    }


def counted(requests: list[Request]) -> dict[str, Any]:
    counters: dict[str, Any] = dict.fromkeys(COUNTERS, 0)
    identity, disallowed = Counter[str](), Counter[str]()
    for request in requests:
        if request.judgement is None or request.client.identity is None:
            raise ValueError(f"a crawler's request without labels: {request}")
        counters[request.judgement.counter] += 1
        identity[request.client.identity] += 1
        if request.judgement.counter == "disallowed":
            disallowed[request.client.identity] += 1
    counters["fetches"] = len(requests)
    return counters | {"identity": dict(identity), "disallowed_by_identity": dict(disallowed)}


def loosened(counters: dict[str, Any]) -> dict[str, Any]:
    """The same, with what isn't proved in one number: some labels say no more than that."""
    loose = dict(counters)
    for name in ("identity", "disallowed_by_identity"):
        split: dict[str, int] = counters[name]
        unproved = sum(split.get(identity, 0) for identity in (*_UNPROVED, NOT_VERIFIED))
        proved = {identity: split.get(identity, 0) for identity in ("verified", "operator_verified")}
        loose[name] = proved | {NOT_VERIFIED: unproved}
    return loose


def settled(counters: dict[str, Any]) -> dict[str, Any]:
    """Each identity with its number, where the labels say as much; else as ``loosened``."""
    if NOT_VERIFIED in counters["identity"]:
        return loosened(counters)
    full = {name: {i: counters[name].get(i, 0) for i in IDENTITIES} for name in _SPLITS}
    return counters | full


_SPLITS = ("identity", "disallowed_by_identity")


def _crawler(token: str, requests: list[Request]) -> dict[str, Any]:
    facts = FACTS[token]
    disallowed = [r for r in requests if r.judgement and r.judgement.counter == "disallowed"]
    reads = [r for r in requests if r.judgement and r.judgement.counter == "robots_txt_reads"]
    rules = Counter(
        (r.judgement.rule.text, r.judgement.rule.line) for r in disallowed if r.judgement and r.judgement.rule
    )
    return settled(counted(requests)) | {
        "operator": facts.operator,
        "purpose": str(facts.purpose),
        "first": earliest(requests),
        "last": latest(requests),
        "first_disallowed": earliest(disallowed),
        "last_disallowed": latest(disallowed),
        "first_read": earliest(reads),
        "last_read": latest(reads),
        "rules": dict(rules),
    }


def _days(requests: list[Request]) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Day (UTC) and product token → fetches, disallowed, robots_txt_reads."""
    days: dict[tuple[str, str], list[str]] = {}
    for request in requests:
        key = (f"{request.time:%Y-%m-%d}", str(request.crawler))
        days.setdefault(key, []).append(request.judgement.counter if request.judgement else "")
    return {
        key: (len(found), found.count("disallowed"), found.count("robots_txt_reads"))
        for key, found in days.items()
    }


def earliest(requests: list[Request]) -> datetime | None:
    return min((request.time for request in requests), default=None)


def latest(requests: list[Request]) -> datetime | None:
    return max((request.time for request in requests), default=None)
