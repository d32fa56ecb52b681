"""Times in tables and in documents."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from aipolicy.times import from_microseconds, iso, to_microseconds

WHEN = datetime(2026, 10, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def test_microseconds_are_converted_exactly_both_ways() -> None:
    assert from_microseconds(to_microseconds(WHEN)) == WHEN
    assert to_microseconds(datetime(1970, 1, 1, tzinfo=UTC) - timedelta(microseconds=1)) == -1


@pytest.mark.parametrize("when", [WHEN, WHEN.astimezone(timezone(timedelta(hours=2))), to_microseconds(WHEN)])
def test_documents_have_utc_with_z(when: datetime | int) -> None:
    assert iso(when) == "2026-10-01T12:00:00.250000Z"
    assert iso(when, "seconds") == "2026-10-01T12:00:00Z"


def test_fractions_are_written_only_if_there_are_any() -> None:
    assert iso(WHEN.replace(microsecond=0)) == "2026-10-01T12:00:00Z"
    assert iso(WHEN.replace(microsecond=0), "microseconds") == "2026-10-01T12:00:00.000000Z"
    assert iso(None) is None
