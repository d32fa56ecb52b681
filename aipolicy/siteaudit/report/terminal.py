"""Reports for the terminal or a pipe. Texts are untrusted: markup and control characters are escaped."""

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from aipolicy.report.text import longest_word, printable
from aipolicy.report.wording import counted
from aipolicy.siteaudit.report import wording
from aipolicy.siteaudit.report.wording import ANSWERS, USES, Document

_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}
_SHORT = 12  # findings of a site among many
_UNBOUNDED = 1_000_000  # columns
_GAP = 2  # columns between two cells
_FILES = {"page": "page", "robots_txt": "robots.txt", "tdmrep": "tdmrep.json", "ai_txt": "ai.txt"}


def full(site: Document) -> RenderableType:
    """Return the full report of one site: answers, crawlers, quotations and findings."""
    parts: list[RenderableType] = [_text(site["url"], "bold")]
    if site["answered"]:
        parts.append(_answers(site))
    if site["crawlers"]:
        parts += [Text(), _Fitting(_crawlers(site)), Text(), _quotations(site)]
    parts += [Text(), *_findings(site["findings"])]
    if site["omitted"]:
        omitted = (f"{number} more of {kind}" for kind, number in site["omitted"].items())
        parts.append(_text(f"and {', '.join(omitted)}"))
    if site["notes"]:
        ids = dict.fromkeys(note["id"] for note in site["notes"])
        parts.append(_text(f"{counted(len(site['notes']), 'note')} (see --json): {', '.join(ids)}", "dim"))
    parts.append(_text(f"{site['url']}: {wording.counts(site)}"))
    return Group(*parts)


def short(site: Document) -> RenderableType:
    """Return the report of one of many sites: a line, and one for each finding."""
    style = _STYLES.get(site["worst"] or "", "")
    policy = wording.expected(site)
    lines = [_text(f"{site['url']}: {wording.counts(site)}{f' (policy: {policy})' if policy else ''}", style)]
    lines += [
        _text(f"  {found['id']}: {found['where']}: {found['found']}") for found in site["findings"][:_SHORT]
    ]
    if len(site["findings"]) > _SHORT:
        lines.append(_text(f"  and {len(site['findings']) - _SHORT} more"))
    return Group(*lines)


def total_line(total: Document) -> str:
    """Return the totals of many sites."""
    parts = [counted(total["sites"], "site")]
    parts += [f"{total[key]:,} {label}" for key, label in _TOTALS.items() if total[key]]
    return ", ".join(parts)


_TOTALS = {
    "clean": "without findings",
    "with_errors": "with errors",
    "with_warnings": "with warnings only",
    "differing": "different from their policy",
    "not_audited": "that could not be checked",
    "not_reached": "not reached",
}


def _answers(site: Document) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for key, name in _FILES.items():
        grid.add_row(_text(f"  {name}"), _text(wording.outcome(site[key])))
        if key == "robots_txt" and site["audited"] and site[key]["access"] == "rules":
            grid.add_row(Text(), _text(site[key]["caching"]["text"], "dim"))
    if site["expected"]:
        source = site["expected"]["source"]
        grid.add_row(Text("  policy"), _text(f"{wording.expected(site)} (source: {source})"))
    return grid


class _Fitting:
    """A table that fits the terminal although its first column has a minimum width: the others shrink."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        unbounded = options.update(max_width=_UNBOUNDED)
        if Measurement.get(console, unbounded, self._table).maximum > options.max_width:
            first, *others = self._table.columns
            for column in others:  # otherwise rich cuts the last one
                column.max_width = max((options.max_width - (first.min_width or 0)) // len(others) - _GAP, 1)
        yield self._table


def _crawlers(site: Document) -> Table:
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    for name in ("Crawlers", "May fetch the page", *USES.values()):
        grid.add_column(name, overflow="fold")
    for row in site["crawlers"]:
        names = _text(wording.crawlers(row))
        if wording.purposes(row):
            names.append(f"\n{printable(wording.purposes(row))}", "dim")
        reason = row["decided_by"]["where"] or row["decided_by"]["text"]
        fetch = wording.fetching(row)
        cells = [_cell(f"token {fetch}" if row["control"] else fetch, not row["may_fetch"], [reason])]
        for use in USES:
            stated = row["uses"][use]
            preference = stated["preference"]
            cells.append(_cell(ANSWERS[preference], preference == "disallow", wording.sources(stated)))
        grid.add_row(names, *cells)
        grid.add_row()
    grid.columns[0].min_width = longest_word(grid.columns[0].cells)
    return grid


def _cell(answer: str, refused: bool, wheres: list[str]) -> Text:
    cell = _text(answer, "bold" if refused else "")
    for where in wheres:
        cell.append(f"\n{printable(_short(where))}", "dim")
    return cell


def _short(where: str) -> str:
    """Return ``robots.txt:12``: columns are narrow."""
    return where.replace(" line ", ":")


def _quotations(site: Document) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(overflow="fold")
    grid.add_column(overflow="fold")
    for where, text in wording.quotations(site).items():
        grid.add_row(_text(f"  {_short(where)}", "dim"), _text(text, "dim"))
    return grid


def _findings(findings: list[Document]) -> Iterator[RenderableType]:
    for found in findings:
        line = _text(found["severity"], _STYLES[found["severity"]])
        line.append(f": {printable(found['where'])}: {printable(found['found'])} [{found['id']}]", "default")
        yield line
        yield Padding(_text(found["effect"]), (0, 0, 0, 4), expand=False)
        for number, fix in enumerate(found["fix"].splitlines()[:8]):
            yield Padding(_text(f"{'fix: ' if number == 0 else '      '}{fix}"), (0, 0, 0, 4), expand=False)
        yield Text()


def _text(text: str, style: str = "") -> Text:
    return Text(printable(text), style)
