"""``aipolicy check``: who obeyed, and what a live site says."""

from typing import Any

import click

from aipolicy.cli.check.crawler import crawler
from aipolicy.cli.check.identity import identity
from aipolicy.cli.check.site import site
from aipolicy.cli.options import json_option, ranges_option
from aipolicy.errors import AIPolicyError, MissingExtraError


@click.group()
def check() -> None:
    """Check crawlers against what they were asked, and sites against what they should say."""


@check.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE|-...")
@click.option(
    "--robots", metavar="FILE|URL", help="The robots.txt that was in force all the time, of one site."
)
@click.option("--policies", metavar="FILE", help="Site policies and since when, as JSON Lines.")
@click.option(
    "--registry",
    envvar="AIPOLICY_REGISTRY",
    show_envvar=True,
    metavar="URL",
    help="The registry: each site's policy as of each request.",
)
@click.option(
    "--format",
    "form",
    metavar="NAME|STRING",
    help="The log's format: COMBINED, VCOMBINED, CADDY ..., or a format string; else it is recognised.",
)
@click.option(
    "--site", "sites", multiple=True, metavar="HOST", help="Whose log it is, or which sites to look at."
)
@click.option("--since", metavar="TIME", help="Only requests from then on (UTC unless it has a zone).")
@click.option("--until", metavar="TIME", help="Only requests before then.")
@click.option(
    "--grace",
    type=click.FloatRange(0),
    default=24.0,
    show_default=True,
    metavar="HOURS",
    help="How long a crawler may go by an older robots.txt; longer where its operator documents so.",
)
@click.option(
    "--forwarded",
    type=click.IntRange(0),
    is_flag=False,
    flag_value=1,
    default=0,
    metavar="[N]",
    help="Take the client's address from the forwarded column: its N-th from the right, 1 if not given.",
)
@ranges_option
@click.option("--dns", is_flag=True, help="Verify by forward-confirmed reverse DNS too: asks a DNS server.")
@click.option(
    "--by", type=click.Choice(["site", "path", "day", "crawler"]), help="Tell the figures for each of these."
)
@click.option(
    "--top",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    metavar="N",
    help="Rows that lists have at most; 0: all.",
)
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="CSV on stdout.")
@click.option("--html", metavar="FILE", help="Write a report for people: one file, complete in itself.")
@click.option(
    "--evidence", metavar="FILE", help="Write every disallowed fetch into a Parquet file, impostors' too."
)
@click.option("--mask-ip", is_flag=True, help="Cut client addresses to /24 and /48 in all that is written.")
@click.option(
    "--fail-on",
    type=click.Choice(["disallowed", "spoofed", "never"]),
    default="disallowed",
    show_default=True,
    help="What makes the exit code 1: disallowed fetches by all who aren't spoofed, or spoofed clients.",
)
@click.option(
    "--engine", type=click.Choice(["local", "spark"]), default="local", show_default=True, help="Who reads."
)
@click.option("--master", metavar="URL", help="The Spark master, like spark://host:7077 or local[4].")
@click.pass_context
def logs(ctx: click.Context, /, **given: Any) -> None:
    """Tell from access logs which crawlers fetched what they had been asked not to.

    \b
    aipolicy check logs access.log --robots robots.txt
    aipolicy check logs /var/log/nginx/*.gz --registry sqlite:///blogs.db --html report.html
    zcat access.log.gz | aipolicy check logs - --policies policies.jsonl --site a.example --json

    Each request is judged by the policy in force when it was made. One that is disallowed is *in grace* if a
    policy of the last 24 hours allowed it: crawlers keep a robots.txt for that long. A disallowed fetch
    by a client that only claims to be a crawler is counted apart. Logs may be plain, .gz and .zst.

    \b
    policies.jsonl, one version a line, any number a site:
    {"site": "a.example", "at": "2026-10-01T00:00:00Z", "preset": "no-training", "licensed": ["GPTBot"]}
    {"site": "b.example", "hosts": ["www.b.example"], "robots_txt": "User-agent: *\\nDisallow: /x\\n"}

    Exit codes: 0 no disallowed fetch, 1 some, 2 bad input.
    """
    # Imported where it is used: other commands should not wait for it.
    try:
        from aipolicy.cli.check.logs import run
    except ModuleNotFoundError as error:
        if error.name not in ("polars", "pyarrow", "isal"):
            raise
        raise MissingExtraError.for_extra(f"checking logs needs {error.name}", "check") from None

    if given["as_json"] and given["as_csv"]:
        raise AIPolicyError("--json and --csv both write to stdout: give one of them")
    if given["master"] and given["engine"] != "spark":
        raise AIPolicyError("--master is Spark's: add --engine spark")
    if given["dns"] and given["engine"] == "spark":
        raise AIPolicyError("--dns is for the local engine: Spark's workers would all ask")
    ctx.exit(run(**given))


check.add_command(identity)
check.add_command(crawler)
check.add_command(site)
