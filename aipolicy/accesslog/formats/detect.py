"""Which format a log has, from its first lines."""

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from aipolicy.accesslog.formats.addresses import bare
from aipolicy.accesslog.formats.base import LogFormat
from aipolicy.accesslog.formats.catalog import FORMATS, OF_JSON, fix
from aipolicy.accesslog.formats.elements import Role
from aipolicy.accesslog.formats.field_list import DIRECTIVE, FieldListFormat
from aipolicy.accesslog.formats.json_format import JsonFormat
from aipolicy.accesslog.formats.pattern import PatternFormat
from aipolicy.accesslog.formats.rows import given
from aipolicy.errors import LogFormatError
from aipolicy.report.text import shown

LOOKED_AT = 100
"""Lines from which a format is told."""
_ENOUGH = 0.8
"""The part of them that it must read; others may be broken."""


def recognise(sample: Sequence[str]) -> LogFormat | None:
    """The format that reads the first lines of a log, ``sample``; None where there are none to tell it from.

    Blank lines and comments don't count. Raises LogFormatError, with a line that isn't read and the option
    to give, where no format reads four in five of them, or where the first column is nothing but
    addresses: it may be the sites or the clients.
    """
    first = [line.strip("\ufeff\r\n") for line in sample[:LOOKED_AT]]
    if any(line.startswith(DIRECTIVE) for line in first):
        return _with_directives(first)
    lines = _requests(first)
    if not lines.len():
        return None
    read = {name: one.shaped(lines) for name, one in FORMATS.items()}
    best = max(read, key=lambda name: read[name].sum())  # the first of equals
    _require(lines, read[best], best)
    found = FORMATS[best]
    if isinstance(found, PatternFormat) and Role.HOST in found.layout.roles:
        _require_names(lines, found)
    return found.seen(lines)


def fitting(given: LogFormat, sample: Sequence[str]) -> LogFormat:
    """Return the format that somebody named, if any line of a log fits it.

    Raises LogFormatError where not one of the first lines does.
    """
    first = [line.strip("\ufeff\r\n") for line in sample[:LOOKED_AT]]
    directives = isinstance(given, FieldListFormat)
    if directives and any(line.startswith(DIRECTIVE) for line in first):
        _with_directives(first)
        return given
    lines = _requests(first)
    if lines.len() and directives:
        raise LogFormatError(
            f"no line begins with '{DIRECTIVE}', which says what the columns are: '{shown(lines[0])}'; "
            "put it back, or give --format the format string of the lines"
        )
    if lines.len() and not given.shaped(lines).any():
        raise LogFormatError(
            f"none of the first {lines.len()} lines fits --format {given.name}: '{shown(lines[0])}'; {fix()}"
        )
    return given


def telling(found: LogFormat, sample: Sequence[str]) -> LogFormat:
    """Return the format with what the lines of a log tell of it.

    Raises LogFormatError where the lines can have no User-Agent: no crawler could be told.
    """
    first = [line.strip("\ufeff\r\n") for line in sample[:LOOKED_AT]]
    lines = _requests(first)
    if not lines.len():
        return found
    directives = [line for line in first if line.startswith(DIRECTIVE)]
    for one in [found.after(directive) for directive in directives] or [found]:
        if (lack := one.lacks_user_agent(lines)) is not None:
            another = (
                f", give --format {OF_JSON} if its key is another" if isinstance(one, JsonFormat) else ""
            )
            raise LogFormatError(
                f"{lack}, without which no crawler can be told: log it{another}, or leave this log out "
                f"('{shown(lines[0])}')"
            )
    if not isinstance(found, PatternFormat | JsonFormat) or found.has_host:
        return found
    return replace(found, has_host=True) if found.targets_name_sites(lines) else found


def _with_directives(first: list[str]) -> LogFormat:
    """The format behind the first directive; all of them must lead to what their lines are."""
    starts = [at for at, line in enumerate(first) if line.startswith(DIRECTIVE)]
    formats = [FieldListFormat().after(first[at]) for at in starts]
    parts = [_requests(first[at:until]) for at, until in zip(starts, [*starts[1:], len(first)], strict=True)]
    read = [one.shaped(lines) for one, lines in zip(formats, parts, strict=True)]
    _require(pl.concat(parts), pl.concat(read), formats[0].name)
    return formats[0]


def _requests(lines: list[str]) -> pl.Series:
    return pl.Series([line for line in lines if line.strip() and not line.startswith("#")], dtype=pl.String)


def _require(lines: pl.Series, read: pl.Series, name: str) -> None:
    if read.sum() < _ENOUGH * lines.len():
        closest = f" (the closest one is {name})" if read.any() else ""
        line = lines.filter(~read)[0]
        raise LogFormatError(f"the log is of no known format{closest}: '{shown(line)}'; {fix(line)}")


def _require_names(lines: pl.Series, found: PatternFormat) -> None:
    """A site is mostly visited by its name. Where no line has one, its column may be something else."""
    hosts = found.columns(lines).select(given(pl.col("host"))).to_series().drop_nulls()
    if bare(hosts).is_not_null().all():
        raise LogFormatError(
            f"the first field of '{shown(lines[0])}' may be the site, or an address that was forwarded: give "
            f"--format {found.name} if it is the site, else the format string of the server's configuration"
        )
