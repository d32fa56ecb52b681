"""The expected summary of labelled logs, by plain loops over the labels."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.accesslog.labelled.definitions import FACTS
from tests.accesslog.labelled.logs import Line, LogFile
from tests.accesslog.labelled.traffic import Request

COUNTERS = (
    "allowed",
    "disallowed",
    "disallowed_spoofed",
    "in_grace",
    "exempt",
    "refused",
    "robots_txt_reads",
)
IDENTITIES = ("verified", "operator_verified", "spoofed", "unverifiable", "check_failed")
OWN = tuple(identity for identity in IDENTITIES if identity != "spoofed")
"""The verdicts that are held against a crawler."""


def counter_of(request: Request) -> str:
    """Return the counter of a request; an impostor's is never a counter of the crawler."""
    if request.judgement is None:
        raise ValueError(f"a crawler's request without labels: {request}")
    counter = request.judgement.counter
    return (
        "disallowed_spoofed" if counter == "disallowed" and request.client.identity == "spoofed" else counter
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """The options ``--since``, ``--until`` and ``--site``."""

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
    """Yield each chosen request of a crawler with its file and line (from 1)."""
    for file in files:
        for number, line in enumerate(file.lines, 1):
            if line.request is not None and line.request.crawler and choice.takes(line.request):
                yield file, number, line, line.request


def disallowed_lines(
    files: Iterable[LogFile], counters: tuple[str, ...] = ("disallowed", "disallowed_spoofed")
) -> Iterator[tuple[LogFile, int, Line, Request]]:
    for file, number, line, request in crawlers_lines(files, Choice()):
        if counter_of(request) in counters:
            yield file, number, line, request


def unknown_requests(files: Iterable[LogFile], choice: Choice) -> list[Request]:
    """Return the self-declared crawlers that neither the table nor the site's policy names."""
    lines = (line.request for file in files for line in file.lines if line.request is not None)
    return [request for request in lines if request.client.unknown and choice.takes(request)]


def audits(files: Iterable[LogFile], choice: Choice) -> int:
    """The number of requests of ``aipolicy check site`` in a crawler's name: nobody's fetches."""
    lines = (line.request for file in files for line in file.lines if line.request is not None)
    return sum(request.client.audit and choice.takes(request) for request in lines)


def expected(files: list[LogFile], known: set[str], choice: Choice | None = None) -> dict[str, Any]:
    """Return the parts of the summary that the definitions determine. ``known``: sites with a policy."""
    choice = choice or Choice()
    kinds = Counter(line.kind for file in files for line in file.lines)
    chosen = [request for *_, request in crawlers_lines(files, choice)]
    every = list(crawlers_lines(files, Choice()))
    left_out = len(every) - len(chosen)
    other_audits = audits(files, Choice()) - audits(files, choice)
    by_crawler: dict[str, list[Request]] = {}
    for request in chosen:
        by_crawler.setdefault(str(request.crawler), []).append(request)
    unknown = unknown_requests(files, choice)
    unknown_hosts = [request for request in chosen if request.site not in known]
    return {
        "lines": {
            "read": kinds.total(),
            "crawler": len(chosen),
            "other": kinds["other"] + left_out,
            "unreadable": kinds["unreadable"],
            "unknown_crawlers": len(unknown),
            "left_out": left_out + other_audits,
        },
        "site_audits": audits(files, choice),
        "period": {"from": earliest(chosen), "to": latest(chosen)},
        "sites": len({request.site for request in chosen}),
        "files": [(file.name, len(file.lines)) for file in files],
        "without_policy": {
            "fetches": len(unknown_hosts),
            "sites": len({request.site for request in unknown_hosts}),
        },
        "total": counted(chosen),
        "unknown_crawlers": dict(Counter(str(request.client.unknown).lower() for request in unknown)),
        "crawlers": {token: _crawler(token, requests) for token, requests in by_crawler.items()},
        "days": _days(chosen),
    }


def counted(requests: list[Request]) -> dict[str, Any]:
    counters: dict[str, Any] = dict.fromkeys(COUNTERS, 0)
    identity, disallowed = dict.fromkeys(IDENTITIES, 0), dict.fromkeys(OWN, 0)
    for request in requests:
        if request.client.identity is None:
            raise ValueError(f"a crawler's request without labels: {request}")
        counters[counter_of(request)] += 1
        identity[request.client.identity] += 1
        if counter_of(request) == "disallowed":
            disallowed[request.client.identity] += 1
    counters["fetches"] = len(requests)
    return counters | {"identity": identity, "disallowed_by_identity": disallowed}


def _crawler(token: str, requests: list[Request]) -> dict[str, Any]:
    facts = FACTS.get(token)
    disallowed = [r for r in requests if counter_of(r) == "disallowed"]
    # What an impostor read says nothing of what the crawler knew.
    own = [r for r in requests if r.client.identity != "spoofed"]
    reads = [r for r in own if counter_of(r) == "robots_txt_reads"]
    rules = Counter(
        (r.judgement.rule.text, r.judgement.rule.line) for r in disallowed if r.judgement and r.judgement.rule
    )
    return counted(requests) | {
        "operator": facts and facts.operator,
        "purpose": facts and str(facts.purpose),
        "first": earliest(requests),
        "last": latest(requests),
        "first_disallowed": earliest(disallowed),
        "last_disallowed": latest(disallowed),
        "reads": len(reads),
        "first_read": earliest(reads),
        "last_read": latest(reads),
        "rules": dict(rules),
    }


def _days(requests: list[Request]) -> dict[tuple[str, str], tuple[int, ...]]:
    """Return day (UTC) and product token → fetches, disallowed, disallowed_spoofed, robots_txt_reads."""
    days: dict[tuple[str, str], list[str]] = {}
    for request in requests:
        key = (f"{request.time:%Y-%m-%d}", str(request.crawler))
        days.setdefault(key, []).append(counter_of(request))
    return {
        key: (
            len(found),
            *(found.count(name) for name in ("disallowed", "disallowed_spoofed", "robots_txt_reads")),
        )
        for key, found in days.items()
    }


def earliest(requests: list[Request]) -> datetime | None:
    return min((request.time for request in requests), default=None)


def latest(requests: list[Request]) -> datetime | None:
    return max((request.time for request in requests), default=None)
