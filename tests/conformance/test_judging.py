"""From what was seen to a verdict, where the crawl was cut short."""

import pytest

from aipolicy.conformance import CLAUSES
from aipolicy.conformance.clause import Finding, Verdict
from aipolicy.conformance.fixture import START, Answer, Setting
from aipolicy.conformance.recording import Ending, Fetch, Seen

ENDED = Ending(0, False, 1.0)
STOPPED = Ending(None, True, 4.0)
BY_ID = {clause.id: clause for clause in CLAUSES}


def seen(ending: Ending, at: dict[str, float], *, flooded: bool = False) -> Seen:
    """Pages by name, and when each was asked for; ``start`` is the start page."""
    paths = {"start": "/", "robots": "/robots.txt"}
    fetches = [
        Fetch(START, when, when, "GET", paths.get(name, f"/{name}.html"), "Bot/1.0", Answer())
        for name, when in at.items()
    ]
    return Seen(tuple(fetches), ending, flooded)


def judged(clause: str, what: Seen) -> Finding:
    trap = BY_ID[clause].build(Setting("Bot", {}))
    return BY_ID[clause].judge(trap, what, "Bot")


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
def test_who_asks_more_than_could_be_watched_is_not_tested(clause: str, pages: tuple[str, ...]) -> None:
    asked = dict.fromkeys(("robots", *pages), 0.1)
    finding = judged(clause, seen(ENDED, asked, flooded=True))
    assert (finding.verdict, finding.why) == (Verdict.NOT_TESTED, "it asked more than could be watched")


def test_who_was_seen_to_disobey_disobeys_whatever_it_asked_besides() -> None:
    finding = judged("robots-first", seen(ENDED, {"robots": 0.1, "closed": 0.2}, flooded=True))
    assert finding.verdict is Verdict.DISOBEYS


@pytest.mark.parametrize(
    "pages",
    [
        {"robots": 0.1, "start": 0.1, "control": 1.9, "more": 3.7},
        {"robots": 0.1, "start": 0.2, "control": 0.3},  # nothing new for long
    ],
)
def test_who_was_stopped_obeys_nothing(pages: dict[str, float]) -> None:
    finding = judged("robots-first", seen(STOPPED, pages))
    why = "it was stopped after 4 s, and had not ended: give it more --seconds"
    assert (finding.verdict, finding.why) == (Verdict.NOT_TESTED, why)


@pytest.mark.parametrize("clause", ["status-500", "dropped"])
def test_who_was_stopped_while_it_asked_for_robots_txt_again_obeys_nothing(clause: str) -> None:
    assert judged(clause, seen(STOPPED, {"robots": 3.9})).verdict is Verdict.NOT_TESTED
    assert judged(clause, seen(ENDED, {"robots": 0.9})).verdict is Verdict.OBEYS


def test_who_was_stopped_and_had_disobeyed_disobeys() -> None:
    pages = {"robots": 0.1, "start": 0.2, "closed": 0.3}
    assert judged("robots-first", seen(STOPPED, pages)).verdict is Verdict.DISOBEYS


def test_who_ended_by_itself_is_tested_by_all_that_it_fetched() -> None:
    pages = {"robots": 0.1, "start": 0.5, "control": 0.9}
    assert judged("robots-first", seen(ENDED, pages)).verdict is Verdict.OBEYS
