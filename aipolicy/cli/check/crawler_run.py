"""What ``aipolicy check crawler`` does: from the options to the table."""

import asyncio
import secrets
import signal
import string
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from aipolicy.cli.options import print_fitted, print_json
from aipolicy.cli.progress import progress
from aipolicy.conformance import (
    Clause,
    ClauseVerdict,
    ConformanceRun,
    RandomRun,
    clauses_named,
    run_clauses,
    run_random_sites,
)
from aipolicy.conformance.process import ScratchFolders, check_command, fill_command
from aipolicy.conformance.process import run as run_process
from aipolicy.conformance.recording import CrawlExit
from aipolicy.conformance.report import advice, details, document, exit_lines, listing, random_table, table
from aipolicy.errors import AIPolicyError

_Given = Mapping[str, Any]
_SEEDS = 2**32
_WIDTH = 140  # columns in a pipe
_SIGNALLED = 128  # plus the number of the signal: the exit code
_COMMON = string.ascii_letters + string.digits + "_.-"


def run(**given: Any) -> int:
    """Try the crawler out, tell what came of it, and return the exit code."""
    command = check_command(given["command"])
    clauses = _clauses(given)
    token = _token(given["token"])
    sites = given["sites"] or 0
    came: list[int] = []
    try:
        with progress("trying it out", len(clauses) + 1 + sites, step=1) as advance:
            trial, random = asyncio.run(_trial(command, clauses, token, given, lambda: advance(1), came))
    except (asyncio.CancelledError, OSError):  # OSError: the terminal that the bar was on is gone
        if not came:
            raise
        return _SIGNALLED + came[0]
    if given["as_json"]:
        print_json(document(trial, command, random))
    else:
        print_fitted(table(trial), in_a_pipe=_WIDTH)
        if random:
            print_fitted(random_table(random, trial.token), in_a_pipe=_WIDTH)
    _tell_more(trial, given["verbose"])
    return _exit_code(trial, random, given)


def _clauses(given: _Given) -> tuple[Clause, ...]:
    if given["no_clauses"] and not given["sites"]:
        raise AIPolicyError("--no-clauses leaves nothing to test: add --random 40")
    if given["no_clauses"] and given["only"]:
        raise AIPolicyError("--no-clauses and --only exclude each other: leave one out")
    if given["seed"] is not None and not given["sites"]:
        raise AIPolicyError("--seed makes sites at random: add --random 40")
    return clauses_named(["own-name"] if given["no_clauses"] else given["only"])


def print_clauses() -> None:
    print_fitted(listing(clauses_named(())), in_a_pipe=_WIDTH)


async def _trial(
    command: Sequence[str],
    clauses: Sequence[Clause],
    token: str,
    given: _Given,
    tell: Callable[[], None],
    came: list[int],
) -> tuple[ConformanceRun, RandomRun | None]:
    _end_when_asked(came)
    with tempfile.TemporaryDirectory(prefix="aipolicy-crawler-", ignore_cleanup_errors=True) as parent:
        scratch = ScratchFolders(Path(parent))

        async def crawl(url: str) -> CrawlExit:
            return await run_process(fill_command(command, url, scratch.folder()), given["seconds"])

        jobs = given["jobs"]
        trial = await run_clauses(
            crawl, clauses, token=token, claims=given["claims"], jobs=jobs, on_result=lambda _result: tell()
        )
        if not given["sites"] or not trial.fetched:
            return trial, None
        seed = secrets.randbelow(_SEEDS) if given["seed"] is None else given["seed"]
        random = await run_random_sites(
            crawl, given["sites"], seed, token=trial.token, jobs=jobs, on_site=tell
        )
        return trial, random


def _end_when_asked(came: list[int]) -> None:
    """Asked to end, end what runs first; ``came`` keeps the signal. Who ignores SIGHUP (nohup) goes on."""
    task = asyncio.current_task()

    def end(number: int) -> None:
        if task and not came:  # a closed terminal may send it twice, and what runs is ended once
            task.cancel()
        came.append(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if number is signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, end, number)


def _token(text: str | None) -> str:
    token = (text or "").strip()
    if text is not None and (not token or token.strip(_COMMON)):
        raise AIPolicyError(f"--token {text!r} is not a product token; use one like GPTBot")
    return token


def _tell_more(trial: ConformanceRun, verbose: bool) -> None:
    """What happened, where it may explain a verdict."""
    if not trial.fetched:
        recording = trial.results[0].recording
        click.echo(
            "\n".join([*exit_lines(recording.ending), *advice(recording.ending)]) if recording else "",
            err=True,
        )
    for result in trial.results if verbose and trial.fetched else ():
        if result.finding.verdict is not ClauseVerdict.OBEYS:
            click.echo("\n" + "\n".join(details(result)), err=True)


def _exit_code(trial: ConformanceRun, random: RandomRun | None, given: _Given) -> int:
    if given["fail_on"] == "never":
        return 0
    failing = [ClauseVerdict.DISOBEYS]
    failing += [ClauseVerdict.DEPARTS] * given["strict"]
    failing += [ClauseVerdict.OVER_CAUTIOUS] * (given["fail_on"] == "over-cautious")
    shown = bool(random.tested) if random and given["no_clauses"] else trial.conclusive
    if not shown or (random and not random.tested):
        return 1
    counts = random.disagreeing if random else {}
    return 1 if any(trial.counts[verdict] or counts.get(verdict) for verdict in failing) else 0
