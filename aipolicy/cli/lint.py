"""``aipolicy lint``: the mistakes in a robots.txt, and the crawlers that it shuts out."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from aipolicy.cli.options import SOURCE, json_option, list_option, print_json, print_rows, print_text
from aipolicy.core.crawlers import Purpose, crawler_named
from aipolicy.report.text import listed, shorten

# The linter and the HTTP client are imported where they are used: other commands must not wait for them.
if TYPE_CHECKING:
    from aipolicy.robotstxt import Finding, Report
    from aipolicy.robotstxt.reach import Reach

_MAX_LISTED = 10  # findings of one kind and names in a line; --json has all
_PURPOSES = {Purpose.CONTROL: "control (tokens without crawlers, for content that others fetched)"}


def _list_findings() -> None:
    from aipolicy.robotstxt import KINDS

    rows = ((name, kind.severity, kind.about) for name, kind in KINDS.items())
    print_rows(rows, ("id", "severity", "about"))


@click.command()
@click.argument("source", metavar=SOURCE)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "never"]),
    default="error",
    show_default=True,
    help="Exit with 1 if there is a finding of this severity or worse.",
)
@list_option("kind of finding", _list_findings)
@json_option
@click.pass_context
def lint(ctx: click.Context, source: str, fail_on: str, as_json: bool) -> None:
    """Check a robots.txt for mistakes, and list the AI crawlers that it shuts out.

    \b
    aipolicy lint robots.txt
    aipolicy lint https://blog.example --fail-on warning
    aipolicy robots --preset no-ai | aipolicy lint - --json

    For a URL without a path, /robots.txt is fetched. Exit codes: 0 no finding that --fail-on names,
    1 such a finding, 2 bad input.
    """
    from aipolicy.cli.robots_source import read_source
    from aipolicy.robotstxt import lint as check

    report = check(read_source(source))
    if as_json:
        print_json(_document(source, report))
    else:
        print_text(_text(source, report))
    failing = {"error": ("error",), "warning": ("error", "warning"), "never": ()}[fail_on]
    if report.worst() in failing:
        ctx.exit(1)


def _document(source: str, report: "Report") -> dict[str, Any]:
    return {
        "source": shorten(source),
        "findings": [_finding_document(finding) for finding in report.findings],
        "more": report.more,
        "coverage": {
            purpose: {reach.name.lower(): list(tokens) for reach, tokens in by.items()}
            for purpose, by in report.coverage.tokens.items()
        },
        "disobedient": list(report.coverage.disobedient),
    }


def _finding_document(finding: "Finding") -> dict[str, Any]:
    document = dataclasses.asdict(finding)
    del document["edits"]
    return document


def _text(source: str, report: "Report") -> str:
    """Return the findings, the most severe first, and the crawlers that are shut out."""
    lines: list[str] = []
    counts: Counter[str] = Counter()
    for finding in report.findings:
        counts[finding.id] += 1
        if counts[finding.id] <= _MAX_LISTED:
            lines += _finding(finding)
    for kind, count in counts.items():
        hidden = count + report.more.get(kind, 0) - _MAX_LISTED
        if hidden > 0:
            lines += [f"... and {hidden} more of {kind}", ""]
    return "\n".join([*lines, *_coverage(report), "", f"{shorten(source)}: {_counts(report)}"])


def _finding(finding: "Finding") -> Iterator[str]:
    where = line_numbers(finding.lines) if finding.lines else "the file"
    yield f"{finding.severity}: {where}: {finding.found} [{finding.id}]"
    yield f"    {finding.effect}"
    for number, line in enumerate(finding.fix.split("\n") if finding.fix else ()):
        yield f"{'    fix: ' if number == 0 else '         '}{line}".rstrip()
    yield ""


def line_numbers(numbers: tuple[int, ...]) -> str:
    """Return line numbers as a text like "lines 1 and 4"."""
    return f"line{'s' * (len(numbers) != 1)} {listed(map(str, numbers), 6)}"


def _counts(report: "Report") -> str:
    from aipolicy.robotstxt import Severity

    counts = dict.fromkeys(Severity, 0)
    for finding in report.findings:
        counts[finding.severity] += 1
    texts = [f"{count} {severity}{'s' * (count != 1)}" for severity, count in counts.items() if count]
    return ", ".join(texts) + (", and more" if report.more else "") if texts else "nothing found"


def _coverage(report: "Report") -> Iterator[str]:
    from aipolicy.robotstxt.reach import Reach

    yield "Known crawlers that this file shuts out (by RFC 9309):"
    for purpose, by in report.coverage.tokens.items():
        total = sum(map(len, by.values()))
        counts = ", ".join(_reach(purpose, reach, tokens) for reach, tokens in by.items() if tokens)
        yield f"  {_PURPOSES.get(purpose, purpose)}: {counts}"
        for reach, tokens in by.items():
            if reach is not Reach.OPEN and tokens and len(tokens) < total:
                yield f"    {reach}: {listed(tokens, _MAX_LISTED)}"
    if report.coverage.disobedient:
        names = listed(report.coverage.disobedient, _MAX_LISTED)
        yield f"  of these, known not to obey, or not always: {names}"


def _reach(purpose: Purpose, reach: "Reach", tokens: Sequence[str]) -> str:
    """Return the number of crawlers with a reach, and how many of those left open are only listed."""
    from aipolicy.robotstxt.reach import Reach

    known = filter(None, map(crawler_named, tokens))
    unsure = sum(crawler.listed for crawler in known) if purpose.categories and reach is Reach.OPEN else 0
    return f"{len(tokens)} {reach}" + (f" ({unsure} of them only listed)" if unsure else "")
