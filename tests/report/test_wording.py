"""Figures, dates and lists as a report writes them."""

import pytest

from aipolicy.report.wording import counted, duration, hours, joined, robots_reading, span, split
from tests.accesslog.report.samples import IDENTITIES, sample


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("2026-11-01T00:00:00Z", "2026-11-01T23:59:59.999999Z", "on 1 November 2026"),
        ("2026-11-01T00:00:00Z", "2026-11-14T00:00:00Z", "between 1 and 14 November 2026"),
        ("2026-10-31T00:00:00Z", "2026-11-14T00:00:00Z", "between 31 October and 14 November 2026"),
        ("2025-12-31T00:00:00Z", "2026-01-01T00:00:00Z", "between 31 December 2025 and 1 January 2026"),
        (None, None, ""),
    ],
)
def test_a_period_is_said_as_people_say_it(first: str | None, last: str | None, words: str) -> None:
    assert span({"from": first, "to": last}) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (119, "119 seconds"),
        (2130, "35 minutes"),
        (7199, "119 minutes"),
        (7200, "2 hours"),
        (172_799, "47 hours"),
        (172_800, "2 days"),
        (86_400 * 30.5, "30 days"),
    ],
)
def test_a_duration_is_rounded_down(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_list_of_many_names_says_how_many_are_left_out() -> None:
    names = ["A", "B", "C", "D", "E"]
    assert [joined(names[:length]) for length in (1, 2, 4, 5)] == [
        "A", "A and B", "A, B, C and D", "A, B, C and 2 others",
    ]  # fmt: skip


def test_numbers_agree_with_their_nouns() -> None:
    assert (counted(1, "fetch", "fetches"), counted(1204, "fetch", "fetches")) == ("1 fetch", "1,204 fetches")
    assert (hours(24), hours(1), hours(0.5)) == ("24 hours", "1 hour", "0.5 hours")


def test_identities_that_nobody_had_are_left_out() -> None:
    assert (
        split(dict.fromkeys(IDENTITIES, 0) | {"verified": 1000, "spoofed": 1}) == "1,000 verified, 1 spoofed"
    )


def test_whether_robots_txt_was_read_before_is_told() -> None:
    crawler = sample(("GPTBot",))["crawlers"][0] | {"disallowed": 3}
    timing = {"own_reads": 14, "first_read": None, "last_read": None, "seconds_before_first_disallowed": 2130}
    before, never_before = timing, timing | {"seconds_before_first_disallowed": None}
    assert robots_reading(crawler | {"robots_txt": before}) == (
        "Read robots.txt 14 times. It had read it 35 minutes before its first disallowed fetch."
    )
    assert robots_reading(crawler | {"robots_txt": never_before | {"own_reads": 1}}) == (
        "Read robots.txt once. It had not read it before its first disallowed fetch."
    )
    assert (
        robots_reading(crawler | {"robots_txt": never_before | {"own_reads": 0}})
        == "Never read robots.txt in these logs."
    )
    assert (
        robots_reading(crawler | {"disallowed": 0, "robots_txt": before | {"own_reads": 2}})
        == "Read robots.txt twice."
    )
