"""Bar charts over time: the layout, which the template draws as inline SVG."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from aipolicy.accesslog.report.labels import Document
from aipolicy.report.wording import counted, long_date, short_date, utc_time

MOST_CRAWLERS = 12
"""Maximum number of charts; the last one combines all further crawlers."""

_MOST_BARS = 100
_STEPS = {1: "day", 7: "week", 28: "4 weeks", 91: "13 weeks", 364: "52 weeks", 3640: "520 weeks"}
_HEIGHT, _LEFT, _RIGHT, _TOP, _BASE = 172, 44, 12, 26, 132  # CSS pixels
_HALF_LABEL = 34  # half the width of a date with its year
_LEAST = 1.5  # height at which one fetch among a million is visible


@dataclass(frozen=True, slots=True)
class Bar:
    """The bar of one step of time: its position, the heights of its parts, and if robots.txt was read.

    The parts are, from the bottom: ``disallowed``, ``spoofed`` (disallowed fetches by impostors), all other
    ``fetches``.
    """

    x: float
    width: float
    fetches: float
    disallowed: float
    spoofed: float
    read: bool
    label: str


@dataclass(frozen=True, slots=True)
class Label:
    """A text on an axis; ``at`` is its x or y, ``anchor`` SVG's text-anchor."""

    at: float
    text: str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart: its texts, sizes and parts."""

    name: str
    summary: str
    about: str
    step: str
    width: int
    bars: tuple[Bar, ...]
    levels: tuple[Label, ...]
    days: tuple[Label, ...]
    height: int = _HEIGHT
    left: int = _LEFT
    right: int = _RIGHT
    top: int = _TOP
    base: int = _BASE


@dataclass(frozen=True, slots=True)
class _Steps:
    """The time axis: ``count`` steps of ``days`` days from ``first``."""

    first: date
    days: int
    count: int

    def start(self, index: int) -> date:
        return self.first + timedelta(days=index * self.days)

    def label(self, index: int) -> str:
        start = self.start(index)
        if self.days == 1:
            return long_date(start)
        return f"{_STEPS[self.days]} from {long_date(start)}"


def overview(document: Document, width: int) -> Chart | None:
    """Return the chart of all crawlers together; None if there was no fetch."""
    steps = _steps(document)
    return None if steps is None else _chart("All crawlers", document["days"], steps, width)


def charts(document: Document, width: int) -> list[Chart]:
    """Return one chart per crawler, all with the same time axis; at most ``MOST_CRAWLERS``."""
    steps = _steps(document)
    tokens = [crawler["product_token"] for crawler in document["crawlers"]]
    if steps is None or not tokens:
        return []
    alone = tokens if len(tokens) <= MOST_CRAWLERS else tokens[: MOST_CRAWLERS - 1]
    days: dict[str, list[Document]] = {token: [] for token in alone}
    others: list[Document] = []
    for day in document["days"]:
        days.get(day["product_token"], others).append(day)
    found = [_chart(token, days[token], steps, width) for token in alone]
    if len(tokens) > len(alone):
        found.append(_chart(f"{len(tokens) - len(alone)} other crawlers together", others, steps, width))
    return found


def _steps(document: Document) -> _Steps | None:
    if not document["days"]:
        return None
    days = {date.fromisoformat(row["day"]) for row in document["days"]}
    days |= {utc_time(time).date() for time in document["period"].values() if time is not None}
    first, length = min(days), (max(days) - min(days)).days + 1
    step = next((step for step in _STEPS if length <= step * _MOST_BARS), max(_STEPS))
    return _Steps(first, step, -(-length // step))


def _chart(name: str, days: Iterable[Document], steps: _Steps, width: int) -> Chart:
    sums = [[0, 0, 0, 0] for _ in range(steps.count)]
    for day in days:
        index = (date.fromisoformat(day["day"]) - steps.first).days // steps.days
        for at, key in enumerate(("fetches", "disallowed", "disallowed_spoofed", "robots_txt_reads")):
            sums[index][at] += day[key]
    highest = max(fetches for fetches, *_ in sums)
    scale = (_BASE - _TOP) / _round_up(highest)
    pitch = (width - _LEFT - _RIGHT) / steps.count
    thick = round(min(max(pitch * 0.75, pitch - 3), 36), 2)
    bars = tuple(
        Bar(
            round(_LEFT + (index + 0.5) * pitch - thick / 2, 2),
            thick,
            _height(fetches - disallowed - spoofed, scale),
            _height(disallowed, scale),
            _height(spoofed, scale),
            bool(reads),
            f"{steps.label(index)}: {_in_words(fetches, disallowed, spoofed)}, "
            f"{counted(reads, 'robots.txt read')}",
        )
        for index, (fetches, disallowed, spoofed, reads) in enumerate(sums)
        if fetches
    )
    totals = [sum(column) for column in zip(*sums, strict=True)]
    peak = next(index for index, (fetches, *_) in enumerate(sums) if fetches == highest)
    about = (
        f"{_in_words(*totals[:3])} and {counted(totals[3], 'robots.txt read')}, in {steps.count} bars "
        f"from {long_date(steps.first)}. Most fetches: {highest:,} ({steps.label(peak)})."
    )
    return Chart(
        name,
        _summary(*totals[:3]),
        about,
        _STEPS[steps.days],
        width,
        bars,
        _levels(_round_up(highest), scale),
        _days(steps, width, pitch),
    )


def _summary(fetches: int, disallowed: int, spoofed: int) -> str:
    text = f"{counted(fetches, 'fetch', 'fetches')}: {disallowed:,} disallowed"
    return f"{text}, {spoofed:,} disallowed by impostors" if spoofed else text


def _in_words(fetches: int, disallowed: int, spoofed: int) -> str:
    text = f"{counted(fetches, 'fetch', 'fetches')}, of which {disallowed:,} disallowed"
    return f"{text} and {spoofed:,} disallowed by impostors" if spoofed else text


def _height(number: int, scale: float) -> float:
    return round(max(number * scale, _LEAST), 2) if number else 0


def _round_up(highest: int) -> int:
    """Return the next of 1, 2, 4, 6, 8, 10, 20 ...: such a number and its half are round."""
    power = 1
    while True:
        for digit in (1, 2, 4, 6, 8):
            if highest <= digit * power:
                return digit * power
        power *= 10


def _levels(top: int, scale: float) -> tuple[Label, ...]:
    values = [0, top // 2, top] if top > 1 else [0, top]
    return tuple(Label(round(_BASE - value * scale, 2), _compact(value), "end") for value in values)


def _compact(number: int) -> str:
    """Return a number like ``40k`` or ``2M``."""
    for unit, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= 10 * unit or (number >= unit and number % unit == 0):
            return f"{number // unit:,}{letter}"
    return f"{number:,}"


def _days(steps: _Steps, width: int, pitch: float) -> tuple[Label, ...]:
    """Return labels for the first and the last step, and some between them if there is room."""
    last = steps.count - 1
    stride = max(1, -(-last // max(1, width // 130 - 1)))
    marks = list(range(0, steps.count, stride))
    if marks[-1] != last:
        # The last step always has a label: next to the previous one, or in its place.
        marks[-1 if last - marks[-1] < 0.75 * stride and len(marks) > 1 else len(marks) :] = [last]
    years = {steps.start(index).year for index in marks}
    labels = []
    for index in marks:
        centre = round(_LEFT + (index + 0.5) * pitch, 2)
        fits = width - centre >= _HALF_LABEL
        label = short_date(steps.start(index), year=len(years) > 1)
        labels.append(Label(centre, label) if fits else Label(width, label, "end"))
    return tuple(labels)
