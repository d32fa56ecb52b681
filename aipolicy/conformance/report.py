"""The outcome of a trial in words, and as a document for programs."""

from collections.abc import Iterator, Sequence
from typing import Any

from aipolicy.conformance.clause import Finding, Verdict
from aipolicy.conformance.random_run import Disagreement, RandomTrial
from aipolicy.conformance.recording import Ending
from aipolicy.conformance.runner import Result, Trial
from aipolicy.report.text import printable
from aipolicy.robotstxt.parser import lines_of

_LONGEST = 200  # characters of what a crawler sent or printed
_LINES = 20
_MOST_RULES = 4096  # octets of a robots.txt
_NO_LINKS = """\
It followed no link, so that most clauses can't be tested: let it crawl the whole site, as wget -r does.
If it takes single pages only, try what gives them to it; if it was stopped, give it more --seconds."""
_COUNTED = {
    Verdict.OBEYS: "obeyed",
    Verdict.DISOBEYS: "disobeyed",
    Verdict.DEPARTS: "departed",
    Verdict.OVER_CAUTIOUS: "over-cautious",
    Verdict.DOES_NOT: "neither asked nor claimed",
    Verdict.NOT_TESTED: "not tested",
}


def evidence(finding: Finding) -> str:
    """What shows a verdict, like ``GET /closed.html, against line 2: Disallow: /closed.html``, or ""."""
    if finding.fetch is None:
        return printable(finding.why, _LONGEST)
    request = printable(f"{finding.fetch.method} {finding.fetch.target}", _LONGEST)
    against = f"against line {finding.line}: " if finding.line else ""
    reason = finding.why or f"{against}{finding.rule}"
    return f"{request}{', ' if against else ': '}{printable(reason, _LONGEST)}"


def introduction(trial: Trial) -> str:
    """Who was tried: its User-Agent, which product token it answers to, and that it followed no link."""
    agents = " and ".join(printable(agent or "(none)", _LONGEST) for agent in trial.user_agents)
    if not trial.fetched:
        return "It fetched nothing at all."
    known = f"as {printable(trial.token)} ({trial.token_from})"
    told = f"{agents}: {known if trial.token else 'its product token is unknown'}"
    return told if trial.followed_links else f"{told}\n{_NO_LINKS}"


def account(result: Result) -> Iterator[str]:
    """What happened in a trap, line by line: the robots.txt, each request, how the crawler ended."""
    yield f"{result.clause.id}: the robots.txt"
    lines = lines_of(result.robots_txt[:_MOST_RULES].rstrip(b" \t\r\n"))
    yield from (f"  {number:3} {printable(line, _LONGEST)}" for number, line in enumerate(lines[:_LINES], 1))
    if result.seen is not None:
        yield "the requests"
        for fetch in result.seen.fetches[:_LINES]:
            request = printable(f"{fetch.method} {fetch.target}", _LONGEST)
            yield f"  {fetch.at:6.3f} s {request} ({fetch.authority} port)"
        for line in result.seen.unreadable:
            yield f"  unreadable: {printable(line, _LONGEST)}"
        yield from ended(result.seen.ending)


def ended(ending: Ending) -> Iterator[str]:
    """How the crawler ended, and the last lines that it printed."""
    how = "it was stopped" if ending.stopped else f"exit code {ending.exit_code}"
    printed = ending.output.splitlines()[-_LINES:]
    yield f"{how} after {ending.seconds:.1f} s; it printed{'' if printed else ' nothing'}"
    yield from (f"  {printable(line, _LONGEST)}" for line in printed)


def advice(ending: Ending) -> Iterator[str]:
    """What may help a crawler that fetched nothing."""
    if ending.exit_code == 0 and not ending.stopped:
        yield "if it goes on in the background, run it in the foreground: it is ended when its command ends"


def conclusion(trial: Trial) -> str:
    """``24 obeyed, 12 disobeyed, 2 not tested``."""
    return ", ".join(f"{count} {_COUNTED[verdict]}" for verdict, count in trial.counts.items() if count)


