"""``aipolicy check crawler``: which clauses of RFC 9309 does a crawler obey?"""

from types import ModuleType
from typing import Any

import click

from aipolicy.cli.options import json_option, list_option


def _list_clauses() -> None:
    _parts().print_clauses()


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND... {url} ...")
@click.option("--token", metavar="NAME", help="Its product token; else it is learned from its User-Agent.")
@click.option("--only", multiple=True, metavar="CLAUSE", help="Test this clause alone; may be repeated.")
@click.option(
    "--claims",
    multiple=True,
    type=click.Choice(["bom", "cache", "nofollow"]),
    help="Hold it to this, too: RFC 9309 doesn't ask for it.",
)
@click.option(
    "--random",
    "sites",
    type=click.IntRange(1, 100_000),
    metavar="N",
    help="Try it on N sites made at random, too.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    metavar="S",
    help="Make these sites again; else the seed is another each time.",
)
@click.option("--no-clauses", is_flag=True, help="Only learn its name, and try the sites made at random.")
@click.option("--strict", is_flag=True, help="A SHOULD counts like a MUST, and so does what is implied.")
@click.option(
    "--seconds",
    type=click.FloatRange(1),
    default=30.0,
    show_default=True,
    metavar="N",
    help="How long one crawl may last, before it is ended.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    metavar="N",
    help="Crawls at a time.",
)
@click.option("--verbose", is_flag=True, help="Show on stderr what led to a verdict that is no *obeys*.")
@click.option(
    "--fail-on",
    type=click.Choice(["disobeys", "over-cautious", "never"]),
    default="disobeys",
    show_default=True,
    help="What makes the exit code 1.",
)
@list_option("clause", _list_clauses)
@json_option
@click.pass_context
def crawler(ctx: click.Context, /, **given: Any) -> None:
    """Let a crawler loose on a trap, and tell which clauses of RFC 9309 it obeys.

    \b
    aipolicy check crawler -- wget -q -r -H -P {dir} {url}
    aipolicy check crawler --only size --only query -- scrapy runspider spider.py -a url={url}
    aipolicy check crawler --no-clauses --random 40 -- wget -q -r -P {dir} {url}
    aipolicy check crawler --token MyBot --json -- ./mybot --seed {url}

    The command is run once for each clause, against a site of its own on this machine, where a crawler that
    obeys fetches some pages and leaves others. {url} is the page to begin with, {dir} an empty folder to
    write in. It should follow links, also to another port, and wait little between requests.

    A clause is *not tested* where it never came near what would tell. It runs once more, first: to see that
    it fetches pages at all, and without --token to learn which name it answers to.

    It disobeys where it breaks a MUST, and departs from a SHOULD or from what is only implied. A crawl that
    is ended after --seconds is never said to obey.

    --random tries sites that nobody can learn: a robots.txt made at random from RFC 9309's grammar, with
    links of which some are forbidden. What it gets wrong is shown in the smallest robots.txt found.

    Exit codes: 0 it broke no MUST (with --strict: nothing) in what was tested, 1 it did, or it fetched
    nothing or followed no link where that is needed, 2 bad input.
    """
    ctx.exit(_parts().run(**given))


def _parts() -> ModuleType:
    # Imported where it is used: other commands should not wait for it.
    from aipolicy.cli.check import crawler_run

    return crawler_run
