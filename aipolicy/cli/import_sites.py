"""``aipolicy import``: a file of sites into the registry."""

import getpass
import json
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from aipolicy.cli.options import json_option, printable, registry_option
from aipolicy.cli.progress import row_progress
from aipolicy.errors import AIPolicyError, RegistryURLError

if TYPE_CHECKING:
    from aipolicy.bulk.importer import Import, InputStream, Progress
    from aipolicy.bulk.staging import StagedRows
    from aipolicy.registry import Registry

Made = tuple[int, int, int]
"""Sites that are new, changed and unchanged."""

_IN_FULL = 20  # bad rows told one by one
_AT_ONCE = 1000  # rows read between two looks at the progress
_MANY = 10_000  # rows, from which on the speed is told
_BY_SUFFIX = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".sql": "wordpress"}


@click.command(name="import")
@click.argument("file", type=click.File("rb"), metavar="FILE|-")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl", "wordpress"]),
    help="What the file is; else its name says it: .csv, .jsonl, .ndjson, .sql (wordpress).",
)
@click.option("--skip-bad", is_flag=True, help="Store the good rows although there are bad ones.")
@click.option("--restart", is_flag=True, help="Import all rows, even if an interrupted run can be resumed.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and store nothing.")
@click.option(
    "--by", default=getpass.getuser, show_default="you", metavar="NAME", help="Who, for the history."
)
@registry_option
@json_option
def import_sites(
    file: BinaryIO,
    form: str | None,
    skip_bad: bool,
    restart: bool,
    dry_run: bool,
    by: str,
    registry: str,
    as_json: bool,
) -> None:
    """Set the policies of many sites from a file.

    \b
    aipolicy import blogs.csv --by nightly
    aipolicy import dump.sql --skip-bad --dry-run
    export-flags | aipolicy import - --format csv

    \b
    csv        a header line with host, and opted_out (1 or 0) or preset; and if you like
               visibility, scope, licensed, sitemaps, hosts (the last three separated by spaces)
    jsonl      an object a line: {"host": "blog.example", "opted_out": true}, or what
               'aipolicy show --json' writes
    wordpress  a mysqldump of a network with wp_blogs and its options tables, or a CSV
               export of wp_blogs: blog_public 0 is discouraged, -1 private,
               wpcom_data_sharing_opt_out no-training

    A row is all that its site declares: what it leaves out is reset, but for the hosts, which stay where
    none are given. A site that says the same already is not changed, and sites that the file doesn't
    mention stay. Cells may be separated by commas, semicolons or tabs, and a host may be written as a URL.

    Of two rows of one site, --skip-bad stores one that has every no of both; of two sites with one host,
    neither.

    The whole file is read and checked first: with a bad row nothing is stored. The rows are then stored by
    site name, ten thousand at a time, and other writers get their turn in between. If that is interrupted,
    the same command resumes: rows that are stored are not stored again, so that later changes of their sites
    stay. A file that has changed since is imported from its beginning, and so is a pipe.

    Exit codes: 0 every row is stored, 1 some were skipped (--skip-bad), 2 bad input.
    """
    from aipolicy.bulk.importer import PIPE, Import, InputStream
    from aipolicy.bulk.staging import StagedRows
    from aipolicy.registry.bulk_load import BulkLoader

    form = form or _form_of(file)
    began = time.monotonic()
    with StagedRows() as spool:
        source = InputStream(file)
        _read(source, form, spool)
        made, before = (0, 0, 0), 0
        try:
            _refuse_bad(spool, skip_bad=skip_bad)
            with _opened(registry, dry_run=dry_run) as opened:
                path = _path_of(file)
                loader = BulkLoader(opened, path or PIPE, by=by)
                digest = f"{form} {source.digest}"
                run = Import(spool, loader, digest=digest, restart=restart, resumable=path is not None)
                try:
                    _put(run, spool, skip_bad=skip_bad, dry_run=dry_run, is_empty=opened.seq == 0)
                finally:
                    made, before = (run.counts.new, run.counts.changed, run.counts.unchanged), run.resumed
        finally:  # what is bad is told whatever came of it
            if as_json:
                _print_result(spool, made, dry_run=dry_run)
            else:
                _tell_bad(spool)
        if not as_json:
            seconds = time.monotonic() - began
            _tell_result(spool, made, dry_run=dry_run, seconds=seconds, rows=spool.rows - before)
        if spool.bad:
            click.get_current_context().exit(1)


def _form_of(file: BinaryIO) -> str:
    form = _BY_SUFFIX.get(Path(file.name).suffix.lower()) if isinstance(file.name, str) else None
    if form is None:
        raise AIPolicyError(f"what {file.name!r} holds can't be told from its name: give --format")
    return form


def _path_of(file: BinaryIO) -> str | None:
    """Return the absolute path of a file, in valid UTF-8; None for a pipe."""
    path = Path(file.name)
    return str(path.resolve()).encode("utf-8", "backslashreplace").decode() if path.is_file() else None


