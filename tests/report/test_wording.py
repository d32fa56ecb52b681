"""Numbers, dates and lists in reports."""

import pytest

from aipolicy.report.wording import counted, duration, hours, joined


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


def test_a_long_list_ends_with_the_number_of_other_names() -> None:
    names = ["A", "B", "C", "D", "E"]
    assert [joined(names[:length]) for length in (1, 2, 4, 5)] == [
        "A", "A and B", "A, B, C and D", "A, B, C and 2 others",
    ]  # fmt: skip


def test_numbers_agree_with_their_nouns() -> None:
    assert (counted(1, "fetch", "fetches"), counted(1204, "fetch", "fetches")) == ("1 fetch", "1,204 fetches")
    assert (hours(24), hours(1), hours(0.5)) == ("24 hours", "1 hour", "0.5 hours")
