"""The report of a conformance run: for a terminal, and as a JSON document."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from aipolicy.conformance.clause import Clause, ClauseFinding, ClauseVerdict, Level
from aipolicy.conformance.random_run import Disagreement, RandomRun
from aipolicy.conformance.recording import CrawlExit
from aipolicy.conformance.runner import ClauseResult, ConformanceRun
from aipolicy.report.text import printable
from aipolicy.robotstxt.parser import lines_of

VERSION = 2
"""The version of the JSON document."""

_MAX_CHARACTERS = 200  # of the crawler's input or output in a line
_MAX_LINES = 20
_MAX_ROBOTS_BYTES = 4096
_NARROW = 110  # columns of a terminal below which the requirement is on a line of its own
_NO_LINKS = """\
It followed no link, so most clauses can't be tested. It must crawl the whole site, as `wget -r` does.
If it only fetches single URLs, test the program that chooses them.
If it was stopped, use a larger --seconds."""
_COUNTED = {
    ClauseVerdict.OBEYS: "obeyed",
    ClauseVerdict.DISOBEYS: "disobeyed",
    ClauseVerdict.DEPARTS: "departed",
    ClauseVerdict.OVER_CAUTIOUS: "over-cautious",
    ClauseVerdict.NOT_SUPPORTED: "optional and not supported",
    ClauseVerdict.NOT_TESTED: "not tested",
}
_STYLES = {
    ClauseVerdict.OBEYS: "green",
    ClauseVerdict.DISOBEYS: "bold red",
    ClauseVerdict.DEPARTS: "magenta",
    ClauseVerdict.OVER_CAUTIOUS: "yellow",
    ClauseVerdict.NOT_SUPPORTED: "",
    ClauseVerdict.NOT_TESTED: "dim",
}
_RANDOM_COUNTED = {
    ClauseVerdict.DISOBEYS: "it disobeys",
    ClauseVerdict.OVER_CAUTIOUS: "it is over-cautious",
}


def evidence(finding: ClauseFinding) -> str:
    """Return the evidence of a finding, such as ``GET /a, disallowed by line 2: Disallow: /a``, or ""."""
    if finding.fetch is None:
        return printable(finding.reason, _MAX_CHARACTERS)
    request = printable(f"{finding.fetch.method} {finding.fetch.target}", _MAX_CHARACTERS)
    if finding.reason or not finding.line:
        return f"{request}: {printable(finding.reason or finding.rule, _MAX_CHARACTERS)}"
    return f"{request}, disallowed by line {finding.line}: {printable(finding.rule, _MAX_CHARACTERS)}"


def introduction(run: ConformanceRun) -> str:
    """Return the crawler's User-Agent and product token, and a note if it followed no link."""
    agents = " and ".join(printable(agent or "(none)", _MAX_CHARACTERS) for agent in run.user_agents)
    if not run.fetched:
        return "It fetched nothing."
    token = f"product token {printable(run.token)} (from {run.token_from})"
    text = f"User-Agent {agents}, {token if run.token else 'product token unknown'}"
    return text if run.followed_links else f"{text}\n{_NO_LINKS}"


def details(result: ClauseResult) -> Iterator[str]:
    """Yield the robots.txt, the requests and the end of the crawler's output, line by line."""
    yield f"{result.clause.id}: robots.txt"
    lines = lines_of(result.robots_txt[:_MAX_ROBOTS_BYTES].rstrip(b" \t\r\n"))
    numbered = enumerate(lines[:_MAX_LINES], 1)
    yield from (f"  {number:3} {printable(line, _MAX_CHARACTERS)}" for number, line in numbered)
    if result.recording is not None:
        yield "requests"
        for fetch in result.recording.fetches[:_MAX_LINES]:
            request = printable(f"{fetch.method} {fetch.target}", _MAX_CHARACTERS)
            yield f"  {fetch.at:6.3f} s {request} ({fetch.authority} port)"
        for line in result.recording.unreadable:
            yield f"  invalid request: {printable(line, _MAX_CHARACTERS)}"
        yield from exit_lines(result.recording.ending)


def exit_lines(ending: CrawlExit) -> Iterator[str]:
    """Yield the exit code of the crawler, and the last lines of its output."""
    end = (
        "the crawler was stopped"
        if ending.stopped
        else f"the crawler ended with exit code {ending.exit_code}"
    )
    printed = ending.output.splitlines()[-_MAX_LINES:]
    yield f"{end} after {ending.seconds:.1f} s; {'its output:' if printed else 'it had no output'}"
    yield from (f"  {printable(line, _MAX_CHARACTERS)}" for line in printed)


