"""Crawlers that follow no link, whose skipped pages prove nothing."""

from functools import partial

import pytest

from aipolicy.conformance import ClauseVerdict, ConformanceRun, clauses_named
from aipolicy.conformance.report import document, introduction
from tests.conformance.crawler import Crawler
from tests.conformance.crawls import Make, not_obeyed, try_all

CLAUSES = clauses_named(("star-group", "ties", "status-404", "status-403", "status-500"))
LEFT = ("star-group", "ties", "status-404", "status-403")


@pytest.fixture(scope="module")
def trials() -> dict[str, ConformanceRun]:
    makers: dict[str, Make] = {
        "follows": partial(Crawler, "status-404"),
        "follows none": partial(Crawler, follows=False),
        "follows none, and is shy": partial(Crawler, "status-404", follows=False),
    }
    return try_all(makers, CLAUSES)


def test_a_crawler_without_links_is_not_over_cautious(trials: dict[str, ConformanceRun]) -> None:
    assert not_obeyed(trials["follows none"]) == dict.fromkeys(LEFT, ClauseVerdict.NOT_TESTED)
    whys = [
        result.finding.reason for result in trials["follows none"].results if result.clause in CLAUSES[2:4]
    ]
    assert whys == ["it followed no link, here or anywhere"] * 2


def test_a_crawler_that_skips_the_start_page_is_over_cautious(trials: dict[str, ConformanceRun]) -> None:
    assert not_obeyed(trials["follows none, and is shy"])["status-404"] is ClauseVerdict.OVER_CAUTIOUS


def test_a_crawler_that_follows_links_elsewhere_is_over_cautious(trials: dict[str, ConformanceRun]) -> None:
    assert not_obeyed(trials["follows"]) == {"status-404": ClauseVerdict.OVER_CAUTIOUS}


def test_a_crawler_without_links_is_reported_first_with_advice(trials: dict[str, ConformanceRun]) -> None:
    text = introduction(trials["follows none"])
    assert "It followed no link" in text
    assert "wget -r" in text
    assert "followed no link" not in introduction(trials["follows"])
    followed = [document(trial, ())["followed_links"] for trial in trials.values()]
    assert followed == [True, False, False]


def test_a_crawler_without_links_passes_only_if_no_clause_needs_them(
    trials: dict[str, ConformanceRun],
) -> None:
    assert not trials["follows none"].conclusive
    (alone,) = try_all({"": partial(Crawler, follows=False)}, CLAUSES[-1:]).values()
    assert alone.conclusive
