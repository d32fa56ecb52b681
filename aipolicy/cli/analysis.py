"""``aipolicy lint``, ``diff`` and ``explain``: what a robots.txt really does."""

import sys

import click

from aipolicy.cli.options import json_option, list_option, print_json, print_rows
from aipolicy.errors import AIPolicyError

_SOURCE = "FILE|-|URL"


def _list_findings() -> None:
    from aipolicy.robotstxt import KINDS

    rows = ((name, kind.severity, kind.about) for name, kind in KINDS.items())
    print_rows(rows, ("id", "severity", "about"))


@click.command()
@click.argument("source", metavar=_SOURCE)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "never"]),
    default="error",
    show_default=True,
    help="Exit code 1 if there is a finding as grave as this, or graver.",
)
@list_option("kind of finding", _list_findings)
@json_option
@click.pass_context
def lint(ctx: click.Context, source: str, fail_on: str, as_json: bool) -> None:
    """Check a robots.txt: which AI crawlers it really shuts out, and what in it doesn't do what it says.

    \b
    aipolicy lint robots.txt
    aipolicy lint https://blog.example --fail-on warning
    aipolicy robots --preset no-ai | aipolicy lint - --json

    A URL without a path means its /robots.txt. Exit codes: 0 nothing grave, 1 findings, 2 bad input.
    """
    # Imported where they are used: other commands should not wait for them.
    from aipolicy.cli.reports import report_document, report_text
    from aipolicy.cli.robots_source import read_source
    from aipolicy.robotstxt import lint as check

    report = check(read_source(source))
    if as_json:
        print_json(report_document(source, report))
    else:
        _say(report_text(source, report))
    failing = {"error": ("error",), "warning": ("error", "warning"), "never": ()}[fail_on]
    if report.worst() in failing:
        ctx.exit(1)


@click.command()
@click.argument("before", metavar="BEFORE")
@click.argument("after", metavar="AFTER")
@json_option
@click.pass_context
def diff(ctx: click.Context, before: str, after: str, as_json: bool) -> None:
    """Compare two robots.txt files by effect: which crawlers may fetch what that they might not before.

    \b
    aipolicy diff robots.txt new.txt
    aipolicy robots --preset no-ai --base robots.txt | aipolicy diff robots.txt -

    Each is a file, - or a URL. Order, comments and spelling make no difference. Paths are samples: each rule
    of both files is tried. Exit codes: 0 the same effect, 1 another one, 2 bad input.
    """
    from aipolicy.cli.reports import difference_document, difference_text
    from aipolicy.cli.robots_source import read_source
    from aipolicy.robotstxt import compare

    if before == after == "-":
        raise AIPolicyError("both files are -: standard input can be read once; name a file for one of them")
    differences = compare(read_source(before), read_source(after))
    if as_json:
        print_json([difference_document(difference) for difference in differences])
    else:
        _say(difference_text(differences))
    if differences:
        ctx.exit(1)


@click.command()
@click.argument("source", metavar=_SOURCE)
@click.option("--crawler", required=True, metavar="TOKEN", help="A product token, like GPTBot.")
@click.option("--path", required=True, metavar="PATH", help="A path, with its query if it has one.")
@json_option
def explain(source: str, crawler: str, path: str, as_json: bool) -> None:
    """Say why a crawler may fetch a path, or may not: the group that binds it and the rule that decides.

    \b
    aipolicy explain robots.txt --crawler GPTBot --path /post/1
    aipolicy explain https://blog.example --crawler Applebot-Extended --path '/search?q=1' --json
    """
    from aipolicy.cli.reports import explanation_document, explanation_text
    from aipolicy.cli.robots_source import read_source
    from aipolicy.robotstxt import explain as explanation_of

    explanation = explanation_of(read_source(source), _token(crawler), _path(path))
    if as_json:
        print_json(explanation_document(explanation))
    else:
        _say(explanation_text(explanation))


def _token(text: str) -> str:
    if not text.strip() or text.strip() == "*":
        raise AIPolicyError(f"--crawler {text!r} is no product token: write one like GPTBot")
    return text.strip()


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise AIPolicyError(f"--path {text!r} is no path: it starts with '/', like /post/1")
    return text


def _say(text: str) -> None:
    """Print, also where the terminal doesn't know every character."""
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding))