def advice(ending: CrawlExit) -> Iterator[str]:
    """Yield advice for a crawler that fetched nothing."""
    if ending.exit_code == 0 and not ending.stopped:
        yield "A crawler that goes to the background is ended with its command: run it in the foreground."


def conclusion(run: ConformanceRun) -> str:
    """Return the number of clauses with each verdict, such as ``24 obeyed, 12 disobeyed, 2 not tested``."""
    return ", ".join(f"{count} {_COUNTED[verdict]}" for verdict, count in run.counts.items() if count)


def random_conclusion(run: RandomRun) -> str:
    """Return the number of random sites that were tested, and on how many the crawler was wrong."""
    if run.untested_reason:
        return f"No random site was tested: {run.untested_reason}."
    unfinished = f", {run.unfinished} not finished (use a larger --seconds)" if run.unfinished else ""
    wrong = [f"{_RANDOM_COUNTED[verdict]} on {count}" for verdict, count in run.disagreeing.items() if count]
    return (
        f"{run.sites} random sites with --seed {run.seed}: {run.tested} tested{unfinished}; "
        f"{' and '.join(wrong) or 'it obeys on all of them'}"
    )


def disagreement(found: Disagreement, token: str) -> Iterator[str]:
    """Yield a disagreement on a random site: the request, the rule and the robots.txt."""
    line, rule = found.rule(token)
    path = printable(found.path, _MAX_CHARACTERS)
    if found.verdict is ClauseVerdict.DISOBEYS:
        decided = f"disallowed by line {line}: {rule}" if line else "which no rule allows"
        yield f"{found.fetch.method if found.fetch else 'GET'} {path}, {printable(decided, _MAX_CHARACTERS)}"
    else:
        decided = f"allowed by line {line}: {rule}" if line else "which no rule disallows"
        yield f"it never fetched {path}, {printable(decided, _MAX_CHARACTERS)}"
    if not found.repeats:
        yield f"only once, on site {found.number}, and not when that was repeated"
    lines = lines_of(found.robots_txt[:_MAX_ROBOTS_BYTES].removesuffix(b"\n"))
    yield from (f"  | {printable(line, _MAX_CHARACTERS)}" for line in lines[:_MAX_LINES])
    if len(lines) > _MAX_LINES:
        yield f"  | and {len(lines) - _MAX_LINES} more lines, which --json shows"


def table(run: ConformanceRun) -> RenderableType:
    """Return a rich renderable with each clause, its verdict and the evidence. No text is cut."""
    if not run.fetched:
        return Text(introduction(run), style="bold red")
    style = "bold red" if run.counts[ClauseVerdict.DISOBEYS] else "bold"
    parts = Text(introduction(run)), Text(), _Results(run.results), Text(), Text(conclusion(run), style=style)
    return Group(*parts)


@dataclass(frozen=True, slots=True)
class _Results:
    """The rows of the table; on a narrow terminal the requirement has lines of its own."""

    results: Sequence[ClauseResult]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.max_width < _NARROW:
            yield from self._narrow()
            return
        grid = _grid("Clause", "RFC 9309", "Verdict")
        grid.add_column("Requirement, and the evidence", overflow="fold")
        for result in self.results:
            grid.add_row(*_columns(result), _requirement(result))
        yield grid

    def _narrow(self) -> RenderResult:
        width = max([6, *(len(result.clause.id) for result in self.results)]) + 2
        yield Text(f"{'Clause':{width}}{'RFC 9309':18}Verdict", style="bold")
        for result in self.results:
            clause, level, verdict = _columns(result)
            clause.pad_right(width - len(clause))
            level.pad_right(18 - len(level))
            yield Text.assemble(clause, level, verdict)
            yield Padding(_requirement(result), (0, 0, 0, 4))


def random_table(run: RandomRun, token: str) -> RenderableType:
    """Return a rich renderable with the errors on random sites, each on the smallest site that shows it."""
    style = "bold red" if run.disagreeing.get(ClauseVerdict.DISOBEYS) else "bold"
    parts: list[RenderableType] = [Text(random_conclusion(run), style=style)]
    for found in run.disagreements:
        section, requirement = (found.cause.section, found.cause.requirement) if found.cause else ("", "")
        head = Text("\n").append(f"{section:8}", style="dim")
        head.append(found.verdict, style=_STYLES[found.verdict]).append(f"  {requirement}", style="dim")
        parts.append(head)
        parts.extend(Text(f"  {line}") for line in disagreement(found, token))
    return Group(*parts)


