"""``aipolicy partners``: the AI partners that get content, and their tokens."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from aipolicy.cli.options import (
    json_option,
    parse_time,
    print_json,
    print_rows,
    product_tokens,
    registry_option,
)

if TYPE_CHECKING:
    from aipolicy.partners.ledger import Partner, Partners


@click.group()
def partners() -> None:
    """Keep the AI partners of the platform.

    \b
    aipolicy partners add example --crawler GPTBot --contact legal@partner.example \\
        --receives crawl --since 2026-01-01
    aipolicy partners list
    """


@partners.command()
@click.argument("name")
@click.option(
    "--crawler",
    "crawlers",
    multiple=True,
    required=True,
    metavar="TOKEN",
    shell_complete=product_tokens,
    help="Product token of one of its crawlers; repeatable.",
)
@click.option("--contact", required=True, metavar="ADDRESS", help="Address for removal requests.")
@click.option(
    "--receives",
    multiple=True,
    required=True,
    type=click.Choice(["exports", "feed", "crawl"]),
    help="How it gets content: data exports, by following the changes, or by crawling; repeatable.",
)
@click.option("--since", required=True, metavar="DAY", help="First day on which it could get content.")
@click.option(
    "--deadline-days",
    type=click.IntRange(1, 3650),
    default=30,
    show_default=True,
    help="Days to complete a removal request.",
)
@registry_option
@json_option
def add(name: str, since: str, registry: str, as_json: bool, **options: Any) -> None:
    """Add a partner, and print its bearer token once.

    Removal requests are opened for every site that opted out since the first day.

    \b
    aipolicy partners add example --crawler GPTBot --crawler OAI-SearchBot \\
        --contact legal@partner.example --receives crawl --since 2026-01-01
    """
    day = parse_time("--since", since).date()
    with _opened(registry, create=True) as opened:
        added, token = opened.add(name, since=day, **options)
    if as_json:
        print_json(added.to_dict() | {"token": token})
    else:
        click.echo(f"{added.name} was added. Its token, which is shown only now:", err=True)
        click.echo(token)


@partners.command(name="list")
@click.option("--removed", is_flag=True, help="Show removed partners too.")
@registry_option
@json_option
def list_partners(removed: bool, registry: str, as_json: bool) -> None:
    """List the partners.

    \b
    aipolicy partners list --removed
    """
    with _opened(registry) as opened:
        found = opened.all(removed=removed)
    if as_json:
        print_json([partner.to_dict() for partner in found])
    elif found:
        rows = ([p.name, ", ".join(p.crawlers), ", ".join(p.receives), str(p.since)] for p in found)
        print_rows(rows, ("Partner", "Crawlers", "Receives", "Since"))
    else:
        click.echo("There is no partner; add one with `aipolicy partners add`.", err=True)


@partners.command()
@click.argument("name")
@registry_option
@json_option
def show(name: str, registry: str, as_json: bool) -> None:
    """Show one partner and its removal requests.

    \b
    aipolicy partners show example
    """
    from aipolicy.partners.removals import STATES, Removals

    with _opened(registry) as opened:
        found = opened.get(name)
        now = opened.clock()
        counts = dict.fromkeys(STATES, 0)
        for removal in Removals(opened).find(partner_name=name):
            counts[removal.state(now)] += 1
    if as_json:
        print_json(found.to_dict() | {"removals": counts})
        return
    for label, value in _facts(found):
        click.echo(f"{label:<12} {value}")
    requests = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    click.echo(f"{'Removals':<12} {requests or 'none'}")


@partners.command(name="rotate-token")
@click.argument("name")
@registry_option
@json_option
def rotate_token(name: str, registry: str, as_json: bool) -> None:
    """Print a new token of a partner; the old one is no longer valid.

    \b
    aipolicy partners rotate-token example
    """
    with _opened(registry) as opened:
        token = opened.rotate_token(name)
    if as_json:
        print_json({"partner": name, "token": token})
    else:
        click.echo(token)


@partners.command()
@click.argument("name")
@registry_option
def remove(name: str, registry: str) -> None:
    """End a partner's access; its history and its removal requests stay.

    \b
    aipolicy partners remove example
    """
    with _opened(registry) as opened:
        opened.remove(name)
    click.echo(f"{name} was removed; its removal requests stay open until they are answered.", err=True)


@contextmanager
def _opened(registry: str, *, create: bool = False) -> "Iterator[Partners]":
    # Imported where it is used: other commands need no database.
    from aipolicy.partners.ledger import Partners
    from aipolicy.registry import Registry

    with Registry(registry, create=create) as opened:
        yield Partners(opened)


def _facts(partner: "Partner") -> Iterator[tuple[str, str]]:
    yield "Partner", partner.name
    yield "Crawlers", ", ".join(partner.crawlers)
    yield "Contact", partner.contact
    yield "Receives", f"{', '.join(partner.receives)}, since {partner.since}"
    yield "Deadline", f"{partner.deadline_days} days for a removal request"
    if partner.removed:
        yield "Removed", str(partner.removed.date())
