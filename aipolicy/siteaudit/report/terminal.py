"""Sites on a terminal, or in a pipe. Text is taken for an attacker's: no markup, no control, no escape."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from aipolicy.report.text import longest_word, printable
from aipolicy.report.wording import counted
from aipolicy.siteaudit.report import wording
from aipolicy.siteaudit.report.wording import ANSWERS, USES, Document

_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}
_SHORT = 12  # findings of a site among many
_FILES = {"page": "page", "robots_txt": "robots.txt", "tdmrep": "tdmrep.json", "ai_txt": "ai.txt"}


def full(site: Document) -> RenderableType:
    """One site with everything: what came, what each crawler is told and where it says so, what is wrong."""
    parts: list[RenderableType] = [_text(site["url"], "bold")]
    if site["answered"]:
        parts.append(_seen(site))
    if site["crawlers"]:
        parts += [Text(), _crawlers(site), Text(), _places(site)]
    parts += [Text(), *_findings(site["findings"])]
    if site["more"]:
        parts.append(_text(f"and {', '.join(f'{n} more of {kind}' for kind, n in site['more'].items())}"))
    if site["notes"]:
        ids = dict.fromkeys(note["id"] for note in site["notes"])
        parts.append(_text(f"{counted(len(site['notes']), 'note')}, in --json: {', '.join(ids)}", "dim"))
    parts.append(_text(f"{site['url']}: {wording.counts(site)}"))
    return Group(*parts)


def short(site: Document) -> RenderableType:
    """One of many: a line, and one for each finding."""
    style = _STYLES.get(site["worst"] or "", "")
    wanted = wording.expected(site)
    lines = [_text(f"{site['url']}: {wording.counts(site)}{f' (policy: {wanted})' if wanted else ''}", style)]
    lines += [
        _text(f"  {found['id']}: {found['where']}: {found['found']}") for found in site["findings"][:_SHORT]
    ]
    if len(site["findings"]) > _SHORT:
        lines.append(_text(f"  and {len(site['findings']) - _SHORT} more"))
    return Group(*lines)


def total_line(total: Document) -> str:
    """What many sites come to."""
    parts = [counted(total["sites"], "site")]
    parts += [f"{total[key]:,} {label}" for key, label in _TOTALS.items() if total[key]]
    return ", ".join(parts)


_TOTALS = {
    "clean": "without findings",
    "with_errors": "with errors",
    "with_warnings": "with warnings alone",
    "differing": "other than their policy",
    "not_judged": "not judged",
    "not_reached": "not reached",
}


def _seen(site: Document) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for key, name in _FILES.items():
        grid.add_row(_text(f"  {name}"), _text(wording.outcome(site[key])))
        if key == "robots_txt" and site["judged"] and site[key]["access"] == "rules":
            grid.add_row(Text(), _text(site[key]["caching"]["text"], "dim"))
    if site["expected"]:
        source = site["expected"]["source"]
        grid.add_row(Text("  policy"), _text(f"{wording.expected(site)}, by {source}"))
    return grid


def _crawlers(site: Document) -> Table:
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0), collapse_padding=True)
    grid.add_column("Crawlers", overflow="fold", ratio=4)
    grid.add_column("May fetch it", overflow="fold", ratio=3)
    for name in USES.values():
        grid.add_column(name, overflow="fold", ratio=3)
    for row in site["crawlers"]:
        whom = _text(wording.who(row))
        if wording.purposes(row):
            whom.append(f"\n{printable(wording.purposes(row))}", "dim")
        because = row["because"]["where"] or row["because"]["text"]
        fetch = wording.fetching(row)
        cells = [_cell(f"token {fetch}" if row["control"] else fetch, fetch in ("no", "in use"), [because])]
        for use in USES:
            said = row["uses"][use]
            cells.append(
                _cell(ANSWERS[said["preference"]], said["preference"] == "disallow", wording.sources(said))
            )
        grid.add_row(whom, *cells)
        grid.add_row()
    grid.columns[0].min_width = longest_word(grid.columns[0].cells)
    return grid


def _cell(answer: str, refused: bool, wheres: list[str]) -> Text:
    cell = _text(answer, "bold" if refused else "")
    for where in wheres:
        cell.append(f"\n{printable(_short(where))}", "dim")
    return cell


def _short(where: str) -> str:
    """``robots.txt:12``: columns are narrow."""
    return where.replace(" line ", ":")


def _places(site: Document) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(overflow="fold")
    grid.add_column(overflow="fold")
    for where, text in wording.places(site).items():
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
