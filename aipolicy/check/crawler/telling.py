"""The outcome of a trial in words, and as a document for programs."""

from collections.abc import Sequence
from typing import Any

from aipolicy.check.crawler.clause import Finding, Verdict
from aipolicy.check.crawler.trial import Result, Trial
from aipolicy.check.report.logged import logged

_LONGEST = 200  # characters of what a crawler sent
_COUNTED = {
    Verdict.OBEYS: "obeyed",
    Verdict.DISOBEYS: "disobeyed",
    Verdict.OVER_CAUTIOUS: "over-cautious",
    Verdict.DOES_NOT: "neither asked nor claimed",
    Verdict.NOT_TESTED: "not tested",
}


def evidence(finding: Finding) -> str:
    """What shows a verdict, like ``GET /closed.html, against line 2: Disallow: /closed.html``, or ""."""
    if finding.fetch is None:
        return logged(finding.why, _LONGEST)
    request = logged(f"{finding.fetch.method} {finding.fetch.target}", _LONGEST)
    against = f"against line {finding.line}: " if finding.line else ""
    reason = finding.why or f"{against}{finding.rule}"
    return f"{request}{', ' if against else ': '}{logged(reason, _LONGEST)}"


def introduction(trial: Trial) -> str:
    """Who was tried: its User-Agent, and which product token it answers to."""
    agents = " and ".join(logged(agent or "(none)", _LONGEST) for agent in trial.user_agents)
    if not trial.fetched:
        return "It fetched nothing at all."
    if not trial.token:
        return f"{agents}: its product token is unknown"
    return f"{agents}: as {logged(trial.token)} ({trial.token_from})"


def conclusion(trial: Trial) -> str:
    """``24 obeyed, 12 disobeyed, 2 not tested``."""
    return ", ".join(f"{count} {_COUNTED[verdict]}" for verdict, count in trial.counts.items() if count)


def document(trial: Trial, command: Sequence[str]) -> dict[str, Any]:
    """A trial for a program. Strings that the crawler sent are as they came."""
    return {
        "command": list(command),
        "product_token": trial.token or None,
        "product_token_from": trial.token_from or None,
        "user_agents": list(trial.user_agents),
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
        "requests": [f"{each.method} {each.target}" for each in seen.fetches[:100]] if seen else [],
        "ended": seen
        and {
            "exit_code": seen.ending.exit_code,
            "stopped": seen.ending.stopped,
            "seconds": round(seen.ending.seconds, 3),
        },
    }
