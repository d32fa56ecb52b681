"""``aipolicy diff``: two robots.txt files compared by their effect."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from aipolicy.cli.options import json_option, print_json, print_text
from aipolicy.errors import AIPolicyError
from aipolicy.report.text import listed, shorten

if TYPE_CHECKING:
    from aipolicy.robotstxt import Difference

_MAX_LISTED = 10  # names and paths in a line; --json has all


@click.command()
@click.argument("before", metavar="BEFORE")
@click.argument("after", metavar="AFTER")
@json_option
@click.pass_context
def diff(ctx: click.Context, before: str, after: str, as_json: bool) -> None:
    """Compare two robots.txt files by their effect: which crawlers may fetch which paths.

    \b
    aipolicy diff robots.txt new.txt
    aipolicy robots --preset no-ai --base robots.txt | aipolicy diff robots.txt -

    Each is a file, - or a URL. Order, comments and spelling don't matter. Every rule of both files is tried
    with sample paths. Exit codes: 0 the same effect, 1 a different one, 2 bad input.
    """
    # Imported where they are used: other commands must not wait for them.
    from aipolicy.cli.robots_source import read_source
    from aipolicy.robotstxt import compare

    if before == after == "-":
        raise AIPolicyError("both files are -, but stdin can be read only once; name one of the files")
    differences = compare(read_source(before), read_source(after))
    if as_json:
        print_json([_document(difference) for difference in differences])
    else:
        print_text(_text(differences))
    if differences:
        ctx.exit(1)


def _document(difference: "Difference") -> dict[str, Any]:
    change = difference.change
    return {
        "crawlers": [shorten(token) for token in difference.tokens],
        "all_others": difference.others,
        "no_longer_allowed": list(change.closed),
        "now_allowed": list(change.opened),
        "signals": [
            {"where": where, "before": shorten(before), "after": shorten(after)}
            for where, before, after in change.signals
        ],
    }


def _text(differences: Iterable["Difference"]) -> str:
    lines: list[str] = []
    for difference in differences:
        change = difference.change
        lines.append(_crawlers(difference))
        lines += [f"  may no longer fetch: {listed(change.closed, _MAX_LISTED)}"] if change.closed else []
        lines += [f"  may now fetch: {listed(change.opened, _MAX_LISTED)}"] if change.opened else []
        for where, before, after in change.signals[:_MAX_LISTED]:
            lines.append(f"  {where}: {shorten(before) or 'nothing'} -> {shorten(after) or 'nothing'}")
        lines.append("")
    return "\n".join(lines[:-1]) or "no difference in effect"


def _crawlers(difference: "Difference") -> str:
    names = listed(difference.tokens, _MAX_LISTED)
    if difference.others:
        return f"every crawler that neither file names, {names}" if names else "every crawler"
    return names
