"""A crawler with a fault for each clause, which fails exactly that clause."""

from functools import partial

import pytest

from aipolicy.conformance import CLAUSES, ClauseVerdict, ConformanceRun, Level
from tests.conformance.crawler import Crawler
from tests.conformance.crawls import Make, not_obeyed, try_all
from tests.sizes import size

OVER_CAUTIOUS = {
    "ties",
    "status-404",
    "status-403",
    "empty-group",
    "empty-rule",
    "ungrouped-rules",
    "comment-line",
}
FAULTS = [clause.id for clause in CLAUSES][:: size(full=1, ci=2)]
# What tells nothing any more where another clause isn't obeyed.
UNMOVED = {"redirect-rules", "five-redirects", "five-redirects-rules", "refused"}
SILENT = {
    "redirect": UNMOVED,
    "five-redirects": {"five-redirects-rules"},
    "shared-group": {"record-between-names"},
}
# Whoever takes the rules of one port for another's breaks these, too.
ALSO = {"authority": {"waiting-requests": ClauseVerdict.DISOBEYS}}
LEVELS = {clause.id: clause.level for clause in CLAUSES}


def breach_of(clause: str) -> ClauseVerdict:
    """Return the verdict for a breach at the clause's level."""
    gentle = LEVELS[clause] in (Level.SHOULD, Level.IMPLIED)
    return ClauseVerdict.DEPARTS if gentle else ClauseVerdict.DISOBEYS


pytestmark = [pytest.mark.proof, pytest.mark.slow]


@pytest.fixture(scope="module")
def trials() -> dict[str, ConformanceRun]:
    makers: dict[str, Make] = {fault: partial(Crawler, fault) for fault in FAULTS}
    makers |= {"none": Crawler, "ignoring": partial(Crawler, ignores=True)}
    return try_all(makers)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_fails_its_clause_only(trials: dict[str, ConformanceRun], fault: str) -> None:
    caught = ClauseVerdict.OVER_CAUTIOUS if fault in OVER_CAUTIOUS else breach_of(fault)
    silent = dict.fromkeys(SILENT.get(fault, ()), ClauseVerdict.NOT_TESTED)
    assert not_obeyed(trials[fault]) == {fault: caught} | silent | ALSO.get(fault, {})


def test_a_crawler_without_a_fault_obeys_every_clause(trials: dict[str, ConformanceRun]) -> None:
    assert not_obeyed(trials["none"]) == {}


def test_every_breach_has_its_request(trials: dict[str, ConformanceRun]) -> None:
    for trial in trials.values():
        for result in trial.results:
            if result.finding.verdict is ClauseVerdict.DISOBEYS:
                assert result.recording
                assert result.finding.fetch in result.recording.fetches


def test_a_crawler_that_ignores_robots_txt_disobeys_every_clause_with_a_forbidden_page(
    trials: dict[str, ConformanceRun],
) -> None:
    # Nothing is forbidden there, or by a link.
    obeyed = {"ties", "status-404", "status-403", "nofollow", "empty-group", "empty-rule"}
    silent = {*UNMOVED, "own-name", "record-between-names"}
    expected = {name: breach_of(name) for name in LEVELS if name not in obeyed | silent}
    assert not_obeyed(trials["ignoring"]) == expected | dict.fromkeys(silent, ClauseVerdict.NOT_TESTED)
