"""Times: microseconds since the epoch in tables, ISO 8601 in documents."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(microseconds: int | None) -> str | None:
    """ISO 8601 in UTC; fractions of a second only where there are any."""
    if microseconds is None:
        return None
    return (_EPOCH + timedelta(microseconds=microseconds)).isoformat().replace("+00:00", "Z")


def microseconds(when: datetime) -> int:
    """Since the epoch. ``when`` has a time zone."""
    return (when - _EPOCH) // timedelta(microseconds=1)
