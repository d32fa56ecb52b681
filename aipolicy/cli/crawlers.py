"""``aipolicy crawlers``: the crawler table, and the operators' published addresses."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aipolicy.cli.options import json_option, print_json, print_rows
from aipolicy.cli.progress import progress
from aipolicy.core.crawlers import CRAWLERS, Crawler, Purpose
from aipolicy.errors import AIPolicyError

if TYPE_CHECKING:
    from aipolicy.check.identity.fetching import Target
    from aipolicy.check.identity.updating import Outcome


@click.group(invoke_without_command=True)
@click.option(
    "--purpose", type=click.Choice(list(map(str, Purpose))), help="Only crawlers that come for this."
)
@json_option
@click.pass_context
def crawlers(ctx: click.Context, purpose: str | None, as_json: bool) -> None:
    """List the known crawlers: who runs each, what for, and whether its operator says it obeys robots.txt.

    \b
    aipolicy crawlers --purpose training
    aipolicy crawlers --json
    aipolicy crawlers update         read the operators' published addresses anew
    """
    if ctx.invoked_subcommand is not None:
        if purpose or as_json:
            raise AIPolicyError(f"options of {ctx.invoked_subcommand} come behind it")
        return
    chosen = [crawler for crawler in CRAWLERS if purpose in (None, crawler.purpose)]
    if as_json:
        print_json([_document(crawler) for crawler in chosen])
    else:
        heading = ("product token", "operator", "purpose", "obeys", "blocked by")
        print_rows(
            ((c.product_token, c.operator, c.purpose, c.obeys_robots_txt, _blocked_by(c)) for c in chosen),
            heading,
        )


@crawlers.command()
@click.option(
    "--to",
    envvar="AIPOLICY_RANGES",
    show_envvar=True,
    metavar="FILE",
    help="The file of lists; else ranges.json in the user's data directory.",
)
@click.option("--operator", "operators", multiple=True, metavar="NAME", help="Only lists of this operator.")
@click.option(
    "--accept",
    is_flag=True,
    help="Take lists that lost most of their prefixes, or were read on a later day, too.",
)
@json_option
@click.pass_context
def update(
    ctx: click.Context, to: str | None, operators: tuple[str, ...], accept: bool, as_json: bool
) -> None:
    """Read the operators' published addresses anew, for `check identity`, `check logs` and the middleware.

    \b
    aipolicy crawlers update
    aipolicy crawlers update --operator OpenAI --operator Google
    aipolicy crawlers update --to /var/lib/aipolicy/ranges.json

    What can't be read, isn't a list or lost most of it stays as it was, and is named on stderr. What lists
    had before is kept for 400 days: requests of then can still be checked. Once a day is enough.

    Exit codes: 0 all lists were read, 1 some were not, 2 bad input.
    """
    from aipolicy.check.identity.keeping import make_directory
    from aipolicy.check.identity.rangesfile import default_path
    from aipolicy.check.identity.updating import State, update

    path = default_path() if to is None else Path(to)
    if to is None:
        make_directory(path.parent)
    targets = _targets(operators)
    with progress("reading lists", len(targets), step=1) as advance:
        outcomes = update(
            path,
            targets=targets,
            accept=accept,
            waiting=lambda note: click.echo(note, err=True),
            advance=advance,
        )
    failed = [each for each in outcomes if each.state is State.FAILED]
    if as_json:
        print_json([_outcome(each) for each in outcomes])
    else:
        print_rows(map(_row, outcomes), ("operator", "list", "", "prefixes", "came", "gone", "read on"))
    for each in failed:
        stays = f"the copy of {each.date} stays" if each.date else "no copy of it is known"
        click.echo(f"{each.reason}: {stays}", err=True)
    ctx.exit(1 if failed else 0)


def _targets(operators: Sequence[str]) -> "list[Target]":
    from aipolicy.check.identity import packaged_ranges
    from aipolicy.check.identity.updating import default_targets

    targets = default_targets(packaged_ranges())
    known = {target.operator.lower(): target.operator for target in targets}
    for name in operators:
        if name.lower() not in known:
            raise AIPolicyError(f"--operator {name!r} publishes no lists: {', '.join(known.values())} do")
    wanted = {name.lower() for name in operators or known}
    return [target for target in targets if target.operator.lower() in wanted]


def _row(outcome: "Outcome") -> tuple[str, ...]:
    figures = (str(outcome.prefixes), str(outcome.came or ""), str(outcome.gone or ""))
    return (outcome.target.operator, outcome.target.url, outcome.state, *figures, str(outcome.date or ""))


def _outcome(outcome: "Outcome") -> dict[str, Any]:
    date = None if outcome.date is None else outcome.date.isoformat()
    fields = {"state": str(outcome.state), "date": date, "reason": outcome.reason}
    figures = {name: getattr(outcome, name) for name in ("prefixes", "came", "gone")}
    return dataclasses.asdict(outcome.target) | fields | figures


def _blocked_by(crawler: Crawler) -> str:
    return ", ".join(f"{category}=n" for category in crawler.purpose.categories) or "never"


def _document(crawler: Crawler) -> dict[str, Any]:
    blocked_by = [str(category) for category in crawler.purpose.categories]
    return dataclasses.asdict(crawler) | {"checked": crawler.checked.isoformat(), "blocked_by": blocked_by}
