"""Other projects' parsers as the engine of a crawler: exactly their known deviations are found."""

from functools import partial

import pytest

from aipolicy.conformance import ClauseVerdict, ConformanceRun
from tests.conformance.crawler import Crawler
from tests.conformance.crawls import Make, not_obeyed, try_all
from tests.readers import READERS, STDLIB_IS_RFC9309, Reader

pytestmark = pytest.mark.slow

NO, APART, SHY = ClauseVerdict.DISOBEYS, ClauseVerdict.DEPARTS, ClauseVerdict.OVER_CAUTIOUS
# R numbers: the rows of tests/readers/test_matrix.py.
GOOGLE = {"encoded-letter-link": NO, "encoded-letter-rule": APART}  # its callers are to spell URLs plainly
OLD = {
    "merged-groups": NO,  # R9
    "whole-token-shorter": APART,  # R10
    "empty-group": SHY,  # R22
    "longest-match": NO,  # R8
    "ties": SHY,  # R18
    "encoded-slash-apart": SHY,  # an escaped slash in the rule
    "wildcard": NO,  # R17
    "anchor": NO,  # R17
    "blank-line-after-name": NO,  # R6
    "blank-line-between-rules": NO,  # R7
    "bom": NO,  # R19
}
NEW = {"whole-token-shorter": APART, "encoded-slash-apart": APART, "bom": NO}
DEVIATIONS = {
    "jwm-robotstxt": GOOGLE,
    "gpyrobotstxt": GOOGLE,
    "fast-robotstxt": {"encoded-slash-apart": APART},
    "protego": {"whole-token-shorter": APART, "record-between-names": NO, "bom": NO},  # R10, R5, R19
    "robotspy": {"encoded-slash-apart": APART, "cr": NO},  # lines that end in CR
    "urllib.robotparser": NEW if STDLIB_IS_RFC9309 else OLD,
}


@pytest.fixture(scope="module")
def trials() -> dict[str, ConformanceRun]:
    makers: dict[str, Make] = {reader.name: partial(Crawler, engine=reader) for reader in READERS}
    return try_all(makers)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: str(reader.name))
def test_the_known_deviations_of_an_engine_are_found(
    trials: dict[str, ConformanceRun], reader: Reader
) -> None:
    assert not_obeyed(trials[reader.name]) == DEVIATIONS[reader.name]
