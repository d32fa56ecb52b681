"""From what was seen to a verdict, where the crawl was cut short."""

import pytest

from aipolicy.check.crawler import CLAUSES
from aipolicy.check.crawler.clause import Finding, Verdict
from aipolicy.check.crawler.seen import Ending, Fetch, Seen
from aipolicy.check.crawler.trap import START, Answer, Setting

ENDED = Ending(0, False, 1.0)
BY_ID = {clause.id: clause for clause in CLAUSES}


def seen(ending: Ending, *, flooded: bool = False, **at: float) -> Seen:
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
    finding = judged(clause, seen(ENDED, flooded=True, **asked))
    assert (finding.verdict, finding.why) == (Verdict.NOT_TESTED, "it asked more than could be watched")


def test_who_was_seen_to_disobey_disobeys_whatever_it_asked_besides() -> None:
    finding = judged("robots-first", seen(ENDED, flooded=True, robots=0.1, closed=0.2))
    assert finding.verdict is Verdict.DISOBEYS
