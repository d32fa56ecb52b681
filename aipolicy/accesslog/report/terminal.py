"""The summary as tables for a terminal or a pipe."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.measure import Measurement
from rich.style import StyleType
from rich.table import Table
from rich.text import Text

from aipolicy.accesslog.report.labels import VERDICTS, Document, identity_counts
from aipolicy.report.text import longest_word, printable

_UNBOUNDED = 1_000_000  # columns
_LONGEST_REPEATED = 100  # characters of a key that the first table has in full
_NUMBERS = {"fetches": "Fetches", **VERDICTS}
_STYLES = {"disallowed": "bold red", "disallowed_spoofed": "magenta"}
_IMPOSTORS = (
    "Disallowed (impostors): disallowed fetches by clients that only claimed to be the crawler. They are not "
    "counted as Disallowed. The other columns count every client that sent the crawler's name."
)
_CLIENTS = {
    "operator_verified": "Operator verified: the address is the operator's; only the User-Agent says which "
    "of its crawlers the client was.",
    "unverifiable": "Unverifiable: the operator publishes no check, or the check was not made.",
    "check_failed": "Check failed: the address is a proxy's or masked, or DNS did not answer.",
    "spoofed": "Spoofed: the client fails every check that the operator publishes.",
}
_LONGEST_NAME = 40  # characters of a name that a client chose
_WIDEST_TOKEN = 20  # characters; the other columns need the rest of 80


def table(document: Document) -> RenderableType:
    """Return a renderable for rich: the crawlers, a total, and the rows of ``by`` if there are any.

    Each row is one line if it fits the width; else numbers and details are two tables, whose cells wrap.
    Nothing is cut. Text may be hostile: it is printed without markup, controls and escapes.
    """
    parts: list[RenderableType] = [_Fitting(lambda numbers, details: _crawlers(document, numbers, details))]
    if document["total"]["disallowed_spoofed"]:
        parts += [Text(), Text(_IMPOSTORS, style="dim")]
    if legend := [text for name, text in _CLIENTS.items() if document["total"]["identity"][name]]:
        parts += [Text(), *(Text(text, style="dim") for text in legend)]
    if unknown := document["unknown_crawlers"]["listed"]:
        parts += [Text(), _unknown(unknown, document["unknown_crawlers"])]
    by = document["by"]
    if by is not None:
        parts += [Text(), _Fitting(lambda numbers, details: _by(by, numbers, details))]
        if by["left_out"]:
            parts.append(Text(f"and {by['left_out']:,} more not listed", style="dim"))
    return Group(*parts)


class _Fitting:
    """The table of ``build(numbers, details)`` with both if it fits the width, else two tables."""

    def __init__(self, build: Callable[[bool, bool], Table]) -> None:
        self._build = build

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        full = self._build(True, True)
        wanted = Measurement.get(console, options.update(max_width=_UNBOUNDED), full).maximum
        if wanted <= options.max_width:
            yield full
            return
        numbers = self._build(True, False)
        wanted = Measurement.get(console, options.update(max_width=_UNBOUNDED), numbers).maximum
        yield from [numbers] if wanted <= options.max_width else _stacked(numbers)
        yield Text()
        details = self._build(False, True)
        first, *others = details.columns
        if first.min_width is not None:  # otherwise rich makes the table wider than the terminal
            for column in others:
                column.max_width = max((options.max_width - first.min_width) // len(others) - 1, 1)
        yield details


def _stacked(table: Table) -> Iterator[Text]:
    """Yield the rows of a table of numbers, each name on a line of its own, so that no token is broken."""
    names, *columns = ([cell for cell in column.cells if isinstance(cell, Text)] for column in table.columns)
    headings = [str(column.header).split("\n") for column in table.columns[1:]]
    widths = [
        max(map(len, [*heading, *(cell.plain for cell in cells)]))
        for heading, cells in zip(headings, columns, strict=True)
    ]
    for line in range(height := max(map(len, headings))):
        texts = ([""] * (height - len(heading)) + heading for heading in headings)
        yield _right([Text(text[line]) for text in texts], widths, "bold")
    for name, *cells in zip(names, *columns, strict=True):
        yield name
        yield _right(cells, widths, name.style)


def _right(cells: Sequence[Text], widths: Sequence[int], style: StyleType) -> Text:
    row = Text("  ", overflow="fold", style=style)
    for cell, width in zip(cells, widths, strict=True):
        row.append(" " * (width - len(cell.plain))).append_text(cell).append(" ")
    row.rstrip()
    return row


def _crawlers(document: Document, numbers: bool, details: bool) -> Table:
    titles = ("Fetches by identity", "Rule broken most often", "Fetches (UTC)", "Disallowed (UTC)")
    grid = _grid("Crawler", numbers, titles if details else ())
    for crawler in document["crawlers"]:
        owner = "named by the policy" if crawler["operator"] is None else printable(crawler["operator"])
        name = Text(f"{printable(crawler['product_token'])} ({owner})")
        more = (_clients(crawler), _broken(crawler), _span(crawler["first"], crawler["last"]))
        grid.add_row(
            name, *(_numbers(crawler) if numbers else ()), *((*more, _disallowed(crawler)) if details else ())
        )
    if details and not numbers:
        _keep_tokens_whole(grid, (crawler["product_token"] for crawler in document["crawlers"]))
    grid.add_section()
    total = document["total"]
    cells = (*(_numbers(total) if numbers else ()), *((_clients(total),) if details else ()))
    grid.add_row(Text("Total"), *cells, style="bold")
    return grid


def _by(by: Document, numbers: bool, details: bool) -> Table:
    grid = _grid(
        by["key"].capitalize(), numbers, ("Fetches by identity", "Disallowed (UTC)") if details else ()
    )
    for row in by["rows"]:
        # Without numbers this is the second of two tables; the first has the key in full.
        name = printable(row["key"] or "", sys.maxsize if numbers else _LONGEST_REPEATED)
        key = Text("unknown", style="dim") if row["key"] is None else Text(name)
        more = (_clients(row), _disallowed(row)) if details else ()
        grid.add_row(key, *(_numbers(row) if numbers else ()), *more)
    grid.columns[0].min_width = longest_word(grid.columns[0].cells)
    return grid


def _grid(first: str, numbers: bool, titles: tuple[str, ...]) -> Table:
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    grid.add_column(first, overflow="fold")
    for title in _NUMBERS.values() if numbers else ():
        # Without details the terminal is narrow: a heading gets two lines, so that rich narrows no column.
        grid.add_column(title if titles else title.replace(" ", "\n"), justify="right", overflow="fold")
    for title in titles:
        grid.add_column(title, overflow="fold")
    return grid


def _keep_tokens_whole(grid: Table, names: Iterable[str]) -> None:
    """Keep the first column as wide as its longest word, within bounds: product tokens are not broken."""
    grid.padding = (0, 1, 0, 0)
    longest = max((len(word) for name in names for word in name.split()), default=0)
    grid.columns[0].min_width = min(longest, _WIDEST_TOKEN)


def _numbers(counters: Document) -> list[Text]:
    return [
        Text(f"{counters[key]:,}", style=_STYLES.get(key, "") if counters[key] else "") for key in _NUMBERS
    ]


def _clients(counters: Document) -> Text:
    return Text(identity_counts(counters["identity"]))


def _unknown(listed: Sequence[Document], every: Document) -> Table:
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    grid.add_column("Unknown crawlers, not judged", overflow="fold")
    grid.add_column("Requests", justify="right")
    grid.add_column("First and last (UTC)", overflow="fold")
    for crawler in listed:
        days = _span(crawler["first"], crawler["last"])
        grid.add_row(Text(printable(crawler["name"], _LONGEST_NAME)), Text(f"{crawler['fetches']:,}"), days)
    if (more := every["names"] - len(listed)) > 0:
        rest = every["fetches"] - sum(crawler["fetches"] for crawler in listed)
        grid.add_row(Text(f"and {more:,} more", style="dim"), Text(f"{rest:,}", style="dim"), Text())
    return grid


def _broken(crawler: Document) -> Text:
    for rule in crawler["rules"]:
        line = "" if rule["line"] is None else f" (line {rule['line']})"
        return Text(f"{printable(rule['rule'] or 'no rule')}{line}")
    return Text()


def _disallowed(row: Document) -> Text:
    if row["first_disallowed"] is None:
        return Text()
    return _span(row["first_disallowed"], row["last_disallowed"])


def _span(first: str, last: str) -> Text:
    days = [time.partition("T")[0] for time in (first, last)]
    return Text(" \N{EN DASH} ".join(dict.fromkeys(days)))
