"""``aipolicy removals``: what partners were asked to remove, and what they answered."""

import csv
import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aipolicy.cli.options import json_option, parse_time, print_json, print_rows, registry_option
from aipolicy.errors import PartnerError

if TYPE_CHECKING:
    from aipolicy.partners.removals import Removal, Removals

_STATES = ("requested", "acknowledged", "completed", "overdue", "withdrawn")


@click.group()
def removals() -> None:
    """Follow the removal requests to partners.

    An owner's opt-out opens one request for each partner that may hold the site's content. It asks to remove
    what was taken (past), and to leave the site out of training to come (future). An opt-in withdraws it.

    \b
    aipolicy removals list --state overdue
    aipolicy removals answer ID --obligation past --outcome removed --dataset-version v7
    """


@removals.command(name="list")
@click.option("--partner", metavar="NAME", help="Only requests to this partner.")
@click.option("--state", type=click.Choice(_STATES), help="Only requests in this state.")
@registry_option
@json_option
def list_removals(partner: str | None, state: str | None, registry: str, as_json: bool) -> None:
    """List removal requests, oldest first.

    \b
    aipolicy removals list --partner example --state overdue
    """
    with _opened(registry) as (opened, now):
        found = opened.find(partner_name=partner, state=state)
    if as_json:
        print_json([removal.to_dict(now) for removal in found])
    elif found:
        rows = (
            [each.id, each.partner, _subject(each), each.state(now), str(each.due.date())] for each in found
        )
        print_rows(rows, ("Request", "Partner", "Remove", "State", "Due"))
    else:
        click.echo("There is no such removal request.", err=True)


@removals.command()
@click.argument("removal_id", metavar="ID")
@registry_option
@json_option
def show(removal_id: str, registry: str, as_json: bool) -> None:
    """Show one removal request with all answers.

    \b
    aipolicy removals show 0f8fad5b-d9cb-469f-a165-70867728950e
    """
    with _opened(registry) as (opened, now):
        found = opened.get(removal_id)
    if as_json:
        print_json(found.to_dict(now))
        return
    click.echo(
        f"{found.partner} was asked on {found.opened.date()} to remove {_subject(found)}: {found.reason}."
    )
    click.echo(f"State: {found.state(now)}; due on {found.due.date()}.")
    for answer in found.answers:
        facts = (answer.reason, answer.dataset_version, answer.reference)
        stated = "; ".join(fact for fact in facts if fact)
        line = f"{answer.at.date()} {answer.by}, {answer.obligation}: {answer.outcome}"
        click.echo(f"{line} ({stated})" if stated else line)


@removals.command()
@click.argument("removal_id", metavar="ID")
@click.option(
    "--obligation", required=True, type=click.Choice(["past", "future"]), help="What the answer is about."
)
@click.option(
    "--outcome",
    required=True,
    type=click.Choice(["acknowledged", "removed", "excluded", "not_found", "exempt"]),
    help="What the partner did.",
)
@click.option("--reason", metavar="TEXT", help="Why the partner is exempt.")
@click.option("--dataset-version", metavar="TEXT", help="Version of the data set without the content.")
@click.option("--reference", metavar="TEXT", help="The partner's own reference.")
@click.option("--expected-completion", metavar="DAY", help="Day by which it will be done.")
@click.option("--by", default=getpass.getuser, show_default="you", metavar="NAME", help="Who records it.")
@registry_option
@json_option
def answer(
    removal_id: str,
    obligation: str,
    outcome: str,
    reason: str | None,
    dataset_version: str | None,
    reference: str | None,
    expected_completion: str | None,
    by: str,
    registry: str,
    as_json: bool,
) -> None:
    """Record a partner's answer. A later answer for the same obligation amends an earlier one.

    \b
    aipolicy removals answer ID --obligation past --outcome removed --dataset-version v7
    aipolicy removals answer ID --obligation future --outcome excluded
    """
    day = None if expected_completion is None else parse_time("--expected-completion", expected_completion)
    with _opened(registry) as (opened, now):
        found = opened.answer(
            removal_id,
            obligation=obligation,
            outcome=outcome,
            by=by,
            reason=reason,
            dataset_version=dataset_version,
            reference=reference,
            expected_completion=day and day.date(),
        )
    if as_json:
        print_json(found.to_dict(now))
    else:
        click.echo(f"{found.id}: {found.state(now)}", err=True)


@removals.command(name="open")
@click.option("--posts", required=True, metavar="FILE", help="CSV with the columns host and post_id.")
@click.option("--partner", required=True, metavar="NAME", help="The partner that is asked.")
@click.option("--reason", required=True, metavar="TEXT", help="Why: shared by mistake, premium since ...")
@registry_option
def open_removals(posts: str, partner: str, reason: str, registry: str) -> None:
    """Ask a partner to remove single posts, one request per site.

    \b
    aipolicy removals open --posts posts.csv --partner example --reason 'shared by mistake'
    """
    rows = list(_posts(posts))
    with _opened(registry) as (opened, _):
        count = opened.open_for_posts(partner, rows, reason=reason)
    click.echo(f"{count} request{'s' if count != 1 else ''} for {len(rows)} posts opened", err=True)


@contextmanager
def _opened(registry: str) -> "Iterator[tuple[Removals, datetime]]":
    # Imported where it is used: other commands need no database.
    from aipolicy.partners.ledger import Partners
    from aipolicy.partners.removals import Removals
    from aipolicy.registry import Registry

    with Registry(registry, create=False) as opened:
        partners = Partners(opened)
        yield Removals(partners), partners.clock()


def _subject(removal: "Removal") -> str:
    if removal.posts is not None:
        return f"{len(removal.posts)} posts of {removal.site}"
    return f"{removal.path} of {removal.site}" if removal.path else removal.site


def _posts(name: str) -> Iterator[tuple[str, str]]:
    try:
        with Path(name).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not {"host", "post_id"} <= set(reader.fieldnames or ()):
                raise PartnerError(
                    f"{name!r} lacks the columns host and post_id: name them in its first line"
                )
            for row in reader:
                if not row["host"] or not row["post_id"]:
                    raise PartnerError(f"{name!r} line {reader.line_num}: host or post_id is missing")
                yield row["host"], row["post_id"]
    except OSError as error:
        raise PartnerError(f"{name!r} can't be read ({error.strerror}): check the path") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise PartnerError(f"{name!r} can't be read ({error}): use CSV in UTF-8") from None