def listing(clauses: Iterable[Clause]) -> RenderableType:
    """Return a rich renderable with the clauses."""
    grid = _grid("Clause", "RFC 9309")
    grid.add_column("Requirement", overflow="fold")
    for clause in clauses:
        grid.add_row(Text(clause.id), Text(_level(clause)), Text(clause.requirement))
    return grid


def _grid(*titles: str) -> Table:
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for title in titles:
        grid.add_column(title, no_wrap=True)
    return grid


def _columns(result: ClauseResult) -> tuple[Text, Text, Text]:
    verdict = result.finding.verdict
    return (
        Text(result.clause.id),
        Text(_level(result.clause), style="dim"),
        Text(verdict, style=_STYLES[verdict]),
    )


def _requirement(result: ClauseResult) -> Text:
    text = Text(result.clause.requirement, style="dim")
    if found := evidence(result.finding):
        obeys = result.finding.verdict is ClauseVerdict.OBEYS
        text.append(f"\n{found}", style="" if obeys else "not dim")
    return text


def _level(clause: Clause) -> str:
    return "optional" if clause.level is Level.CLAIM else f"{clause.section} {clause.level}"


def document(run: ConformanceRun, command: Sequence[str], random: RandomRun | None = None) -> dict[str, Any]:
    """Return the JSON document of a run. Strings from the crawler are as it sent them."""
    added = {"random": _random_document(random, run.token)} if random else {}
    return (
        {"version": VERSION}
        | added
        | {
            "command": list(command),
            "product_token": run.token or None,
            "product_token_from": run.token_from or None,
            "user_agents": list(run.user_agents),
            "followed_links": run.followed_links,
            "requests": run.fetched,
            "counts": {str(verdict): count for verdict, count in run.counts.items()},
            "clauses": [_clause(result) for result in run.results],
        }
    )


def _random_document(run: RandomRun, token: str) -> dict[str, Any]:
    return {
        "sites": run.sites,
        "seed": run.seed,
        "tested": run.tested,
        "unfinished": run.unfinished,
        "not_tested_reason": run.untested_reason or None,
        "sites_by_verdict": {str(verdict): count for verdict, count in run.disagreeing.items()},
        "disagreements": [_disagreement(found, token) for found in run.disagreements],
    }


def _disagreement(found: Disagreement, token: str) -> dict[str, Any]:
    line, rule = found.rule(token)
    return {
        "site": found.number,
        "verdict": str(found.verdict),
        "section": found.cause.section if found.cause else None,
        "requirement": found.cause.requirement if found.cause else None,
        "path": found.path,
        "rule": {"line": line, "text": rule} if line else None,
        "robots_txt": found.robots_txt.decode(),
        "links": [{"kind": link.kind, "path": link.path, "on_page": link.on} for link in found.links],
        "repeatable": found.repeats,
        "runs": found.runs,
    }


def _clause(result: ClauseResult) -> dict[str, Any]:
    clause, finding, recording = result.clause, result.finding, result.recording
    fetch = finding.fetch
    return {
        "id": clause.id,
        "section": clause.section if clause.section[0].isdigit() else None,
        "level": str(clause.level),
        "requirement": clause.requirement,
        "verdict": str(finding.verdict),
        "reason": finding.reason or None,
        "request": fetch
        and {
            "method": fetch.method,
            "target": fetch.target,
            "user_agent": fetch.user_agent,
            "seconds": round(fetch.at, 3),
        },
        "rule": {"line": finding.line or None, "text": finding.rule} if finding.rule else None,
        "robots_txt": result.robots_txt[:_MAX_ROBOTS_BYTES].decode("utf-8", "backslashreplace"),
        "requests": [f"{each.method} {each.target}" for each in recording.fetches[:100]] if recording else [],
        "invalid_requests": list(recording.unreadable) if recording else [],
        "exit": recording
        and {
            "code": recording.ending.exit_code,
            "stopped": recording.ending.stopped,
            "seconds": round(recording.ending.seconds, 3),
        },
    }
