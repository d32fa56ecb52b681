"""``aipolicy crawlers``: the crawler table and the operators' published addresses."""

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
from aipolicy.report.wording import counted

if TYPE_CHECKING:
    from aipolicy.identity.list_fetch import Target
    from aipolicy.identity.list_update import UpdateOutcome


@click.group(invoke_without_command=True)
@click.option("--purpose", type=click.Choice(list(map(str, Purpose))), help="Only crawlers of this purpose.")
@click.option(
    "--class",
    "of_class",
    type=click.Choice(list(map(str, EvidenceClass))),
    help="Only crawlers of this class.",
)
@click.option("--summary", is_flag=True, help="Only the number of each class, and the age of the table.")
@json_option
@click.pass_context
def crawlers(
    ctx: click.Context, purpose: str | None, of_class: str | None, summary: bool, as_json: bool
) -> None:
    """List the known crawlers with operator, purpose, and if the operator says that they obey robots.txt.

    \b
    aipolicy crawlers --purpose training
    aipolicy crawlers --class listed --json
    aipolicy crawlers --summary
    aipolicy crawlers update         fetch the operators' published addresses

    The purpose of a documented crawler is stated by its operator or by two independent sources. That of a
    listed one is not; an opt-out names it only with --scope broad.
    """
    if ctx.invoked_subcommand is not None:
        if purpose or of_class or summary or as_json:
            raise AIPolicyError(f"write the options of {ctx.invoked_subcommand} after its name")
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


_MAX_AGE = 180  # days


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
    """Return a sentence with the number of crawlers of each class, and the age of the table."""
    about = _summary(chosen, table, today)
    classes = ", ".join(f"{count} {name}" for name, count in about["classes"].items())
    age = f", {counted(about['days_old'], 'day')} ago" if about["days_old"] else ""
    lines = [f"{len(chosen)} crawlers: {classes}. The table was compiled on {table.compiled}{age}."]
    if table.file is not None:
        entries = f"{len(table.added)} added, {len(table.corrected)} corrected"
        lines.append(f"From {table.file!r}: {entries}.")
    if about["days_old"] > _MAX_AGE:
        fix = "upgrade aipolicy, or see `aipolicy crawlers update --ai-robots-txt`"
        lines.append(f"It may lack newer crawlers; {fix}.")
    return "\n".join(lines)


@crawlers.command()
@click.option(
    "--to",
    envvar="AIPOLICY_RANGES",
    show_envvar=True,
    metavar="FILE",
    help="File of the lists; by default ranges.json in the user's data directory.",
)
@click.option("--operator", "operators", multiple=True, metavar="NAME", help="Only lists of this operator.")
@click.option(
    "--accept",
    is_flag=True,
    help="Also accept lists that lost most of their prefixes, or that were read on a later day.",
)
@click.option(
    "--ai-robots-txt",
    "names",
    metavar="FILE|URL",
    help="Compare the names in robots.json of ai.robots.txt with the table, instead of fetching addresses.",
)
@click.option(
    "--accept-new",
    is_flag=True,
    help="With --ai-robots-txt: add the new names to --crawlers FILE.",
)
@click.option(
    "--crawlers",
    "own",
    envvar=VARIABLE,
    show_envvar=True,
    metavar="FILE",
    help="Add or correct entries of the crawler table; --accept-new writes this file.",
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
    """Fetch the operators' published addresses, for `check identity`, `check logs` and the middleware.

    \b
    aipolicy crawlers update
    aipolicy crawlers update --operator OpenAI --operator Google
    aipolicy crawlers update --to /var/lib/aipolicy/ranges.json
    aipolicy crawlers update --ai-robots-txt robots.json --crawlers crawlers.json --accept-new

    A list that can't be read, is invalid or has lost most of its prefixes stays unchanged, and stderr names
    it. Former prefixes are kept for 400 days, to check earlier requests. Once a day is enough.

    With --ai-robots-txt, names that the table lacks are listed as new. With --accept-new they are added to
    --crawlers FILE with purpose training and class listed, so that only an opt-out with --scope broad names
    them. Edit the file to correct an entry.

    Exit codes: 0 all lists were updated, 1 some were not, or there are new names that were not accepted, 2
    bad input.
    """
    if names is not None:
        if to is not None and ctx.get_parameter_source("to") is click.core.ParameterSource.COMMANDLINE:
            raise AIPolicyError("--to is for addresses and --ai-robots-txt for names; use one of them")
        if operators or accept:
            raise AIPolicyError(
                "--operator and --accept are for addresses; leave them out with --ai-robots-txt"
            )
        ctx.exit(_update_names(names, own, accept_new, as_json))
    if accept_new:
        raise AIPolicyError("--accept-new needs the source of the names; add --ai-robots-txt FILE or URL")
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
        print_rows(
            map(_row, outcomes), ("operator", "list", "state", "prefixes", "added", "removed", "read on")
        )
    for each in failed:
        kept = f"the list of {each.date} is kept" if each.date else "there is no earlier list"
        click.echo(f"{each.reason}; {kept}", err=True)
    ctx.exit(1 if failed else 0)


def _update_names(source: str, own: str | None, accept: bool, as_json: bool) -> int:
    """List the new names, or add them to the file ``own``; return the exit code."""
    if accept and own is None:
        raise AIPolicyError(f"--accept-new needs a file to write; add --crawlers FILE, or set {VARIABLE}")
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
        print_rows(rows, ("product token", "operator", "state"))
    for name, reason in found.refused:
        click.echo(f"{name!r} can't be added: {reason}", err=True)
    if found.entries and not accepted:
        click.echo("--accept-new adds them to --crawlers FILE, for opt-outs with --scope broad", err=True)


def _fetched(url: str) -> bytes:
    """Fetch robots.json.

    Raises:
        CrawlersError: It can't be fetched.
    """
    import anyio

    from aipolicy.errors import FetchError
    from aipolicy.web.fetcher import Fetcher

    if not url.startswith("https://"):
        raise CrawlersError("the URL is not https, so the content could be forged; use an https URL")

    async def fetch() -> bytes:
        async with Fetcher(seconds=20.0, max_bytes=8 << 20) as client:
            response = await client.follow(url, hops=3, headers=[("Accept", "application/json, */*;q=0.1")])
        if any(
            not each.startswith("https://") for each in (response.url, *(hop.url for hop in response.hops))
        ):
            raise CrawlersError("it redirects to a URL that is not https; use the final URL")
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
            raise AIPolicyError(
                f"--operator {name!r} publishes no list; use one of {', '.join(known.values())}"
            )
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
