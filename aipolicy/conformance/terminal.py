"""A trial as a table on a terminal, or in a pipe."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from aipolicy.conformance.clause import Clause, Level, Verdict
from aipolicy.conformance.random_run import RandomTrial
from aipolicy.conformance.report import (
    conclusion,
    disagreement,
    evidence,
    introduction,
    random_conclusion,
)
from aipolicy.conformance.runner import Result, Trial

_STYLES = {
    Verdict.OBEYS: "green",
    Verdict.DISOBEYS: "bold red",
    Verdict.DEPARTS: "magenta",
    Verdict.OVER_CAUTIOUS: "yellow",
    Verdict.DOES_NOT: "",
    Verdict.NOT_TESTED: "dim",
}


def table(trial: Trial) -> RenderableType:
    """A renderable for rich: each clause with its verdict and what shows it. Nothing is cut."""
    if not trial.fetched:
        return Text(introduction(trial), style="bold red")
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    grid.add_column("Clause", no_wrap=True)
    grid.add_column("RFC 9309", no_wrap=True)
    grid.add_column("Verdict", no_wrap=True)
    grid.add_column("What it asks, and what shows that it doesn't", overflow="fold")
    for result in trial.results:
        grid.add_row(*_row(result))
    style = "bold red" if trial.counts[Verdict.DISOBEYS] else "bold"
    return Group(Text(introduction(trial)), Text(), grid, Text(), Text(conclusion(trial), style=style))


def random_table(trial: RandomTrial, token: str) -> RenderableType:
    """A renderable for rich: what a crawler got wrong on sites made at random, with the smallest of each."""
    style = "bold red" if trial.disagreeing.get(Verdict.DISOBEYS) else "bold"
    parts: list[RenderableType] = [Text(random_conclusion(trial), style=style)]
    for found in trial.disagreements:
        section, says = (found.cause.section, found.cause.says) if found.cause else ("", "")
        head = (
            Text("\n").append(f"{section:8}", style="dim").append(found.verdict, style=_STYLES[found.verdict])
        )
        parts.append(head.append(f"  {says}", style="dim"))
        parts.extend(Text(f"  {line}") for line in disagreement(found, token))
    return Group(*parts)


def listing(clauses: Iterable[Clause]) -> RenderableType:
    """What is tested."""
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("Clause", "RFC 9309", "What it asks"):
        grid.add_column(title, overflow="fold", no_wrap=title != "What it asks")
    for clause in clauses:
        grid.add_row(Text(clause.id), Text(_asked(clause)), Text(clause.says))
    return grid


def _row(result: Result) -> tuple[Text, ...]:
    verdict = result.finding.verdict
    shown = Text(result.clause.says, style="dim")
    if told := evidence(result.finding):
        shown.append(f"\n{told}", style="" if verdict is Verdict.OBEYS else "not dim")
    return (
        Text(result.clause.id),
        Text(_asked(result.clause), style="dim"),
        Text(verdict, style=_STYLES[verdict]),
        shown,
    )


def _asked(clause: Clause) -> str:
    return "claim" if clause.level is Level.CLAIM else f"{clause.section} {clause.level}"
