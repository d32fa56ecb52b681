"""Figures, dates and lists as a report writes them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from aipolicy.report.document import IDENTITIES, Document

# Not strftime's: a report reads the same in every locale.
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip
_STEPS = ((2 * 86_400, 86_400, "day"), (2 * 3_600, 3_600, "hour"), (120, 60, "minute"), (0, 1, "second"))


def counted(number: int, one: str, many: str | None = None) -> str:
    """``1 fetch`` or ``1,204 fetches``; ``many`` is ``one`` with an s unless given."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def joined(names: Sequence[str], most: int = 3) -> str:
    """``A, B and C``, or ``A, B, C and 4 others``."""
    if len(names) > most + 1:
        names = [*names[:most], f"{len(names) - most} others"]
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def split(identity: Document) -> str:
    """Who the clients were: ``1,000 verified, 412 spoofed``; what is zero is left out."""
    return ", ".join(f"{identity[key]:,} {word}" for key, word in IDENTITIES.items() if identity.get(key))


def when(time: str | None) -> str:
    """A time of the document to the second, like ``2026-11-01 12:30:00`` (UTC)."""
    return "\N{EN DASH}" if time is None else time.replace("T", " ").removesuffix("Z").partition(".")[0]


def moment(time: str) -> datetime:
    return datetime.fromisoformat(time).astimezone(UTC)


def long_date(day: date) -> str:
    """``1 November 2026``."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def short_date(day: date, year: bool = False) -> str:
    """``1 Nov``, with the year if asked."""
    text = f"{day.day} {_MONTHS[day.month - 1][:3]}"
    return f"{text} {day.year}" if year else text


def span(period: Document) -> str:
    """When: ``on 1 November 2026`` or ``between 1 and 14 November 2026``; empty where no time is known."""
    if period["from"] is None or period["to"] is None:
        return ""
    first, last = moment(period["from"]).date(), moment(period["to"]).date()
    if first == last:
        return f"on {long_date(last)}"
    if first.year != last.year:
        return f"between {long_date(first)} and {long_date(last)}"
    month = "" if first.month == last.month else f" {_MONTHS[first.month - 1]}"
    return f"between {first.day}{month} and {long_date(last)}"


def duration(seconds: float) -> str:
    """``35 minutes``: rounded down, in the largest unit of which there are two."""
    _, unit, name = next(step for step in _STEPS if seconds >= step[0])
    return counted(int(seconds // unit), name)


def times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")


def robots_reading(crawler: Document) -> str:
    """Whether a crawler read robots.txt, and how long before its first disallowed fetch."""
    reads, seconds = (
        crawler["robots_txt"]["own_reads"],
        crawler["robots_txt"]["seconds_before_first_disallowed"],
    )
    if not reads:
        return "Never read robots.txt in these logs."
    text = f"Read robots.txt {times(reads)}."
    if not crawler["disallowed"]:
        return text
    if seconds is None:
        return f"{text} It had not read it before its first disallowed fetch."
    return f"{text} It had read it {duration(seconds)} before its first disallowed fetch."


def typeset(text: str) -> str:
    """With the apostrophes of print."""
    return text.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}")


def hours(number: float) -> str:
    """``24 hours``, ``1 hour``, ``0.5 hours``."""
    return "1 hour" if number == 1 else f"{number:g} hours"
