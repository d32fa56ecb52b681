"""``aipolicy crawlers``: the crawler table, and the operators' published addresses."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aipolicy.cli.options import json_option, print_json, print_rows
from aipolicy.cli.progress import progress
from aipolicy.core.crawlers import (
    CRAWLERS,
    PACKAGED,
    Crawler,
    CrawlerTable,
    EvidenceClass,
    Purpose,
    crawler_table,
)
from aipolicy.crawlers import (
    AI_ROBOTS_TXT,
    VARIABLE,
    NewNames,
    load,
    new_names,
    parse,
    read_json,
    with_entries,
)
from aipolicy.errors import AIPolicyError, CrawlersError

if TYPE_CHECKING:
    from aipolicy.identity.list_fetch import Target
    from aipolicy.identity.list_update import UpdateOutcome


@click.group(invoke_without_command=True)
@click.option(
    "--purpose", type=click.Choice(list(map(str, Purpose))), help="Only crawlers that come for this."
)
@click.option(
    "--class",
    "of_class",
    type=click.Choice(list(map(str, EvidenceClass))),
    help="Only crawlers of this class.",
)
@click.option("--summary", is_flag=True, help="Only how many there are of each class, and the table's age.")
@json_option
@click.pass_context
def crawlers(
    ctx: click.Context, purpose: str | None, of_class: str | None, summary: bool, as_json: bool
) -> None:
    """List the known crawlers: who runs each, what for, and whether its operator says it obeys robots.txt.

    \b
    aipolicy crawlers --purpose training
    aipolicy crawlers --class listed --json
    aipolicy crawlers --summary
    aipolicy crawlers update         read the operators' published addresses anew

    The class tells how the purpose is known. documented: the operator's page says it, or two independent
    sources do. listed: less does; an opt-out names such a crawler only with --scope broad.
    """
    if ctx.invoked_subcommand is not None:
        if purpose or of_class or summary or as_json:
            raise AIPolicyError(f"options of {ctx.invoked_subcommand} come behind it")
        return
    chosen = [
        crawler
        for crawler in CRAWLERS
        if purpose in (None, crawler.purpose) and of_class in (None, crawler.evidence_class)
    ]
    table, today = crawler_table(), datetime.now(UTC).date()
    if summary and as_json:
        print_json(_summary(chosen, table, today))
    elif summary:
        click.echo(_about(chosen, table, today))
    elif as_json:
        print_json([_document(crawler) for crawler in chosen])
    else:
        heading = ("product token", "operator", "purpose", "class", "obeys", "blocked by")
        print_rows(
            (
                (c.product_token, c.operator, c.purpose, c.evidence_class, c.obeys_robots_txt, _blocked_by(c))
                for c in chosen
            ),
            heading,
        )
        click.echo(_about(chosen, table, today), err=True)


_OLD = 180  # days


def _summary(chosen: Sequence[Crawler], table: CrawlerTable, today: date) -> dict[str, Any]:
    counts = Counter(crawler.evidence_class for crawler in chosen)
    return {
        "crawlers": len(chosen),
        "classes": {str(each): counts[each] for each in EvidenceClass},
        "compiled": table.compiled.isoformat(),
        "days_old": max(0, (today - table.compiled).days),
        "file": table.file,
        "added": list(table.added),
        "corrected": list(table.corrected),
    }


def _about(chosen: Sequence[Crawler], table: CrawlerTable, today: date) -> str:
    """Return how many there are of each class, and how old the table is, in words."""
    about = _summary(chosen, table, today)
    classes = ", ".join(f"{count} {name}" for name, count in about["classes"].items())
    age = f", {about['days_old']} days ago" if about["days_old"] else ""
    lines = [f"{len(chosen)} crawlers: {classes}. The table was compiled on {table.compiled}{age}."]
    if table.file is not None:
        own = f"{len(table.added)} added, {len(table.corrected)} corrected"
        lines.append(f"From {table.file!r}: {own}.")
    if about["days_old"] > _OLD:
        fix = "upgrade aipolicy, or see `aipolicy crawlers update --ai-robots-txt`"
        lines.append(f"New crawlers have come since: {fix}.")
    return "\n".join(lines)


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
@click.option(
    "--ai-robots-txt",
    "names",
    metavar="FILE|URL",
    help="Instead of addresses, compare names: with robots.json of ai.robots.txt.",
)
@click.option(
    "--accept-new",
    is_flag=True,
    help="With --ai-robots-txt: add the new names to --crawlers FILE, unclassified.",
)
@click.option(
    "--crawlers",
    "own",
    envvar=VARIABLE,
    show_envvar=True,
    metavar="FILE",
    help="Entries that add to the crawler table, or correct it; --accept-new writes there.",
)
@json_option
@click.pass_context
def update(
    ctx: click.Context,
    to: str | None,
    operators: tuple[str, ...],
    accept: bool,
    names: str | None,
    accept_new: bool,
    own: str | None,
    as_json: bool,
) -> None:
    """Read the operators' published addresses anew, for `check identity`, `check logs` and the middleware.

    \b
    aipolicy crawlers update
    aipolicy crawlers update --operator OpenAI --operator Google
    aipolicy crawlers update --to /var/lib/aipolicy/ranges.json
    aipolicy crawlers update --ai-robots-txt robots.json --crawlers crawlers.json --accept-new

    What can't be read, isn't a list or lost most of it stays as it was, and is named on stderr. What lists
    had before is kept for 400 days: requests of then can still be checked. Once a day is enough.

    With --ai-robots-txt, names that the table doesn't have are listed as new. With --accept-new they are
    added to --crawlers FILE: of purpose training and class listed, so that only an opt-out with --scope broad
    names them. Edit the file to say more of one.

    Exit codes: 0 all lists were read, 1 some were not, or names are new and not accepted, 2 bad input.
    """
    if names is not None:
        if to is not None and ctx.get_parameter_source("to") is click.core.ParameterSource.COMMANDLINE:
            raise AIPolicyError("--to is for addresses and --ai-robots-txt for names: give one of them")
        if operators or accept:
            raise AIPolicyError(
                "--operator and --accept are for addresses: leave them out with --ai-robots-txt"
            )
        ctx.exit(_update_names(names, own, accept_new, as_json))
    if accept_new:
        raise AIPolicyError("--accept-new needs --ai-robots-txt FILE or URL: where the names come from")
    if own is not None:
        load(own)
    from aipolicy.identity.list_update import UpdateState, make_directory, update
    from aipolicy.identity.ranges_file import default_path

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
    failed = [each for each in outcomes if each.state is UpdateState.FAILED]
    if as_json:
        print_json([_outcome(each) for each in outcomes])
    else:
        print_rows(map(_row, outcomes), ("operator", "list", "", "prefixes", "came", "gone", "read on"))
    for each in failed:
        stays = f"the copy of {each.date} stays" if each.date else "no copy of it is known"
        click.echo(f"{each.reason}: {stays}", err=True)
    ctx.exit(1 if failed else 0)


def _update_names(source: str, own: str | None, accept: bool, as_json: bool) -> int:
    """List the new names, or add them to the owner's file; return the exit code."""
    if accept and own is None:
        raise AIPolicyError(f"--accept-new needs a file to write to: give --crawlers FILE, or {VARIABLE}")
    document: Any = {"crawlers": []}
    if own is not None and (Path(own).exists() or not accept):
        try:
            document = read_json(own)
        except CrawlersError as error:
            raise CrawlersError(f"crawler table {own!r}: {error}") from None
    try:
        table = PACKAGED.with_entries(document, own)
    except CrawlersError as error:
        raise CrawlersError(f"crawler table {own!r}: {error}") from None
    is_url = source.startswith(("https://", "http://"))
    try:
        listed = parse(_fetched(source)) if is_url else read_json(source)
        found = new_names(
            listed,
            table,
            source=source if source.startswith("https://") else AI_ROBOTS_TXT,
            day=datetime.now(UTC).date(),
        )
    except CrawlersError as error:
        raise CrawlersError(f"--ai-robots-txt {source!r}: {error}") from None
    if accept and found.entries and own is not None:
        from aipolicy.identity.list_update import resolve_target, write_file

        write_file(resolve_target(Path(own)), with_entries(document, found.entries))
    _print_names(found, accept, as_json)
    return 1 if found.entries and not accept else 0


