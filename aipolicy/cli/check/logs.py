"""``aipolicy check logs``: crawlers that fetched what their policy disallowed, from access logs."""

import csv
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aipolicy.cli.options import json_option, parse_time, print_json, ranges_option
from aipolicy.cli.outputs import output_file, require_writable
from aipolicy.cli.progress import log_progress
from aipolicy.errors import AIPolicyError, LogError, MissingExtraError, PolicyError
from aipolicy.times import iso, to_microseconds
from aipolicy.version import __version__

# Everything else is imported where it is used: other commands must not wait for Polars.
if TYPE_CHECKING:
    import polars as pl

    from aipolicy.accesslog.evaluate import Terms
    from aipolicy.accesslog.fetch_table import FetchStore, ReadFile
    from aipolicy.accesslog.formats import LogFormat
    from aipolicy.accesslog.policies import Policies
    from aipolicy.accesslog.summary import Context
    from aipolicy.identity import IdentityChecker

_Options = Mapping[str, Any]


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE|-...")
@click.option("--robots", metavar="FILE|URL", help="One robots.txt that was in force all the time.")
@click.option("--policies", metavar="FILE", help="Site policies with their dates, as JSON Lines.")
@click.option(
    "--registry",
    envvar="AIPOLICY_REGISTRY",
    show_envvar=True,
    metavar="URL",
    help="Registry with each site's policy at the time of each request.",
)
@click.option(
    "--format",
    "log_format",
    metavar="NAME|STRING",
    help="Log format: COMBINED, VCOMBINED, CADDY ..., or a format string; detected by default.",
)
@click.option(
    "--site",
    "sites",
    multiple=True,
    metavar="HOST",
    help="Site that the log belongs to, or sites to check in it.",
)
@click.option("--since", metavar="TIME", help="Check only requests from this time on (UTC by default).")
@click.option("--until", metavar="TIME", help="Check only requests before this time.")
@click.option(
    "--grace",
    type=click.FloatRange(0),
    default=24.0,
    show_default=True,
    metavar="HOURS",
    help="Hours for which a crawler may use an older robots.txt; longer if its operator documents so.",
)
@click.option(
    "--forwarded",
    type=click.IntRange(0),
    is_flag=False,
    flag_value=1,
    default=0,
    metavar="[N]",
    help="Read the client's address from the forwarded column: entry N from the right, by default 1.",
)
@ranges_option
@click.option("--dns", is_flag=True, help="Also verify clients by forward-confirmed reverse DNS.")
@click.option("--by", type=click.Choice(["site", "path", "day", "crawler"]), help="Add counts by this key.")
@click.option(
    "--top",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    metavar="N",
    help="Maximum rows per list; 0 for no limit.",
)
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--html", metavar="FILE", help="Write an HTML report to one self-contained file.")
@click.option(
    "--evidence",
    metavar="FILE",
    help="Write all disallowed fetches, including those by impostors, to a Parquet file.",
)
@click.option("--mask-ip", is_flag=True, help="Cut client addresses to /24 and /48 in all outputs.")
@click.option(
    "--fail-on",
    type=click.Choice(["disallowed", "spoofed", "never"]),
    default="disallowed",
    show_default=True,
    help="Exit with code 1 for disallowed fetches (not by impostors), or for spoofed clients.",
)
@click.option(
    "--engine",
    type=click.Choice(["local", "spark"]),
    default="local",
    show_default=True,
    help="Engine that runs the check.",
)
@click.option("--master", metavar="URL", help="Spark master, like spark://host:7077 or local[4].")
@click.pass_context
def logs(ctx: click.Context, /, **options: Any) -> None:
    """Find crawlers that fetched what their policy disallowed, in access logs.

    \b
    aipolicy check logs access.log --robots robots.txt
    aipolicy check logs /var/log/nginx/*.gz --registry sqlite:///blogs.db --html report.html
    zcat access.log.gz | aipolicy check logs - --policies policies.jsonl --site a.example --json

    Each request is judged by the policy that was in force at its time. A disallowed request is in the *grace
    period* if a policy of the last 24 hours allowed it: crawlers keep a robots.txt for that long. Disallowed
    fetches by clients that only claim to be a crawler are counted separately. Logs may be plain, .gz
    or .zst.

    \b
    policies.jsonl has one version per line, any number per site:
    {"site": "a.example", "at": "2026-10-01T00:00:00Z", "preset": "no-training", "licensed": ["GPTBot"]}
    {"site": "b.example", "hosts": ["www.b.example"], "robots_txt": "User-agent: *\\nDisallow: /x\\n"}

    Exit codes: 0 no disallowed fetch, 1 disallowed fetches, 2 invalid input.
    """
    if options["as_json"] and options["as_csv"]:
        raise AIPolicyError("--json and --csv both write to stdout; use one of them")
    if options["master"] and options["engine"] != "spark":
        raise AIPolicyError("--master needs --engine spark")
    if options["dns"] and options["engine"] == "spark":
        raise AIPolicyError("--dns needs --engine local: with Spark, every worker would query DNS")
    try:
        import isal  # noqa: F401
        import polars  # noqa: F401
        import pyarrow  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_extra(f"checking logs needs {error.name}", "check") from None
    ctx.exit(_run(options))


