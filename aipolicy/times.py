"""Times in two forms: microseconds since the epoch in tables, ISO 8601 in UTC in documents."""

from datetime import UTC, datetime, timedelta
from typing import overload

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_microseconds(when: datetime) -> int:
    """Return the microseconds since the epoch of a time with a time zone."""
    return (when - _EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """Return the time in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


@overload
def iso(when: datetime | int, timespec: str = "auto") -> str: ...
@overload
def iso(when: datetime | int | None, timespec: str = "auto") -> str | None: ...
def iso(when: datetime | int | None, timespec: str = "auto") -> str | None:
    """Return a time, or microseconds since the epoch, in ISO 8601 in UTC, like ``2026-10-01T12:00:00Z``.

    Args:
        timespec: As in ``datetime.isoformat``; ``auto`` writes fractions of a second if there are any.
    """
    if when is None:
        return None
    moment = from_microseconds(when) if isinstance(when, int) else when.astimezone(UTC)
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")