def _print_names(found: NewNames, accepted: bool, as_json: bool) -> None:
    state = "accepted" if accepted else "new, not accepted"
    if as_json:
        print_json([entry | {"state": state} for entry in found.entries])
    else:
        rows = ((str(entry["product_token"]), str(entry["operator"]), state) for entry in found.entries)
        print_rows(rows, ("product token", "operator", ""))
    for name, reason in found.refused:
        click.echo(f"{name!r} can't be taken: {reason}", err=True)
    if found.entries and not accepted:
        click.echo("--accept-new adds them to --crawlers FILE, for opt-outs with --scope broad", err=True)


def _fetched(url: str) -> bytes:
    """Fetch robots.json. Raises CrawlersError."""
    import anyio

    from aipolicy.errors import FetchError
    from aipolicy.web.fetcher import Fetcher

    if not url.startswith("https://"):
        raise CrawlersError("it is not https, so anyone on the way could have written it: give an https URL")

    async def fetch() -> bytes:
        async with Fetcher(seconds=20.0, max_bytes=8 << 20) as client:
            response = await client.follow(url, hops=3, headers=[("Accept", "application/json, */*;q=0.1")])
        if any(
            not each.startswith("https://") for each in (response.url, *(hop.url for hop in response.hops))
        ):
            raise CrawlersError("it redirects to what is not https: give the URL that it leads to")
        if response.status != 200 or response.cut:
            raise CrawlersError(f"{response.url} answered {response.status}, or more than 8 MiB")
        return response.body

    try:
        return anyio.run(fetch)
    except FetchError as error:
        raise CrawlersError(f"it can't be fetched ({error.reason})") from None


