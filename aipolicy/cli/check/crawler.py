"""``aipolicy check crawler``: the clauses of RFC 9309 that a crawler obeys."""

import signal
import string
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aipolicy.cli.options import json_option, list_option, print_fitted, print_json
from aipolicy.cli.progress import progress
from aipolicy.errors import AIPolicyError

# asyncio and aipolicy.conformance are imported where they are used: other commands must not wait for them.
if TYPE_CHECKING:
    from aipolicy.conformance import Clause, ConformanceRun, RandomRun
    from aipolicy.conformance.recording import CrawlExit

_Options = Mapping[str, Any]
_SEEDS = 2**32
_WIDTH = 140  # columns in a pipe
_SIGNALLED = 128  # plus the number of the signal: the exit code
_TOKEN_CHARACTERS = string.ascii_letters + string.digits + "_.-"


def _list_clauses() -> None:
    from aipolicy.conformance import clauses_named
    from aipolicy.conformance.report import listing

    print_fitted(listing(clauses_named(())), pipe_width=_WIDTH)


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND... {url} ...")
@click.option(
    "--token", metavar="NAME", help="Product token of the crawler; by default learned from its User-Agent."
)
@click.option("--only", multiple=True, metavar="CLAUSE", help="Test only this clause; may be repeated.")
@click.option(
    "--claims",
    multiple=True,
    type=click.Choice(["bom", "cache", "nofollow"]),
    help="Also test a claim that RFC 9309 does not require.",
)
@click.option(
    "--random",
    "sites",
    type=click.IntRange(1, 100_000),
    metavar="N",
    help="Also test the crawler on N random sites.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    metavar="S",
    help="Seed of the random sites; by default a new one each time.",
)
@click.option("--no-clauses", is_flag=True, help="Test only the random sites, after learning the token.")
@click.option("--strict", is_flag=True, help="Treat a SHOULD, and what is only implied, like a MUST.")
@click.option(
    "--seconds",
    type=click.FloatRange(1),
    default=30.0,
    show_default=True,
    metavar="N",
    help="Maximum duration of one crawl in seconds.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    metavar="N",
    help="Number of crawls at a time.",
)
@click.option("--verbose", is_flag=True, help="Explain on stderr each verdict other than *obeys*.")
@click.option(
    "--fail-on",
    type=click.Choice(["disobeys", "over-cautious", "never"]),
    default="disobeys",
    show_default=True,
    help="Exit with code 1 for this verdict.",
)
@list_option("clause", _list_clauses)
@json_option
@click.pass_context
def crawler(ctx: click.Context, /, **options: Any) -> None:
    """Test which clauses of RFC 9309 a crawler obeys.

    \b
    aipolicy check crawler -- wget -q -r -H -P {dir} {url}
    aipolicy check crawler --only size --only query -- scrapy runspider spider.py -a url={url}
    aipolicy check crawler --no-clauses --random 40 -- wget -q -r -P {dir} {url}
    aipolicy check crawler --token MyBot --json -- ./mybot --seed {url}

    The command is run once for each clause, against a site of its own on this machine, where a crawler that
    obeys fetches some pages and leaves others. {url} is the page to begin with, {dir} an empty folder to
    write in. The crawler should follow links, also to another port, and wait little between requests.

    A clause is *not tested* if the crawler did not fetch the pages that the test needs. One more run comes
    first: it checks that the crawler fetches pages at all and, without --token, learns its product token.

    A crawler *disobeys* if it breaks a MUST, and *departs* from a SHOULD or from what is only implied. A
    crawl that is ended after --seconds never counts as *obeys*.

    --random tests sites that nobody can prepare for: a random robots.txt made from RFC 9309's grammar, with
    links of which some are disallowed. An error is shown with the smallest robots.txt that causes it.

    Exit codes: 0 no MUST broken (with --strict: nothing) in what was tested, 1 a broken one, or the crawler
    fetched nothing or followed no link where that is needed, 2 invalid input.
    """
    ctx.exit(_run(options))


