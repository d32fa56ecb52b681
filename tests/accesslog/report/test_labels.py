"""Labels and sentences that the outputs share."""

import pytest

from aipolicy.accesslog.report.labels import identity_counts, period, robots_reading
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
def test_a_period_is_a_range_of_dates(first: str | None, last: str | None, words: str) -> None:
    assert period({"period": {"from": first, "to": last}}) == words


def test_identities_without_a_client_are_left_out() -> None:
    assert (
        identity_counts(dict.fromkeys(IDENTITIES, 0) | {"verified": 1000, "spoofed": 1})
        == "1,000 verified, 1 spoofed"
    )


def test_reads_of_robots_txt_are_stated_with_the_time_before_the_first_disallowed_fetch() -> None:
    crawler = sample(("GPTBot",))["crawlers"][0] | {"disallowed": 3}
    timing = {"own_reads": 14, "first_read": None, "last_read": None, "seconds_before_first_disallowed": 2130}
    before, never_before = timing, timing | {"seconds_before_first_disallowed": None}
    assert robots_reading(crawler | {"robots_txt": before}) == (
        "It read robots.txt 14 times. Its last read before its first disallowed fetch was 35 minutes earlier."
    )
    assert robots_reading(crawler | {"robots_txt": never_before | {"own_reads": 1}}) == (
        "It read robots.txt once. It had not read it before its first disallowed fetch."
    )
    assert (
        robots_reading(crawler | {"robots_txt": never_before | {"own_reads": 0}})
        == "It never read robots.txt in these logs."
    )
    assert (
        robots_reading(crawler | {"disallowed": 0, "robots_txt": before | {"own_reads": 2}})
        == "It read robots.txt twice."
    )