def _targets(operators: Sequence[str]) -> "list[Target]":
    from aipolicy.identity import packaged_ranges
    from aipolicy.identity.list_update import default_targets

    targets = default_targets(packaged_ranges())
    known = {target.operator.lower(): target.operator for target in targets}
    for name in operators:
        if name.lower() not in known:
            raise AIPolicyError(f"--operator {name!r} publishes no lists: {', '.join(known.values())} do")
    wanted = {name.lower() for name in operators or known}
    return [target for target in targets if target.operator.lower() in wanted]


def _row(outcome: "UpdateOutcome") -> tuple[str, ...]:
    figures = (str(outcome.prefixes), str(outcome.came or ""), str(outcome.gone or ""))
    return (outcome.target.operator, outcome.target.url, outcome.state, *figures, str(outcome.date or ""))


def _outcome(outcome: "UpdateOutcome") -> dict[str, Any]:
    date = None if outcome.date is None else outcome.date.isoformat()
    fields = {"state": str(outcome.state), "date": date, "reason": outcome.reason}
    figures = {name: getattr(outcome, name) for name in ("prefixes", "came", "gone")}
    return dataclasses.asdict(outcome.target) | fields | figures


def _blocked_by(crawler: Crawler) -> str:
    categories = ", ".join(f"{category}=n" for category in crawler.purpose.categories)
    if not categories:
        return "never"
    return f"{categories}, scope broad" if crawler.listed else categories


def _document(crawler: Crawler) -> dict[str, Any]:
    return crawler.to_dict() | {"blocked_by": [str(category) for category in crawler.purpose.categories]}
