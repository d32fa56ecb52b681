"""How the results of an analysis look: for people, and for programs."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from aipolicy.core.crawlers import Purpose, crawler_named
from aipolicy.report.text import listed, shown
from aipolicy.robotstxt import Difference, Explanation, Finding, Report, Severity
from aipolicy.robotstxt.dialects import DIALECTS
from aipolicy.robotstxt.matching import Ruling
from aipolicy.robotstxt.reach import Reach

_SHOWN = 10  # findings of one kind, names and paths in a text; JSON has them all
_GOVERNS = {Purpose.CONTROL: "control (no crawlers: what others fetched)"}


def report_text(source: str, report: Report) -> str:
    """Findings, gravest first, then which crawlers are shut out."""
    lines: list[str] = []
    told: dict[str, int] = {}
    for finding in report.findings:
        told[finding.id] = told.get(finding.id, 0) + 1
        if told[finding.id] <= _SHOWN:
            lines += _finding(finding)
    for kind, count in told.items():
        hidden = count + report.more.get(kind, 0) - _SHOWN
        if hidden > 0:
            lines += [f"... and {hidden} more of {kind}", ""]
    return "\n".join([*lines, *_coverage(report), "", f"{shown(source)}: {_counts(report)}"])


def report_document(source: str, report: Report) -> dict[str, Any]:
    """A report for a program."""
    return {
        "source": shown(source),
        "findings": [_finding_document(finding) for finding in report.findings],
        "more": report.more,
        "coverage": {
            purpose: {reach.name.lower(): list(tokens) for reach, tokens in by.items()}
            for purpose, by in report.coverage.tokens.items()
        },
        "disobedient": list(report.coverage.disobedient),
    }


def _finding_document(finding: Finding) -> dict[str, Any]:
    document = dataclasses.asdict(finding)
    del document["edits"]
    return document


def _finding(finding: Finding) -> Iterator[str]:
    where = _lines(finding.lines) if finding.lines else "the file"
    yield f"{finding.severity}: {where}: {finding.found} [{finding.id}]"
    yield f"    {finding.effect}"
    for number, line in enumerate(finding.fix.split("\n") if finding.fix else ()):
        yield f"{'    fix: ' if number == 0 else '         '}{line}".rstrip()
    yield ""


def _lines(numbers: tuple[int, ...]) -> str:
    return f"line{'s' * (len(numbers) != 1)} {listed(map(str, numbers), 6)}"


def _counts(report: Report) -> str:
    counts = dict.fromkeys(Severity, 0)
    for finding in report.findings:
        counts[finding.severity] += 1
    said = [f"{count} {severity}{'s' * (count != 1)}" for severity, count in counts.items() if count]
    return ", ".join(said) + (", and more" if report.more else "") if said else "nothing found"


def _coverage(report: Report) -> Iterator[str]:
    yield "Shut out, of the crawlers known (by RFC 9309):"
    for purpose, by in report.coverage.tokens.items():
        total = sum(map(len, by.values()))
        counts = ", ".join(_reach(purpose, reach, tokens) for reach, tokens in by.items() if tokens)
        yield f"  {_GOVERNS.get(purpose, purpose)}: {counts}"
        for reach, tokens in by.items():
            if reach is not Reach.OPEN and tokens and len(tokens) < total:
                yield f"    {reach}: {listed(tokens, _SHOWN)}"
    if report.coverage.disobedient:
        names = listed(report.coverage.disobedient, _SHOWN)
        yield f"  of these, known not to obey, or not always: {names}"


def _reach(purpose: Purpose, reach: Reach, tokens: Sequence[str]) -> str:
    """Count the crawlers with that reach, and those left open that are only listed for that purpose."""
    known = filter(None, map(crawler_named, tokens))
    unsure = sum(crawler.listed for crawler in known) if purpose.categories and reach is Reach.OPEN else 0
    return f"{len(tokens)} {reach}" + (f" ({unsure} of them only listed)" if unsure else "")


def difference_text(differences: Iterable[Difference]) -> str:
    lines: list[str] = []
    for difference in differences:
        change = difference.change
        lines.append(_whose(difference))
        lines += [f"  may no longer fetch: {listed(change.closed, _SHOWN)}"] if change.closed else []
        lines += [f"  may now fetch: {listed(change.opened, _SHOWN)}"] if change.opened else []
        for where, before, after in change.signals[:_SHOWN]:
            lines.append(f"  {where}: {shown(before) or 'nothing'} -> {shown(after) or 'nothing'}")
        lines.append("")
    return "\n".join(lines[:-1]) or "no difference in effect"


def difference_document(difference: Difference) -> dict[str, Any]:
    """A difference for a program."""
    change = difference.change
    return {
        "crawlers": [shown(token) for token in difference.tokens],
        "all_others": difference.others,
        "no_longer_allowed": list(change.closed),
        "now_allowed": list(change.opened),
        "signals": [
            {"where": where, "before": shown(before), "after": shown(after)}
            for where, before, after in change.signals
        ],
    }


def _whose(difference: Difference) -> str:
    names = listed(difference.tokens, _SHOWN)
    if difference.others:
        return f"every crawler that neither file names, {names}" if names else "every crawler"
    return names


def explanation_text(explanation: Explanation) -> str:
    token, ruling = shown(explanation.token), explanation.ruling
    lines = [f"{token} {_may(ruling)} fetch {shown(explanation.path)}"]
    lines.append(f"  group: {_group(explanation)}")
    lines.append(f"  rule: {_rule(explanation, ruling)}")
    signals = ", ".join(f"{key}={value}" for key, value in explanation.content_signals.items())
    lines.append(f"  Content-Signal: {signals or 'nothing is said'}")
    lines.append(f"  Content-Usage: {explanation.usage_preferences or 'nothing is said'}")
    lines.append("Other parsers:")
    for dialect in DIALECTS:
        theirs = explanation.dialects[dialect.id]
        line = f" (line {theirs.line})" if theirs.line else ""
        differs = "" if theirs.allowed is ruling.allowed else "  <- differs"
        lines.append(f"  {dialect.id}: it {_may(theirs)}{line}{differs}  [{dialect.used_by}]")
    crawler = crawler_named(explanation.token)
    if crawler is None:
        lines.append(f"{token} is not in the crawler table: is it spelt as its operator does?")
        return "\n".join(lines)
    if crawler.note:
        lines.append(f"{crawler.product_token} of {crawler.operator}: {crawler.note}")
    if crawler.listed and crawler.purpose.categories:
        sources = "neither its operator nor two independent sources say so"
        lines.append(f"{crawler.product_token} is only listed for {crawler.purpose}: {sources}")
    return "\n".join(lines)


def explanation_document(explanation: Explanation) -> dict[str, Any]:
    """An explanation for a program."""
    line = explanation.ruling.line
    return {
        "crawler": shown(explanation.token),
        "path": explanation.path,
        "allowed": explanation.ruling.allowed,
        "group": {"because": explanation.because, "lines": list(explanation.agent_lines)},
        "rule": {"line": line, "text": shown(explanation.text(line))} if line else None,
        "content_signal": explanation.content_signals,
        "content_usage": str(explanation.usage_preferences),
        "families": {
            dialect: {"allowed": ruling.allowed, "line": ruling.line or None}
            for dialect, ruling in explanation.dialects.items()
        },
    }


def _may(ruling: Ruling) -> str:
    return "may" if ruling.allowed else "may not"


def _group(explanation: Explanation) -> str:
    if explanation.because == "none":
        return "none applies to it: nothing is disallowed"
    lines = _lines(explanation.agent_lines)
    if explanation.because == "named":
        return f"{lines}: it is named"
    if explanation.because == "stand-in":
        return f"{lines}: another crawler's, which it uses as none names it"
    return f"{lines}: the one for everyone, as none names it"


def _rule(explanation: Explanation, ruling: Ruling) -> str:
    if ruling.line:
        return f"line {ruling.line}: {shown(explanation.text(ruling.line))}"
    if explanation.path.partition("?")[0] == "/robots.txt":
        return "none: /robots.txt itself is always allowed"
    return "none matches: what no rule matches is allowed"
