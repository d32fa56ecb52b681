"""Detection of a log's format from its first lines."""

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

import polars as pl

from aipolicy.accesslog.formats.catalog import FORMATS, JSON_EXAMPLE, format_advice
from aipolicy.accesslog.formats.columns import bare_address, without_placeholder
from aipolicy.accesslog.formats.field_list_format import DIRECTIVE, FieldListFormat
from aipolicy.accesslog.formats.json_format import JsonFormat
from aipolicy.accesslog.formats.line_pattern import Role
from aipolicy.accesslog.formats.log_format import LogFormat
from aipolicy.accesslog.formats.pattern_format import PatternFormat
from aipolicy.errors import LogFormatError
from aipolicy.report.text import shorten

SAMPLE_LINES = 100
"""Number of lines from which a format is detected."""
_ENOUGH = 0.8  # of them must fit; others may be broken
_CONTENT = re.compile(rb"#Fields:|\s*[^\s#]")  # neither blank nor any other comment


def format_of_log(name: str, lines: Iterable[bytes], chosen: LogFormat | None) -> LogFormat | None:
    """Return the format of a log, or None if its lines are blank or comments.

    Args:
        name: The log's name for error messages.
        lines: The log's first lines.
        chosen: The format that the user chose; None to detect it.

    Raises:
        LogFormatError: the format is unknown, no line fits it, or no line can have a User-Agent.
    """
    sample = itertools.islice((line for line in lines if _CONTENT.match(line)), SAMPLE_LINES)
    first = _stripped([line.decode("utf-8", "replace") for line in sample])
    try:
        found = _detected(first) if chosen is None else _checked(chosen, first)
        return None if found is None else _adapted(found, first)
    except LogFormatError as error:
        raise LogFormatError(f"{name!r}: {error}") from None


def detect_format(sample: Sequence[str]) -> LogFormat | None:
    """Return the format that fits the first lines of a log; None if they are blank or comments.

    Raises:
        LogFormatError: no format fits four in five lines, or the first column has only addresses, which may
            be those of sites or of clients. The message has such a line and the option to give.
    """
    return _detected(_stripped(sample))


def _stripped(sample: Sequence[str]) -> list[str]:
    return [line.strip("\ufeff\r\n") for line in sample[:SAMPLE_LINES]]


def _detected(first: list[str]) -> LogFormat | None:
    if any(line.startswith(DIRECTIVE) for line in first):
        return _with_directives(first)
    lines = _requests(first)
    if not lines.len():
        return None
    fits = {name: log_format.matches(lines) for name, log_format in FORMATS.items()}
    best = max(fits, key=lambda name: fits[name].sum())  # the first of equals
    _require_fit(lines, fits[best], best)
    found = FORMATS[best]
    if isinstance(found, PatternFormat) and Role.HOST in found.pattern.roles:
        _require_host_names(lines, found)
    return found.adapted_to(lines)


def _checked(chosen: LogFormat, first: list[str]) -> LogFormat:
    """Return the format that the user chose, if it fits any of the first lines."""
    directives = isinstance(chosen, FieldListFormat)
    if directives and any(line.startswith(DIRECTIVE) for line in first):
        _with_directives(first)
        return chosen
    lines = _requests(first)
    if lines.len() and directives:
        raise LogFormatError(
            f"no line begins with '{DIRECTIVE}', which lists the columns: '{shorten(lines[0])}'; "
            "restore it, or give --format the format string of the lines"
        )
    if lines.len() and not chosen.matches(lines).any():
        raise LogFormatError(
            f"none of the first {lines.len()} lines fits --format {chosen.name}: '{shorten(lines[0])}'; "
            f"{format_advice()}"
        )
    return chosen


def _adapted(found: LogFormat, first: list[str]) -> LogFormat:
    """Return the format with ``has_host`` if targets name the sites; refuse lines without a User-Agent."""
    lines = _requests(first)
    if not lines.len():
        return found
    directives = [line for line in first if line.startswith(DIRECTIVE)]
    for each in [found.after(directive) for directive in directives] or [found]:
        if (reason := each.missing_user_agent(lines)) is not None:
            key_advice = f"; if its key has another name, give --format {JSON_EXAMPLE}"
            raise LogFormatError(
                f"{reason}: no crawler can be recognised ('{shorten(lines[0])}'); log the User-Agent, or "
                f"leave this log out{key_advice if isinstance(each, JsonFormat) else ''}"
            )
    if not isinstance(found, PatternFormat | JsonFormat) or found.has_host:
        return found
    return replace(found, has_host=True) if found.targets_name_sites(lines) else found


def _with_directives(first: list[str]) -> LogFormat:
    """Return the format after the first directive; the lines after each must fit its columns."""
    starts = [at for at, line in enumerate(first) if line.startswith(DIRECTIVE)]
    formats = [FieldListFormat().after(first[at]) for at in starts]
    parts = [_requests(first[at:until]) for at, until in zip(starts, [*starts[1:], len(first)], strict=True)]
    fits = [each.matches(lines) for each, lines in zip(formats, parts, strict=True)]
    _require_fit(pl.concat(parts), pl.concat(fits), formats[0].name)
    return formats[0]


def _requests(lines: list[str]) -> pl.Series:
    return pl.Series([line for line in lines if line.strip() and not line.startswith("#")], dtype=pl.String)


def _require_fit(lines: pl.Series, fits: pl.Series, name: str) -> None:
    if fits.sum() < _ENOUGH * lines.len():
        closest = f" (the closest one is {name})" if fits.any() else ""
        line = lines.filter(~fits)[0]
        raise LogFormatError(f"unknown log format{closest}: '{shorten(line)}'; {format_advice(line)}")


def _require_host_names(lines: pl.Series, found: PatternFormat) -> None:
    """Refuse a host column with nothing but addresses: most requests name their site."""
    hosts = found.columns(lines).select(without_placeholder(pl.col("host"))).to_series().drop_nulls()
    if bare_address(hosts).is_not_null().all():
        raise LogFormatError(
            f"the first field of '{shorten(lines[0])}' may be the site or a forwarded address; give --format "
            f"{found.name} if it is the site, else the format string of the server's configuration"
        )