def _run(options: _Options) -> int:
    from aipolicy.accesslog.fetch_table import FetchStore
    from aipolicy.accesslog.formats import parse_format
    from aipolicy.accesslog.log_files import expand_patterns, without_duplicates
    from aipolicy.accesslog.summary import summarise, unify_spelling, write_evidence

    files, duplicates = without_duplicates(expand_patterns(options["files"]))
    log_format = parse_format(options["log_format"]) if options["log_format"] else None
    terms, ranges_file = _terms(options)
    for out in filter(None, (options["html"], options["evidence"])):
        require_writable(out)
    with FetchStore() as store:
        read, parts = _read(files, log_format, terms, store, options)
        parts = unify_spelling(parts)
        document = summarise(parts, _context(options, terms, read, duplicates, ranges_file))
        _require_readable(document)
        if options["evidence"]:
            with output_file(options["evidence"]) as path:
                write_evidence(parts, path)
    _report(document, options)
    total = document["total"]
    failing = {"disallowed": total["disallowed"], "spoofed": total["identity"]["spoofed"], "never": 0}
    return 1 if failing[options["fail_on"]] else 0


def _terms(options: _Options) -> tuple["Terms", Path | None]:
    """Return the terms of the check, and the file that the published addresses are from."""
    from aipolicy.accesslog.evaluate import Terms
    from aipolicy.core.hosts import site_name
    from aipolicy.identity import IdentityChecker, Resolver, ranges_in_force

    ranges, ranges_file = ranges_in_force(options["ranges"])
    sites = tuple(dict.fromkeys(map(site_name, options["sites"])))
    terms = Terms(
        _policies(options, sites),
        IdentityChecker(ranges, Resolver() if options["dns"] else None),
        sites=sites,
        since=_time("--since", options["since"]),
        until=_time("--until", options["until"]),
        forwarded=options["forwarded"],
        grace_hours=options["grace"],
        mask=options["mask_ip"],
    )
    return terms, ranges_file


def _time(option: str, text: str | None) -> int | None:
    return None if text is None else to_microseconds(parse_time(option, text))


def _policies(options: _Options, sites: Sequence[str]) -> "Policies":
    from aipolicy.accesslog.policies import policies_from_jsonl, policies_from_robots
    from aipolicy.cli.robots_source import read_source

    origin = click.get_current_context().get_parameter_source("registry")
    sources = [name for name in ("robots", "policies", "registry") if options[name]]
    if origin is click.core.ParameterSource.ENVIRONMENT and len(sources) > 1:
        sources.remove("registry")
    if len(sources) != 1:
        all_options = "--robots FILE, --policies FILE.jsonl or --registry URL"
        several = " and ".join(f"--{name}" for name in sources)
        problem = f"{several} exclude each other" if sources else "the policies are missing"
        raise AIPolicyError(f"{problem}; give one of {all_options}")
    (source,) = sources
    if options[source] == "-" and "-" in options["files"]:
        raise AIPolicyError(f"the log and --{source} are both -, but standard input can be read only once")
    if source == "robots":
        return policies_from_robots(read_source(options["robots"]), sites, source=options["robots"])
    if source == "registry":
        from aipolicy.accesslog.policies.from_registry import RegistryPolicies

        return RegistryPolicies(options["registry"])
    try:
        return policies_from_jsonl(_lines(options["policies"]), source=options["policies"])
    except PolicyError as error:
        raise PolicyError(f"{options['policies']!r}: {error}") from None


