"""Verdicts on crawls that were cut short."""

import pytest

from aipolicy.conformance import CLAUSES
from aipolicy.conformance.clause import ClauseFinding, ClauseVerdict
from aipolicy.conformance.fixture import START, FixtureSetup, ServedResponse
from aipolicy.conformance.recording import CrawlExit, RecordedFetch, Recording

ENDED = CrawlExit(0, False, 1.0)
STOPPED = CrawlExit(None, True, 4.0)
BY_ID = {clause.id: clause for clause in CLAUSES}


def recording(ending: CrawlExit, at: dict[str, float], *, flooded: bool = False) -> Recording:
    """Return a recording of requests for pages, by name and time; ``start`` is the start page."""
    paths = {"start": "/", "robots": "/robots.txt"}
    fetches = [
        RecordedFetch(START, when, when, "GET", paths.get(name, f"/{name}.html"), "Bot/1.0", ServedResponse())
        for name, when in at.items()
    ]
    return Recording(tuple(fetches), ending, flooded)


def judged(clause: str, what: Recording) -> ClauseFinding:
    fixture = BY_ID[clause].build(FixtureSetup("Bot", {}))
    return BY_ID[clause].judge(fixture, what, "Bot")


@pytest.mark.parametrize(
    ("clause", "pages"),
    [
        ("robots-first", ("start", "control")),
        ("star-group", ("start", "control", "theirs")),
        ("star-group", ("start", "control")),  # nor over-cautious: it was shut out
        ("status-500", ()),
        ("dropped", ()),
    ],
)
def test_a_crawler_with_too_many_requests_is_not_tested(clause: str, pages: tuple[str, ...]) -> None:
    request = dict.fromkeys(("robots", *pages), 0.1)
    finding = judged(clause, recording(ENDED, request, flooded=True))
    assert (finding.verdict, finding.reason) == (
        ClauseVerdict.NOT_TESTED,
        "it sent more requests than could be recorded",
    )


def test_a_recorded_breach_counts_despite_too_many_requests() -> None:
    finding = judged("robots-first", recording(ENDED, {"robots": 0.1, "closed": 0.2}, flooded=True))
    assert finding.verdict is ClauseVerdict.DISOBEYS


@pytest.mark.parametrize(
    "pages",
    [
        {"robots": 0.1, "start": 0.1, "control": 1.9, "more": 3.7},
        {"robots": 0.1, "start": 0.2, "control": 0.3},  # nothing new for long
    ],
)
def test_a_stopped_crawler_never_obeys(pages: dict[str, float]) -> None:
    finding = judged("robots-first", recording(STOPPED, pages))
    reason = "it was stopped after 4 s before it had finished; use a larger --seconds"
    assert (finding.verdict, finding.reason) == (ClauseVerdict.NOT_TESTED, reason)


@pytest.mark.parametrize("clause", ["status-500", "dropped"])
def test_a_crawler_stopped_while_it_retried_robots_txt_never_obeys(clause: str) -> None:
    assert judged(clause, recording(STOPPED, {"robots": 3.9})).verdict is ClauseVerdict.NOT_TESTED
    assert judged(clause, recording(ENDED, {"robots": 0.9})).verdict is ClauseVerdict.OBEYS


def test_a_stopped_crawler_can_disobey() -> None:
    pages = {"robots": 0.1, "start": 0.2, "closed": 0.3}
    assert judged("robots-first", recording(STOPPED, pages)).verdict is ClauseVerdict.DISOBEYS


def test_a_crawler_that_ended_is_judged_by_all_its_requests() -> None:
    pages = {"robots": 0.1, "start": 0.5, "control": 0.9}
    assert judged("robots-first", recording(ENDED, pages)).verdict is ClauseVerdict.OBEYS
