"""``aipolicy check site``: what a live site tells crawlers."""

from typing import Any

import click

from aipolicy.cli.options import json_option, list_option, print_rows, product_tokens, signal_options
from aipolicy.core.policy import PRESETS
from aipolicy.errors import AIPolicyError


def _list_findings() -> None:
    from aipolicy.siteaudit.findings import ALL_KINDS

    rows = ((name, str(kind.severity), kind.about) for name, kind in ALL_KINDS.items())
    print_rows(rows, ("id", "severity", "about"))


@click.command()
@click.argument("urls", nargs=-1, metavar="URL...")
@click.option("--file", "file", metavar="FILE|-", help="More URLs, one a line.")
@click.option(
    "--registry",
    envvar="AIPOLICY_REGISTRY",
    show_envvar=True,
    metavar="URL",
    help="Compare with the policy that the registry has for the host, and with its earlier ones.",
)
@click.option("--expect", type=click.Choice(list(PRESETS)), help="Compare with this preset.")
@click.option(
    "--crawler",
    "crawlers",
    multiple=True,
    metavar="TOKEN",
    shell_complete=product_tokens,
    help="Tell about this crawler, and try its User-Agent (of three); else about all, and GPTBot's.",
)
@json_option
@click.option("--jsonl", "as_jsonl", is_flag=True, help="JSON Lines on stdout: a site as it is done.")
@click.option("--html", metavar="FILE", help="Write a report for people: one file, complete in itself.")
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "difference", "never"]),
    default="error",
    show_default=True,
    help="Exit code 1 if there is a finding as grave as this, or graver; or any difference from the policy.",
)
@click.option("--allow-private", is_flag=True, help="Connect to private and loopback addresses, too.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    metavar="N",
    help="Hosts at once; each gets one request at a time.",
)
@click.option(
    "--delay",
    type=click.FloatRange(0, 60),
    default=0.2,
    show_default=True,
    metavar="SECONDS",
    help="Between two requests to one host.",
)
@list_option("kind of finding", _list_findings)
@signal_options
@click.pass_context
def site(ctx: click.Context, /, **given: Any) -> None:
    """Look at a live site as crawlers do: what each is told, by which line, header or tag, and what is wrong.

    \b
    aipolicy check site https://blog.example
    aipolicy check site blog.example/post --expect no-training --crawler GPTBot --json
    aipolicy check site --file urls.txt --registry sqlite:///blogs.db --html report.html

    A URL is a page of the site; https where it doesn't say. That page, /robots.txt, /ai.txt and
    /.well-known/tdmrep.json are fetched, page and robots.txt also past caches, and as a browser and a crawler
    would. No link is followed, and robots.txt is not obeyed: this is an audit at your request. With
    --registry or --expect every signal is compared by its meaning; the switches say which ones are sent.

    Exit codes: 0 nothing grave and no difference, 1 findings, 2 bad input, or no site could be reached.
    """
    # Imported where it is used: other commands should not wait for it.
    from aipolicy.cli.check.site_run import run

    if given["as_json"] and given["as_jsonl"]:
        raise AIPolicyError("--json and --jsonl both write to stdout: give one of them")
    ctx.exit(run(**given))
