"""Times in a log, converted to microseconds since the epoch, UTC.

The notation of a time is a *code*: a strftime format; ``epoch``, a number of seconds, milli-, micro- or
nanoseconds, which differ in size; ``iso``, ISO 8601 (UTC if it has no offset); or ``any``: one of these, or
the time of the Common Log Format. Months are English whatever the locale.
"""

import re

import polars as pl

from aipolicy.errors import LogFormatError

CLF = "%d/%b/%Y:%H:%M:%S %z"
"""``24/Nov/2026:21:00:00 +0000``."""
LATEST = 253_402_300_799_999_999
"""The last microsecond of the year 9999."""

_DIGITS = {2: "[0-9]{2}", 4: "[0-9]{4}"}
_OFFSET = "[+-][0-9]{2}:?[0-9]{2}"
_SHORTHANDS = {"%T": "%H:%M:%S", "%F": "%Y-%m-%d", "%D": "%m/%d/%y", "%R": "%H:%M", "%h": "%b"}
_PATTERNS = {
    "%Y": _DIGITS[4],
    **dict.fromkeys(("%d", "%m", "%y", "%H", "%I", "%M", "%S"), _DIGITS[2]),
    "%e": "[ 0-9][0-9]",
    "%b": "[A-Za-z]{3}",
    "%B": "[A-Za-z]{3,9}",
    "%p": "[AaPp][Mm]",
    "%z": _OFFSET,
    "%3f": "[0-9]{3}",
    "%6f": "[0-9]{6}",
    "%.f": r"(?:\.[0-9]{1,9})?",
    "%%": "%",
}
_NAMED = {
    "epoch": r"[0-9]{9,19}(?:\.[0-9]+)?",
    "iso": rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]+)?(?:Z|{_OFFSET})?",
}
_NEEDED = (("%Y", "%y"), ("%m", "%b", "%B"), ("%d", "%e"), ("%H", "%I"), ("%M",))
_CODE = re.compile(r"%(?:[36]f|\.f|.)", re.DOTALL)


def expanded(code: str) -> str:
    """Return ``code`` without shorthands such as ``%T``.

    Raises:
        LogFormatError: a part of it is not supported.
    """
    if code in _NAMED or code == "any":
        return code
    for short, long in _SHORTHANDS.items():
        code = code.replace(short, long)
    for found in _CODE.findall(code):
        if found not in _PATTERNS:
            raise LogFormatError(f"{found!r} is not supported in a time; write it like {CLF!r}")
    return code


def pattern(code: str) -> str:
    """Return a regular expression for times in an expanded code; empty for ``any``."""
    if code == "any":
        return ""
    if code in _NAMED:
        return _NAMED[code]
    parts = _CODE.split(code)
    codes = [_PATTERNS[found] for found in _CODE.findall(code)]
    return "".join(re.escape(part) + regex for part, regex in zip(parts, [*codes, ""], strict=True))


def is_complete(code: str) -> bool:
    """Return True if an expanded code has the day and the minute."""
    return code in (*_NAMED, "any") or all(any(part in code for part in parts) for parts in _NEEDED)


def has_offset(code: str) -> bool:
    """Return True if a code determines the time zone."""
    return code in (*_NAMED, "any") or "%z" in code


def to_microseconds(texts: pl.Series, code: str) -> pl.Series:
    """Return Int64 microseconds since the epoch, UTC; null where a text isn't a time in that notation."""
    if code == "epoch":
        return texts.to_frame("text").select(_from_numbers(pl.col("text"))).to_series()
    if code == "iso":
        plain = "%Y-%m-%dT%H:%M:%S%.f"
        zoned = texts.str.replace(r"[Zz]\z", "+00:00")
        return _filled(to_microseconds(zoned, f"{plain}%z"), texts, plain)
    if code == "any":
        return _filled(_filled(to_microseconds(texts, "epoch"), texts, "iso"), texts, CLF)
    return texts.str.to_datetime(code, time_unit="us", strict=False).dt.epoch("us")


def _filled(found: pl.Series, texts: pl.Series, code: str) -> pl.Series:
    """Fill the nulls in ``found`` with the times that ``code`` reads."""
    return (
        found if found.null_count() == texts.null_count() else found.fill_null(to_microseconds(texts, code))
    )


def _from_numbers(text: pl.Expr) -> pl.Expr:
    """Convert numbers in the unit that their size implies: seconds have up to 11 digits until 5138."""
    parts = text.str.extract_groups(r"\A(?P<integer>[0-9]{9,19})(?:\.(?P<fraction>[0-9]+))?\z").struct
    integer = parts.field("integer").cast(pl.Int64, strict=False)
    digits = parts.field("fraction").fill_null("").str.slice(0, 6).str.pad_end(6, "0")
    fraction = digits.cast(pl.Int64, strict=False).fill_null(0)
    return (
        pl.when(integer < 10**11)
        .then(integer * 1_000_000 + fraction)
        .when(integer < 10**14)
        .then(integer * 1_000 + fraction // 1_000)
        .when(integer < 10**17)
        .then(integer)
        .otherwise(integer // 1_000)
    )