def random_conclusion(trial: RandomTrial) -> str:
    """``40 sites made at random with seed 7: 38 tested, 2 not finished; it disobeys on 3``."""
    if trial.why_untested:
        return f"No site made at random was tested: {trial.why_untested}."
    unfinished = f", {trial.unfinished} not finished (give it more --seconds)" if trial.unfinished else ""
    told = [f"{_ON_SITES[verdict]} on {count}" for verdict, count in trial.disagreeing.items() if count]
    return (
        f"{trial.sites} sites made at random with --seed {trial.seed}: {trial.tested} tested{unfinished}; "
        f"{' and '.join(told) or 'it obeys on all of these'}"
    )


_ON_SITES = {Verdict.DISOBEYS: "it disobeys", Verdict.OVER_CAUTIOUS: "it is over-cautious"}


def disagreement(found: Disagreement, token: str) -> Iterator[str]:
    """Describe a disagreement on a site made at random: the request, the rule, the robots.txt."""
    line, rule = found.rule(token)
    against = f"against line {line}: {rule}" if line else "which no rule speaks of"
    path = printable(found.path, _LONGEST)
    if found.verdict is Verdict.DISOBEYS:
        yield f"{found.fetch.method if found.fetch else 'GET'} {path}, {printable(against, _LONGEST)}"
    else:
        may = f"allowed by line {line}: {rule}" if line else "which no rule forbids"
        yield f"it never fetched {path}, {printable(may, _LONGEST)}"
    if not found.repeats:
        yield f"once, on site {found.number}, and not when it was tried there again"
    lines = lines_of(found.robots_txt[:_MOST_RULES].removesuffix(b"\n"))
    yield from (f"  | {printable(line, _LONGEST)}" for line in lines[:_LINES])
    if len(lines) > _LINES:
        yield f"  | and {len(lines) - _LINES} lines more: --json has them"


def random_document(trial: RandomTrial, token: str) -> dict[str, Any]:
    """Return what came of sites made at random, for a program."""
    return {
        "sites": trial.sites,
        "seed": trial.seed,
        "tested": trial.tested,
        "unfinished": trial.unfinished,
        "why_untested": trial.why_untested or None,
        "disagreeing": {str(verdict): count for verdict, count in trial.disagreeing.items()},
        "disagreements": [_disagreement(found, token) for found in trial.disagreements],
    }


def _disagreement(found: Disagreement, token: str) -> dict[str, Any]:
    line, rule = found.rule(token)
    return {
        "site": found.number,
        "verdict": str(found.verdict),
        "section": found.cause.section if found.cause else None,
        "says": found.cause.says if found.cause else None,
        "path": found.path,
        "rule": {"line": line, "text": rule} if line else None,
        "robots_txt": found.robots_txt.decode(),
        "links": [{"kind": link.kind, "path": link.path, "on": link.on} for link in found.links],
        "repeats": found.repeats,
        "runs": found.runs,
    }


def document(trial: Trial, command: Sequence[str], random: RandomTrial | None = None) -> dict[str, Any]:
    """A trial for a program. Strings that the crawler sent are as they came."""
    added = {"random": random_document(random, trial.token)} if random else {}
    return added | {
        "command": list(command),
        "product_token": trial.token or None,
        "product_token_from": trial.token_from or None,
        "user_agents": list(trial.user_agents),
        "followed_links": trial.followed_links,
        "requests": trial.fetched,
        "counts": {str(verdict): count for verdict, count in trial.counts.items()},
        "clauses": [_clause(result) for result in trial.results],
    }


def _clause(result: Result) -> dict[str, Any]:
    clause, finding, seen = result.clause, result.finding, result.seen
    fetch = finding.fetch
    return {
        "id": clause.id,
        "section": clause.section if clause.section[0].isdigit() else None,
        "level": str(clause.level),
        "says": clause.says,
        "verdict": str(finding.verdict),
        "why": finding.why or None,
        "request": fetch
        and {
            "method": fetch.method,
            "target": fetch.target,
            "user_agent": fetch.user_agent,
            "seconds": round(fetch.at, 3),
        },
        "rule": {"line": finding.line or None, "text": finding.rule} if finding.rule else None,
        "robots_txt": result.robots_txt[:_MOST_RULES].decode("utf-8", "backslashreplace"),
        "requests": [f"{each.method} {each.target}" for each in seen.fetches[:100]] if seen else [],
        "unreadable": list(seen.unreadable) if seen else [],
        "ended": seen
        and {
            "exit_code": seen.ending.exit_code,
            "stopped": seen.ending.stopped,
            "seconds": round(seen.ending.seconds, 3),
        },
    }
