"""Sites in a CSV file (RFC 4180) with a header line; cells may be apart by semicolons or tabs."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from aipolicy.bulk.rows import Entry, Policies, Row, did_you_mean, flag, hosts_of, site_of
from aipolicy.core.policy import PRESETS, SitePolicy, preset_named
from aipolicy.core.preferences import Preferences
from aipolicy.errors import AIPolicyError, HostError, PolicyError

COLUMNS = ("host", "opted_out", "preset", "visibility", "licensed", "sitemaps", "hosts", "scope")
"""The last three hold several values, separated by spaces."""

_DELIMITERS = (",", ";", "\t")


def read_csv(lines: Iterable[str]) -> Iterator[Row]:
    """Read ``host`` and one of ``opted_out`` and ``preset``, and what else of ``COLUMNS`` there is.

    A column that is absent says nothing; so does an empty cell, but an empty ``opted_out`` or ``preset`` is
    an error, and an empty ``hosts`` says that there are no further ones.
    """
    records = csv_records(lines)
    header = next((cells for _, cells in records if isinstance(cells, list)), [])
    columns = header_names(header)
    _check_columns(columns)
    return rows_of(records, columns, _Entries().of)


def csv_records(lines: Iterable[str]) -> Iterator[tuple[range, list[str] | AIPolicyError]]:
    """The lines of each record, counted from 1, and its cells; blank lines are left out.

    What separates cells is what separates the names in the header, the first line that isn't blank.
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
            bad = PolicyError(f"the line can't be read as CSV ({error}): {fix}")
            yield range(first, reader.line_num + 1), bad
        else:
            if "".join(cells).strip():
                yield range(first, reader.line_num + 1), cells


def _delimiter(header: str) -> str:
    """The one of comma, semicolon and tab that the header has most of; a comma where it has none."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(_DELIMITERS, key=bare.count)  # the first of equals


def header_names(cells: Sequence[str]) -> list[str]:
    """The columns' names. Raises AIPolicyError where there is none, or one twice."""
    names = [cell.strip().lower() for cell in cells]
    if not names:
        raise AIPolicyError("there is no header line: begin with one like 'host,opted_out'")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise AIPolicyError(f"the header has the column {twice!r} twice: keep one")
    return names


def rows_of(
    records: Iterable[tuple[range, list[str] | AIPolicyError]],
    columns: list[str],
    entry: Callable[[dict[str, str]], Any],
) -> Iterator[tuple[int, Any]]:
    """The line where each record begins, and what ``entry`` makes of its cells, or the AIPolicyError.

    Raises AIPolicyError for a bad record of several lines: how many sites a quote swallowed isn't known.
    """
    for lines, cells in records:
        outcome = _outcome(cells, columns, entry)
        if isinstance(outcome, AIPolicyError) and len(lines) > 1:
            fix = "close the quote in the first of them"
            raise AIPolicyError(f"lines {lines[0]} to {lines[-1]} are one record, and bad: {fix} ({outcome})")
        yield lines.start, outcome


def _outcome(
    cells: list[str] | AIPolicyError, columns: list[str], entry: Callable[[dict[str, str]], Any]
) -> Any:
    if isinstance(cells, AIPolicyError):
        return cells
    if len(cells) != len(columns):
        fix = "quote the cells that hold a comma (or what else separates them), and leave none out"
        return PolicyError(f"the line has {len(cells)} cells, the header {len(columns)}: {fix}")
    try:
        return entry(dict(zip(columns, cells, strict=True)))
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


class _Entries:
    """Makes entries of cells."""

    def __init__(self) -> None:
        self._policies = Policies()

    def of(self, cells: dict[str, str]) -> Entry:
        """Raises PolicyError, HostError."""
        host, hosts = cells.pop("host"), cells.pop("hosts", None)
        said = tuple(cells.values())
        policy = self._policies.of(said, sum(map(len, said)), lambda: _policy(cells))
        return Entry(site_of(host), policy, None if hosts is None else hosts_of(hosts.split()))


def _policy(cells: dict[str, str]) -> SitePolicy:
    if "preset" in cells:
        preferences = PRESETS[preset_named(cells["preset"].strip())]
    else:
        preferences = _OF_FLAG[flag(cells["opted_out"])]
    return SitePolicy(
        site="",
        preferences=preferences,
        visibility=cells.get("visibility", "").strip() or "public",  # type: ignore[arg-type]
        licensed=cells.get("licensed", "").split(),
        sitemaps=cells.get("sitemaps", "").split(),
        scope=cells.get("scope", "").strip() or "documented",  # type: ignore[arg-type]
    )


_OF_FLAG: dict[bool, Preferences] = {said: SitePolicy.from_flag(said).preferences for said in (True, False)}
