"""CSV files of sites (RFC 4180) with a header line; semicolons and tabs may separate the cells."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from aipolicy.bulk.rows import (
    PolicyCache,
    Row,
    SiteRow,
    canonical_hosts,
    canonical_site,
    did_you_mean,
    flag,
)
from aipolicy.core.policy import PRESETS, SitePolicy, preset_named
from aipolicy.errors import AIPolicyError, HostError, PolicyError

COLUMNS = ("host", "opted_out", "preset", "visibility", "licensed", "sitemaps", "hosts", "scope")
"""The columns that are read. ``licensed``, ``sitemaps`` and ``hosts`` hold values separated by spaces."""

_DELIMITERS = (",", ";", "\t")


def read_csv(lines: Iterable[str]) -> Iterator[Row]:
    """Read rows with ``host``, either ``opted_out`` or ``preset``, and any other of ``COLUMNS``.

    A missing column or an empty cell is the default; but an empty ``opted_out`` or ``preset`` is an error,
    and an empty ``hosts`` means no further hosts.
    """
    records = csv_records(lines)
    header = next((cells for _, cells in records if isinstance(cells, list)), [])
    columns = header_names(header)
    _check_columns(columns)
    return parsed_rows(records, columns, _Parser().parse)


def csv_records(lines: Iterable[str]) -> Iterator[tuple[range, list[str] | AIPolicyError]]:
    """Yield the lines of each record, counted from 1, and its cells or its error; blank lines are left out.

    The delimiter is that of the header, the first line that isn't blank.
    """
    lines = iter(lines)
    head = []
    for line in lines:
        head.append(line)
        if line.strip():
            break
    reader = csv.reader(chain(head, lines), strict=True, delimiter=_delimiter(head[-1] if head else ""))
    while True:
        first = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fix = "check the quotes of this line"
            bad = PolicyError(f"the line is not valid CSV ({error}): {fix}")
            yield range(first, reader.line_num + 1), bad
        else:
            if "".join(cells).strip():
                yield range(first, reader.line_num + 1), cells


def _delimiter(header: str) -> str:
    """Return the most frequent delimiter in the header; a comma if it has none."""
    unquoted = re.sub(r'"[^"]*"', "", header)
    return max(_DELIMITERS, key=unquoted.count)  # the first of equals


def header_names(cells: Sequence[str]) -> list[str]:
    """Return the names of the columns. Raises AIPolicyError if there are none, or one is repeated."""
    names = [cell.strip().lower() for cell in cells]
    if not names:
        raise AIPolicyError("the file has no header line: begin with one like 'host,opted_out'")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise AIPolicyError(f"the header has the column {twice!r} twice: keep one")
    return names


def parsed_rows(
    records: Iterable[tuple[range, list[str] | AIPolicyError]],
    columns: list[str],
    parse: Callable[[dict[str, str]], Any],
) -> Iterator[tuple[int, Any]]:
    """Yield the first line of each record, and its parsed cells or its AIPolicyError.

    Raises AIPolicyError for a bad record of several lines: an open quote may have swallowed any number of
    rows.
    """
    for lines, cells in records:
        outcome = _outcome(cells, columns, parse)
        if isinstance(outcome, AIPolicyError) and len(lines) > 1:
            fix = "close the quote in the first of them"
            raise AIPolicyError(f"lines {lines[0]} to {lines[-1]} are one bad record: {fix} ({outcome})")
        yield lines.start, outcome


def _outcome(
    cells: list[str] | AIPolicyError, columns: list[str], parse: Callable[[dict[str, str]], Any]
) -> Any:
    if isinstance(cells, AIPolicyError):
        return cells
    if len(cells) != len(columns):
        fix = "quote cells that contain the delimiter, and leave no cell out"
        return PolicyError(f"the line has {len(cells)} cells, the header {len(columns)}: {fix}")
    try:
        return parse(dict(zip(columns, cells, strict=True)))
    except (PolicyError, HostError) as error:
        return error


def _check_columns(columns: list[str]) -> None:
    for name in columns:
        if name not in COLUMNS:
            raise AIPolicyError(f"the header has an unknown column {name!r}: {did_you_mean(name, COLUMNS)}")
    if "host" not in columns:
        raise AIPolicyError("the header has no column 'host': begin with a line like 'host,opted_out'")
    if ("opted_out" in columns) == ("preset" in columns):
        raise AIPolicyError("the header needs exactly one of the columns 'opted_out' and 'preset'")


class _Parser:
    """A parser of cells by their column."""

    def __init__(self) -> None:
        self._policies = PolicyCache()

    def parse(self, cells: dict[str, str]) -> SiteRow:
        """Parse the cells of a row. Raises PolicyError, HostError."""
        host, hosts = cells.pop("host"), cells.pop("hosts", None)
        spelling = tuple(cells.values())
        policy = self._policies.get(spelling, sum(map(len, spelling)), lambda: _policy(cells))
        return SiteRow(
            canonical_site(host), policy, None if hosts is None else canonical_hosts(hosts.split())
        )


def _policy(cells: dict[str, str]) -> SitePolicy:
    if "preset" in cells:
        preferences = PRESETS[preset_named(cells["preset"].strip())]
    else:
        preferences = _BY_FLAG[flag(cells["opted_out"])]
    return SitePolicy(
        site="",
        preferences=preferences,
        visibility=cells.get("visibility", "").strip() or "public",  # type: ignore[arg-type]
        licensed=cells.get("licensed", "").split(),
        sitemaps=cells.get("sitemaps", "").split(),
        scope=cells.get("scope", "").strip() or "documented",  # type: ignore[arg-type]
    )


_BY_FLAG = {value: SitePolicy.from_flag(value).preferences for value in (True, False)}
