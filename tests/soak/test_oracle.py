"""The oracle, which accepts only answers that are in force."""

from dataclasses import replace

import pytest

from tests.soak.oracle import Answer, Fault, Oracle, Verdict

ANSWER = Answer(
    host="blog.example", worker=1, seq=1, preset="no-ai", number=1, sent=100.0, received=100.1, numbered=True
)


@pytest.fixture
def oracle() -> Oracle:
    """An oracle of one site: ``no-ai`` from 50, ``unset`` from 99, ``no-training`` from 200."""
    oracle = Oracle(bound=2.0)
    for preset, begun in (("no-ai", 50.0), ("unset", 99.0), ("no-training", 200.0)):
        oracle.committed(oracle.begin("blog.example", preset, begun), begun + 0.1)
    return oracle


def verdict(oracle: Oracle, **changed: object) -> Verdict:
    return oracle.judge(replace(ANSWER, **changed))[0]  # type: ignore[arg-type]


def at(moment: float) -> dict[str, object]:
    return {"sent": moment, "received": moment + 0.1}


def test_the_previous_version_is_right_within_the_bound(oracle: Oracle) -> None:
    assert verdict(oracle, preset="unset", number=2) is Verdict.RIGHT
    assert verdict(oracle, host="www.blog.example", **at(101.05)) is Verdict.RIGHT
    assert verdict(oracle, host="www.blog.example", **at(101.2)) is Verdict.WRONG


def test_a_future_version_is_wrong(oracle: Oracle) -> None:
    assert verdict(oracle, preset="no-training", number=3) is Verdict.WRONG
    assert verdict(oracle, preset="no-training", number=3, received=200.0) is Verdict.RIGHT


@pytest.mark.parametrize(
    "change", [{"preset": "allow"}, {"number": 7}, {"number": None}, {"preset": "unset"}]
)
def test_an_answer_that_was_never_in_force_is_wrong(oracle: Oracle, change: dict[str, object]) -> None:
    assert verdict(oracle, **change) is Verdict.WRONG


def test_an_older_version_than_the_worker_has_shown_is_wrong(oracle: Oracle) -> None:
    assert verdict(oracle, preset="unset", number=2, **at(99.5)) is Verdict.RIGHT
    assert verdict(oracle, **at(99.7)) is Verdict.WRONG
    assert verdict(oracle, worker=2, **at(99.7)) is Verdict.RIGHT
    assert verdict(oracle, sent=99.55, received=99.8) is Verdict.RIGHT, "asked before the other was answered"


def test_during_a_fault_the_last_good_answer_is_right(oracle: Oracle) -> None:
    fault = Fault("PostgreSQL stopped")
    oracle.breaks(fault, 100.0)
    assert verdict(oracle, **at(150.0)) is Verdict.RIGHT
    assert verdict(oracle, preset="no-training", number=None, **at(150.0)) is Verdict.WRONG
    oracle.repaired(fault, 160.0)
    assert verdict(oracle, **at(159.0)) is Verdict.RIGHT
    assert verdict(oracle, **at(160.1)) is Verdict.WRONG


def test_an_answer_that_was_too_old_before_the_fault_is_wrong(oracle: Oracle) -> None:
    oracle.breaks(Fault("PostgreSQL stopped"), 150.0)
    assert verdict(oracle, **at(150.0)) is Verdict.WRONG


def test_during_a_strict_fault_an_old_answer_is_wrong(oracle: Oracle) -> None:
    oracle.breaks(Fault("NOTIFY suppressed", strict=True), 100.0)
    assert verdict(oracle, **at(150.0)) is Verdict.WRONG


def test_without_the_file_only_an_opt_out_can_stand_in(oracle: Oracle) -> None:
    oracle.breaks(Fault("file deleted", file=True), 150.0)
    default = {"preset": "no-training", "number": None}
    assert verdict(oracle, **default, **at(151.0)) is Verdict.STAND_IN
    assert verdict(oracle, preset="allow", **at(151.0)) is Verdict.WRONG


def test_a_stand_in_is_never_less_restrictive_than_the_last_known_answer(oracle: Oracle) -> None:
    oracle.committed(oracle.begin("art.example", "no-ai", 50.0), 50.1)
    art = {"host": "art.example", "preset": "no-training", "number": None}
    assert verdict(oracle, host="art.example", **at(100.0)) is Verdict.RIGHT
    oracle.breaks(Fault("file emptied", file=True), 150.0)
    assert verdict(oracle, **art, **at(151.0)) is Verdict.WRONG
    assert verdict(oracle, **art, worker=2, **at(151.0)) is Verdict.STAND_IN, "it never knew"
    oracle.committed(oracle.begin("art.example", "no-ai", 140.0), 140.1)
    assert verdict(oracle, **art, **at(151.0)) is Verdict.STAND_IN, "it knew another one"


def test_an_unknown_host_gets_the_default(oracle: Oracle) -> None:
    unknown = {"host": "unknown.example", "number": None}
    assert verdict(oracle, **unknown, preset="no-training") is Verdict.RIGHT
    assert verdict(oracle, **unknown, preset="unset") is Verdict.WRONG


def test_a_change_that_was_undone_is_wrong(oracle: Oracle) -> None:
    oracle.undone(oracle.begin("blog.example", "allow", 300.0))
    assert verdict(oracle, preset="allow", number=4, **at(301.0)) is Verdict.WRONG
    assert verdict(oracle, preset="no-training", number=3, **at(301.0)) is Verdict.RIGHT