def _run(options: _Options) -> int:
    """Run the tests, print the results, and return the exit code."""
    import asyncio

    from aipolicy.conformance.process import check_command
    from aipolicy.conformance.report import document, random_table, table

    command = check_command(options["command"])
    clauses = _clauses(options)
    token = _token(options["token"])
    sites = options["sites"] or 0
    signals: list[int] = []
    try:
        with progress("testing", len(clauses) + 1 + sites, step=1) as advance:
            run, random = asyncio.run(_test(command, clauses, token, options, lambda: advance(1), signals))
    except (asyncio.CancelledError, OSError):  # OSError: the progress bar's terminal is gone
        if not signals:
            raise
        return _SIGNALLED + signals[0]
    if options["as_json"]:
        print_json(document(run, command, random))
    else:
        print_fitted(table(run), pipe_width=_WIDTH)
        if random:
            print_fitted(random_table(random, run.token), pipe_width=_WIDTH)
    _print_details(run, options["verbose"])
    return _exit_code(run, random, options)


def _clauses(options: _Options) -> "tuple[Clause, ...]":
    from aipolicy.conformance import clauses_named

    if options["no_clauses"] and not options["sites"]:
        raise AIPolicyError("--no-clauses leaves nothing to test; add --random 40")
    if options["no_clauses"] and options["only"]:
        raise AIPolicyError("--no-clauses and --only exclude each other; use one of them")
    if options["seed"] is not None and not options["sites"]:
        raise AIPolicyError("--seed is for random sites; add --random 40")
    return clauses_named(["own-name"] if options["no_clauses"] else options["only"])


async def _test(
    command: Sequence[str],
    clauses: "Sequence[Clause]",
    token: str,
    options: _Options,
    advance: Callable[[], None],
    signals: list[int],
) -> "tuple[ConformanceRun, RandomRun | None]":
    import secrets
    import tempfile

    from aipolicy.conformance import run_clauses, run_random_sites
    from aipolicy.conformance.process import ScratchFolders, fill_command
    from aipolicy.conformance.process import run as run_process

    _stop_on_signal(signals)
    with tempfile.TemporaryDirectory(prefix="aipolicy-crawler-", ignore_cleanup_errors=True) as parent:
        scratch = ScratchFolders(Path(parent))

        async def crawl(url: str) -> "CrawlExit":
            return await run_process(fill_command(command, url, scratch.folder()), options["seconds"])

        jobs = options["jobs"]
        run = await run_clauses(
            crawl,
            clauses,
            token=token,
            claims=options["claims"],
            jobs=jobs,
            on_result=lambda _result: advance(),
        )
        if not options["sites"] or not run.fetched:
            return run, None
        seed = secrets.randbelow(_SEEDS) if options["seed"] is None else options["seed"]
        random = await run_random_sites(
            crawl, options["sites"], seed, token=run.token, jobs=jobs, on_site=advance
        )
        return run, random


def _stop_on_signal(signals: list[int]) -> None:
    """Cancel the tests on SIGTERM and SIGHUP, and record the signal; an ignored SIGHUP (nohup) stays so."""
    import asyncio

    task = asyncio.current_task()

    def stop(number: int) -> None:
        if task and not signals:  # a closed terminal may send it twice
            task.cancel()
        signals.append(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if number is signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, stop, number)


def _token(text: str | None) -> str:
    token = (text or "").strip()
    if text is not None and (not token or token.strip(_TOKEN_CHARACTERS)):
        raise AIPolicyError(f"--token {text!r} is not a product token; use one like GPTBot")
    return token


def _print_details(run: "ConformanceRun", verbose: bool) -> None:
    """Print what may explain the verdicts."""
    from aipolicy.conformance import ClauseVerdict
    from aipolicy.conformance.report import advice, details, exit_lines

    if not run.fetched:
        recording = run.results[0].recording
        lines = [*exit_lines(recording.ending), *advice(recording.ending)] if recording else []
        click.echo("\n".join(lines), err=True)
    for result in run.results if verbose and run.fetched else ():
        if result.finding.verdict is not ClauseVerdict.OBEYS:
            click.echo("\n" + "\n".join(details(result)), err=True)


def _exit_code(run: "ConformanceRun", random: "RandomRun | None", options: _Options) -> int:
    from aipolicy.conformance import ClauseVerdict

    if options["fail_on"] == "never":
        return 0
    failing = [ClauseVerdict.DISOBEYS]
    failing += [ClauseVerdict.DEPARTS] * options["strict"]
    failing += [ClauseVerdict.OVER_CAUTIOUS] * (options["fail_on"] == "over-cautious")
    conclusive = bool(random.tested) if random and options["no_clauses"] else run.conclusive
    if not conclusive or (random and not random.tested):
        return 1
    counts = random.disagreeing if random else {}
    return 1 if any(run.counts[verdict] or counts.get(verdict) for verdict in failing) else 0
