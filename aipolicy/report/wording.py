"""Numbers, dates, lists and names of purposes for reports."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from types import MappingProxyType

PURPOSES: Mapping[str, str] = MappingProxyType(
    {
        "training": "AI training",
        "dataset": "data sets",
        "search": "AI search",
        "user-fetch": "fetches for a user",
        "control": "control token",
        "search-engine": "search engine",
        "preview": "link previews",
        "other": "other",
    }
)
"""The purposes of crawlers, by their name in the crawler table."""

# Not strftime's: a report reads the same in every locale.
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip
_STEPS = ((2 * 86_400, 86_400, "day"), (2 * 3_600, 3_600, "hour"), (120, 60, "minute"), (0, 1, "second"))


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Return ``1 fetch`` or ``1,204 fetches``; the plural defaults to the singular with an s."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def joined(names: Sequence[str], most: int = 3) -> str:
    """Return ``A, B and C``, or ``A, B, C and 4 others``."""
    if len(names) > most + 1:
        names = [*names[:most], f"{len(names) - most} others"]
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def when(time: str | None) -> str:
    """Return an ISO 8601 time to the second, like ``2026-11-01 12:30:00``; a dash for None."""
    return "\N{EN DASH}" if time is None else time.replace("T", " ").removesuffix("Z").partition(".")[0]


def utc_time(text: str) -> datetime:
    """Parse an ISO 8601 time."""
    return datetime.fromisoformat(text).astimezone(UTC)


def long_date(day: date) -> str:
    """Return a date like ``1 November 2026``."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def short_date(day: date, year: bool = False) -> str:
    """Return a date like ``1 Nov``, or ``1 Nov 2026`` with the year."""
    text = f"{day.day} {_MONTHS[day.month - 1][:3]}"
    return f"{text} {day.year}" if year else text


def date_range(first: date, last: date) -> str:
    """Return ``on 1 November 2026`` or ``between 1 and 14 November 2026``."""
    if first == last:
        return f"on {long_date(last)}"
    if first.year != last.year:
        return f"between {long_date(first)} and {long_date(last)}"
    month = "" if first.month == last.month else f" {_MONTHS[first.month - 1]}"
    return f"between {first.day}{month} and {long_date(last)}"


def duration(seconds: float) -> str:
    """Return a duration like ``35 minutes``: rounded down, in the largest unit of which there are two."""
    _, unit, name = next(step for step in _STEPS if seconds >= step[0])
    return counted(int(seconds // unit), name)


def times(number: int) -> str:
    """Return ``once``, ``twice`` or ``3 times``."""
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")


def hours(number: float) -> str:
    """Return ``24 hours``, ``1 hour`` or ``0.5 hours``."""
    return "1 hour" if number == 1 else f"{number:g} hours"


def typeset(text: str) -> str:
    """Return ``text`` with typographic apostrophes."""
    return text.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}")