def _lines(name: str) -> list[str]:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return data.decode("utf-8-sig", "surrogateescape").split("\n")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AIPolicyError(f"--policies {name!r} can't be read ({reason}); give a JSON Lines file") from None


def _read(
    files: Sequence[str],
    log_format: "LogFormat | None",
    terms: "Terms",
    store: "FetchStore",
    options: _Options,
) -> tuple[list["ReadFile"], list["pl.LazyFrame"]]:
    local = options["engine"] == "local"
    with log_progress(_total_size(files) if local else None) as advance:
        if local:
            from aipolicy.accesslog.evaluate import Evaluator
            from aipolicy.accesslog.local import read_logs

            read = read_logs(files, Evaluator(terms), store, log_format=log_format, advance=advance)
            return read, store.parts()
        from aipolicy.accesslog.spark import read_with_spark

        return read_with_spark(
            files, terms, store, log_format=log_format, advance=advance, master=options["master"]
        )


def _total_size(files: Sequence[str]) -> int | None:
    try:
        return None if "-" in files else sum(Path(name).stat().st_size for name in files)
    except (OSError, ValueError):  # opening the file reports the error
        return None


def _context(
    options: _Options,
    terms: "Terms",
    read: Sequence["ReadFile"],
    duplicates: Sequence[str],
    ranges_file: Path | None,
) -> "Context":
    from aipolicy.accesslog.summary import Context
    from aipolicy.core.crawlers import crawler_table

    method = {
        "policies": terms.policies.source,
        "grace_hours": terms.grace_hours,
        "crawler_table": crawler_table().compiled.isoformat(),
        "crawlers_file": crawler_table().file,
        "ranges": _ranges(terms.identities, ranges_file),
        "dns": options["dns"],
        "forwarded": terms.forwarded,
        "since": iso(terms.since),
        "until": iso(terms.until),
        "only_sites": list(terms.sites),
        "addresses_masked": terms.mask,
    }
    return Context(
        __version__,
        iso(datetime.now(UTC), "seconds"),
        read,
        method,
        key=options["by"],
        top=options["top"] or None,
        one_robots=bool(options["robots"] and not terms.sites),
        rendered=terms.policies.rendered,
        duplicates=duplicates,
    )


def _ranges(identities: "IdentityChecker", file: Path | None) -> dict[str, Any]:
    days = {"oldest": identities.oldest.isoformat(), "newest": identities.newest.isoformat()}
    return {"lists": len(identities.lists)} | days | {"file": None if file is None else str(file)}


def _report(document: dict[str, Any], options: _Options) -> None:
    from aipolicy.accesslog.report import csv_rows, html, table

    if options["html"]:
        with output_file(options["html"]) as path:
            path.write_text(html(document), encoding="utf-8")
    if options["as_json"]:
        print_json(document)
        return
    if options["as_csv"]:
        csv.writer(sys.stdout, lineterminator="\r\n").writerows(csv_rows(document))
    else:
        from rich.console import Console

        width = None if sys.stdout.isatty() else 200
        Console(width=width, soft_wrap=False).print(table(document))
    for note in document["notes"]:
        click.echo(note, err=True)


def _require_readable(document: Mapping[str, Any]) -> None:
    """Raise LogError if no line that names a crawler could be read: then there is no verdict."""
    lines = document["lines"]
    unread = lines["unreadable"]
    if unread and not (lines["crawler"] or lines["left_out"]) and 2 * unread >= lines["read"]:
        first = document["unreadable"][0]
        raise LogError(
            f"none of the lines that name a crawler can be read ({unread} of {lines['read']} lines); the "
            f"first is line {first['line']} of {first['file']!r}; give --format the format string of the "
            "server's configuration"
        )