def _read(source: "InputStream", form: str, spool: "StagedRows") -> None:
    from aipolicy.bulk.csv_file import read_csv
    from aipolicy.bulk.json_lines import read_jsonl
    from aipolicy.bulk.wordpress import read_wordpress

    readers = {"csv": read_csv, "jsonl": read_jsonl, "wordpress": read_wordpress}
    with row_progress("reading", source.size) as advance:
        rows = readers[form](source.lines() if form != "wordpress" else source.pieces())
        octets = read = 0
        for row in rows:
            spool.add(row)
            if spool.rows - read >= _AT_ONCE:
                advance(source.bytes_read - octets, spool.rows - read)
                octets, read = source.bytes_read, spool.rows
        advance(source.bytes_read - octets, spool.rows - read)
    with row_progress("sorting", None):
        spool.sort()


def _refuse_bad(spool: "StagedRows", *, skip_bad: bool) -> None:
    if spool.bad and not skip_bad:
        fix = "mend them, or give --skip-bad"
        raise AIPolicyError(f"{spool.bad} of {spool.rows} rows are bad, nothing is stored: {fix}")


def _put(run: "Import", spool: "StagedRows", *, skip_bad: bool, dry_run: bool, is_empty: bool) -> None:
    if run.interrupted and run.resumable:
        before = f"an import of this file stopped after {run.interrupted.stored:,} rows"
        click.echo(f"{before}, and the file has changed since: all rows are imported", err=True)
    elif run.interrupted:
        before = f"the last import from a pipe stopped after {run.interrupted.stored:,} rows"
        click.echo(f"{before}, and a pipe can't be resumed: all rows are imported", err=True)
    if run.resumed:
        before = f"an earlier run stored {run.resumed:,} of {run.total:,} rows"
        click.echo(f"{before}: resuming after them (--restart imports all rows)", err=True)
    if dry_run or not is_empty:  # where nothing is, nothing is taken
        run.check(_watch, dry_run=dry_run)
        _refuse_bad(spool, skip_bad=skip_bad)
    if dry_run:
        return
    try:
        with _stoppable() as watch:
            run.store(watch, skip_bad=skip_bad)
    except AIPolicyError as error:
        raise AIPolicyError(f"{error}; {_stored(run)}") from error
    except KeyboardInterrupt:
        click.echo(_stored(run), err=True)
        raise


def _stored(run: "Import") -> str:
    if not run.checkpoint.stored:
        return "nothing is stored"
    rows = f"{run.checkpoint.stored:,} of {run.total:,} rows are stored"
    if run.resumable:
        return f"{rows}, and the same command resumes after them"
    return f"{rows}; a pipe can't be resumed: import it again, or save it to a file first"


@contextmanager
def _watch(label: str, total: int, done: int) -> Iterator[Callable[[int], None]]:
    with row_progress(label, total, done=done) as advance:
        yield lambda rows: advance(rows, rows)


@contextmanager
def _stoppable() -> Iterator["Progress"]:
    """Let Ctrl-C wait for the end of a batch: what is stored is then known. Another one waits for nothing."""
    pressed = False

    def press(*_: object) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signal.SIGINT, before)

    @contextmanager
    def watch(label: str, total: int, done: int) -> Iterator[Callable[[int], None]]:
        with _watch(label, total, done) as advance:

            def advance_or_stop(rows: int) -> None:
                advance(rows)
                if pressed:
                    raise KeyboardInterrupt

            yield advance_or_stop

    before = signal.signal(signal.SIGINT, press)
    try:
        yield watch
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _opened(url: str, *, dry_run: bool) -> Iterator["Registry"]:
    """The registry; in a dry run an empty one where there is none yet."""
    from aipolicy.registry import Registry

    with tempfile.TemporaryDirectory(prefix="aipolicy-") as folder:
        empty = dry_run and _is_new(url)
        with Registry(
            f"sqlite:///{folder}/empty.db" if empty else url, create=empty or not dry_run
        ) as registry:
            yield registry


def _is_new(url: str) -> bool:
    from aipolicy.lookup.registry_file import registry_path

    try:
        path = registry_path(url)
    except RegistryURLError:  # it is no file
        return False
    return path.parent.is_dir() and not path.exists()


def _tell_bad(spool: "StagedRows") -> None:
    for told, (number, error) in enumerate(spool.errors()):
        if told == _IN_FULL:
            click.echo(f"... and {spool.bad - told} more bad rows: --json gives all", err=True)
            return
        click.echo(f"row {number}: {printable(error)}", err=True)


def _tell_result(spool: "StagedRows", made: Made, *, dry_run: bool, seconds: float, rows: int) -> None:
    told = f"{spool.rows:,} rows: {made[0]:,} new, {made[1]:,} changed, {made[2]:,} unchanged"
    if spool.bad:
        told += f", {spool.bad:,} bad and skipped"
    if dry_run:
        told += "; nothing is stored"
    if rows >= _MANY:
        told += f" ({seconds:,.0f} s, {rows / seconds:,.0f} rows/s)"
    click.echo(told, err=True)


def _print_result(spool: "StagedRows", made: Made, *, dry_run: bool) -> None:
    """As JSON, written as it is read: there may be a million bad rows."""
    head = {
        "rows": spool.rows,
        "changes": made[0] + made[1],
        "new": made[0],
        "changed": made[1],
        "unchanged": made[2],
        "dry_run": dry_run,
        "bad_rows": spool.bad,
    }
    click.echo(json.dumps(head)[:-1] + ', "bad": [', nl=False)
    for told, (number, error) in enumerate(spool.errors()):
        click.echo(f"{',' if told else ''}\n  {json.dumps({'row': number, 'error': error})}", nl=False)
    click.echo("]}")
