"""The summary as a table on a terminal, or in a pipe."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.measure import Measurement
from rich.style import StyleType
from rich.table import Table
from rich.text import Text

from aipolicy.report.document import VERDICTS, Document
from aipolicy.report.text import longest_word
from aipolicy.report.untrusted_text import logged
from aipolicy.report.wording import split

_UNBOUNDED = 1_000_000  # columns
_SECOND = 100  # characters of a key that stands there a second time
_NUMBERS = {"fetches": "Fetches", **VERDICTS}
_STYLES = {"disallowed": "bold red", "disallowed_spoofed": "magenta"}
_IMPOSTORS = (
    "By impostors: disallowed fetches by clients that only claimed to be the crawler. They are not counted "
    "as Disallowed. The other columns count every client that sent the crawler's name."
)
_CLIENTS = {
    "operator_verified": "Operator only: the address is the operator's; only the User-Agent says which of "
    "its crawlers it was.",
    "unverifiable": "Unverifiable: the operator publishes no check, or one that was not made.",
    "check_failed": "Check failed: the address is a proxy's, or hidden, or DNS did not answer.",
    "spoofed": "Spoofed: the client fails every check that the operator publishes.",
}
_NAME = 40  # characters that a client chose
_WIDEST_TOKEN = 20  # columns; the others need the rest of 80


def table(document: Document) -> RenderableType:
    """A renderable for rich: the crawlers, a total, and the rows of ``by`` where there are any.

    One line a row where that fits; where it doesn't, what is counted and what is told stand in two tables,
    which fold. Nothing is cut. Text is taken for an attacker's: no markup, no control, no escape.
    """
    parts: list[RenderableType] = [_Fitting(lambda numbers, told: _crawlers(document, numbers, told))]
    if document["total"]["disallowed_spoofed"]:
        parts += [Text(), Text(_IMPOSTORS, style="dim")]
    if legend := [text for name, text in _CLIENTS.items() if document["total"]["identity"][name]]:
        parts += [Text(), *(Text(text, style="dim") for text in legend)]
    if unknown := document["unknown_crawlers"]["listed"]:
        parts += [Text(), _unknown(unknown, document["unknown_crawlers"])]
    by = document["by"]
    if by is not None:
        parts += [Text(), _Fitting(lambda numbers, told: _by(by, numbers, told))]
        if by["left_out"]:
            parts.append(Text(f"and {by['left_out']:,} more, left out", style="dim"))
    return Group(*parts)


class _Fitting:
    """``build(numbers, told)`` with both as one table where it fits, else as two."""

    def __init__(self, build: Callable[[bool, bool], Table]) -> None:
        self._build = build

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        whole = self._build(True, True)
        wanted = Measurement.get(console, options.update(max_width=_UNBOUNDED), whole).maximum
        if wanted <= options.max_width:
            yield whole
            return
        numbers = self._build(True, False)
        wanted = Measurement.get(console, options.update(max_width=_UNBOUNDED), numbers).maximum
        yield from [numbers] if wanted <= options.max_width else _stacked(numbers)
        yield Text()
        told = self._build(False, True)
        first, *others = told.columns
        if first.min_width is not None:  # rich would let the others run out of the terminal
            for column in others:
                column.max_width = max((options.max_width - first.min_width) // len(others) - 1, 1)
        yield told


def _stacked(table: Table) -> Iterator[Text]:
    """The rows of a table of numbers, each name on a line of its own: no token is broken for want of room."""
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


def _crawlers(document: Document, numbers: bool, told: bool) -> Table:
    titles = ("Clients", "Rule most often broken", "Seen (UTC)", "Disallowed (UTC)")
    grid = _grid("Crawler", numbers, titles if told else ())
    for crawler in document["crawlers"]:
        owner = "named by the policy" if crawler["operator"] is None else logged(crawler["operator"])
        name = Text(f"{logged(crawler['product_token'])} ({owner})")
        more = (_clients(crawler), _broken(crawler), _span(crawler["first"], crawler["last"]))
        grid.add_row(
            name, *(_numbers(crawler) if numbers else ()), *((*more, _disallowed(crawler)) if told else ())
        )
    if told and not numbers:
        _whole_tokens(grid, (crawler["product_token"] for crawler in document["crawlers"]))
    grid.add_section()
    total = document["total"]
    cells = (*(_numbers(total) if numbers else ()), *((_clients(total),) if told else ()))
    grid.add_row(Text("Total"), *cells, style="bold")
    return grid


def _by(by: Document, numbers: bool, told: bool) -> Table:
    grid = _grid(by["key"].capitalize(), numbers, ("Clients", "Disallowed (UTC)") if told else ())
    for row in by["rows"]:
        # Told without numbers it is the second of two tables: the first has the key in full.
        name = logged(row["key"] or "", sys.maxsize if numbers else _SECOND)
        key = Text("unknown", style="dim") if row["key"] is None else Text(name)
        more = (_clients(row), _disallowed(row)) if told else ()
        grid.add_row(key, *(_numbers(row) if numbers else ()), *more)
    grid.columns[0].min_width = longest_word(grid.columns[0].cells)
    return grid


def _grid(first: str, numbers: bool, titles: tuple[str, ...]) -> Table:
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    grid.add_column(first, overflow="fold")
    for title in _NUMBERS.values() if numbers else ():
        # Numbers alone: the terminal is narrow, and rich would narrow every column alike.
        grid.add_column(title if titles else title.replace(" ", "\n"), justify="right", overflow="fold")
    for title in titles:
        grid.add_column(title, overflow="fold")
    return grid


def _whole_tokens(grid: Table, names: Iterable[str]) -> None:
    """Keep the first column as wide as its longest word, within reason: a product token is read whole."""
    grid.padding = (0, 1, 0, 0)
    longest = max((len(word) for name in names for word in name.split()), default=0)
    grid.columns[0].min_width = min(longest, _WIDEST_TOKEN)


def _numbers(counters: Document) -> list[Text]:
    return [
        Text(f"{counters[key]:,}", style=_STYLES.get(key, "") if counters[key] else "") for key in _NUMBERS
    ]


def _clients(counters: Document) -> Text:
    return Text(split(counters["identity"]))


def _unknown(listed: Sequence[Document], every: Document) -> Table:
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    grid.add_column("Unknown crawlers, not judged", overflow="fold")
    grid.add_column("Requests", justify="right")
    grid.add_column("Seen (UTC)", overflow="fold")
    for crawler in listed:
        seen = _span(crawler["first"], crawler["last"])
        grid.add_row(Text(logged(crawler["name"], _NAME)), Text(f"{crawler['fetches']:,}"), seen)
    if (more := every["names"] - len(listed)) > 0:
        rest = every["fetches"] - sum(crawler["fetches"] for crawler in listed)
        grid.add_row(Text(f"and {more:,} more", style="dim"), Text(f"{rest:,}", style="dim"), Text())
    return grid


def _broken(crawler: Document) -> Text:
    for rule in crawler["rules"]:
        line = "" if rule["line"] is None else f" (line {rule['line']})"
        return Text(f"{logged(rule['rule'] or 'no rule')}{line}")
    return Text()


def _disallowed(row: Document) -> Text:
    if row["first_disallowed"] is None:
        return Text()
    return _span(row["first_disallowed"], row["last_disallowed"])


def _span(first: str, last: str) -> Text:
    days = [time.partition("T")[0] for time in (first, last)]
    return Text(" \N{EN DASH} ".join(dict.fromkeys(days)))
