"""``aipolicy import``: the policies of many sites from a file into the registry."""

import json
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from aipolicy.cli.options import by_option, json_option, printable, registry_option
from aipolicy.cli.progress import row_progress
from aipolicy.errors import AIPolicyError, RegistryURLError
from aipolicy.report.wording import counted

if TYPE_CHECKING:
    from aipolicy.bulk.importer import Import, InputStream, Progress
    from aipolicy.bulk.staging import StagedRows
    from aipolicy.registry import Registry

Counts = tuple[int, int, int]
"""The numbers of new, changed and unchanged sites."""

_MAX_LISTED = 20  # bad rows
_STEP = 1000  # rows between two updates of the progress
_MIN_TIMED = 10_000  # rows from which on the speed is printed
_FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".sql": "wordpress"}


@click.command(name="import")
@click.argument("file", type=click.File("rb"), metavar="FILE|-")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["csv", "jsonl", "wordpress"]),
    help="Format of the file; by default from its name: .csv, .jsonl, .ndjson, .sql (wordpress).",
)
@click.option("--skip-bad", is_flag=True, help="Store the valid rows even if others are invalid.")
@click.option("--restart", is_flag=True, help="Import all rows, even if an interrupted run can be resumed.")
@click.option("--dry-run", is_flag=True, help="Report the changes without storing them.")
@by_option
@registry_option
@json_option
def import_sites(
    file: BinaryIO,
    file_format: str | None,
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
    csv        a header line with host, and opted_out (1 or 0) or preset; optionally
               visibility, scope, licensed, sitemaps, hosts (the last three separated by spaces)
    jsonl      an object a line: {"host": "blog.example", "opted_out": true}, or the output
               of 'aipolicy show --json'
    wordpress  a mysqldump of a network with wp_blogs and its options tables, or a CSV
               export of wp_blogs: blog_public 0 is discouraged, -1 private,
               wpcom_data_sharing_opt_out no-training

    A row is the complete policy of its site: fields that it leaves out are reset. Only the hosts stay if it
    has none. Sites that already have this policy, or that are not in the file, are not changed. Cells may be
    separated by commas, semicolons or tabs, and a host may be written as a URL.

    Of two rows for one site, --skip-bad stores one policy that disallows what either does; of two sites with
    the same host, neither.

    The whole file is read and checked first: if a row is invalid, nothing is stored. The rows are then stored
    by site name, ten thousand at a time, and other writers get their turn in between. If that is interrupted,
    the same command resumes: rows that are stored are not stored again, so that later changes of their sites
    stay. A file that has changed since is imported from its beginning, and so is a pipe.

    Exit codes: 0 every row is stored, 1 some were skipped (--skip-bad), 2 bad input.
    """
    from aipolicy.bulk.importer import PIPE, Import, InputStream
    from aipolicy.bulk.staging import StagedRows
    from aipolicy.registry.bulk_load import BulkLoader

    file_format = file_format or _format_of(file)
    began = time.monotonic()
    with StagedRows() as rows:
        source = InputStream(file)
        _read(source, file_format, rows)
        counts, resumed = (0, 0, 0), 0
        try:
            _refuse_bad(rows, skip_bad=skip_bad)
            with _opened(registry, dry_run=dry_run) as opened:
                path = _path_of(file)
                loader = BulkLoader(opened, path or PIPE, by=by)
                digest = f"{file_format} {source.digest}"
                run = Import(rows, loader, digest=digest, restart=restart, resumable=path is not None)
                try:
                    _store(run, rows, skip_bad=skip_bad, dry_run=dry_run, is_empty=opened.seq == 0)
                finally:
                    counts, resumed = (run.counts.new, run.counts.changed, run.counts.unchanged), run.resumed
        finally:  # bad rows are reported even if the import failed
            if as_json:
                _print_document(rows, counts, dry_run=dry_run)
            else:
                _print_bad(rows)
        if not as_json:
            seconds = time.monotonic() - began
            _print_counts(rows, counts, dry_run=dry_run, seconds=seconds, read=rows.rows - resumed)
        if rows.bad:
            click.get_current_context().exit(1)


def _format_of(file: BinaryIO) -> str:
    file_format = _FORMATS.get(Path(file.name).suffix.lower()) if isinstance(file.name, str) else None
    if file_format is None:
        raise AIPolicyError(f"the name {file.name!r} doesn't say the format; add --format")
    return file_format


def _path_of(file: BinaryIO) -> str | None:
    """Return the absolute path of a file, in valid UTF-8; None for a pipe."""
    path = Path(file.name)
    return str(path.resolve()).encode("utf-8", "backslashreplace").decode() if path.is_file() else None


def _read(source: "InputStream", file_format: str, staged: "StagedRows") -> None:
    from aipolicy.bulk.csv_file import read_csv
    from aipolicy.bulk.json_lines import read_jsonl
    from aipolicy.bulk.wordpress import read_wordpress

    readers = {"csv": read_csv, "jsonl": read_jsonl, "wordpress": read_wordpress}
    with row_progress("reading", source.size) as advance:
        rows = readers[file_format](source.lines() if file_format != "wordpress" else source.pieces())
        bytes_shown = rows_shown = 0
        for row in rows:
            staged.add(row)
            if staged.rows - rows_shown >= _STEP:
                advance(source.bytes_read - bytes_shown, staged.rows - rows_shown)
                bytes_shown, rows_shown = source.bytes_read, staged.rows
        advance(source.bytes_read - bytes_shown, staged.rows - rows_shown)
    with row_progress("sorting", None):
        staged.sort()


def _refuse_bad(rows: "StagedRows", *, skip_bad: bool) -> None:
    if rows.bad and not skip_bad:
        fix = "correct them, or add --skip-bad"
        raise AIPolicyError(f"{rows.bad} of {rows.rows} rows are invalid, so nothing is stored; {fix}")


def _store(run: "Import", rows: "StagedRows", *, skip_bad: bool, dry_run: bool, is_empty: bool) -> None:
    if run.interrupted and run.resumable:
        before = f"an import of this file stopped after {run.interrupted.stored:,} rows"
        click.echo(f"{before}, and the file has changed since; all rows are imported", err=True)
    elif run.interrupted:
        before = f"the last import from a pipe stopped after {run.interrupted.stored:,} rows"
        click.echo(f"{before}, and a pipe can't be resumed; all rows are imported", err=True)
    if run.resumed:
        before = f"an earlier run stored {run.resumed:,} of {run.total:,} rows"
        click.echo(f"{before}; resuming after them (--restart imports all rows)", err=True)
    if dry_run or not is_empty:  # in an empty registry no host can be taken
        run.check(_watch, dry_run=dry_run)
        _refuse_bad(rows, skip_bad=skip_bad)
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
    return f"{rows}; a pipe can't be resumed; import it again, or save it to a file first"


@contextmanager
def _watch(label: str, total: int, done: int) -> Iterator[Callable[[int], None]]:
    with row_progress(label, total, done=done) as advance:
        yield lambda rows: advance(rows, rows)


@contextmanager
def _stoppable() -> Iterator["Progress"]:
    """Make the first Ctrl-C wait for the end of a batch, so that the number of stored rows is known."""
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
    """Open the registry; in a dry run, an empty one if it doesn't exist yet."""
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
    except RegistryURLError:  # not a file
        return False
    return path.parent.is_dir() and not path.exists()


def _print_bad(rows: "StagedRows") -> None:
    for index, (number, error) in enumerate(rows.errors()):
        if index == _MAX_LISTED:
            click.echo(f"... and {rows.bad - index} more invalid rows; --json lists all", err=True)
            return
        click.echo(f"row {number}: {printable(error)}", err=True)


def _print_counts(rows: "StagedRows", counts: Counts, *, dry_run: bool, seconds: float, read: int) -> None:
    text = f"{counted(rows.rows, 'row')}: {counts[0]:,} new, {counts[1]:,} changed, {counts[2]:,} unchanged"
    if rows.bad:
        text += f", {rows.bad:,} invalid and skipped"
    if dry_run:
        text += "; nothing is stored"
    if read >= _MIN_TIMED:
        text += f" ({seconds:,.0f} s, {read / seconds:,.0f} rows/s)"
    click.echo(text, err=True)


def _print_document(rows: "StagedRows", counts: Counts, *, dry_run: bool) -> None:
    """Print the result as JSON, row by row: there may be a million invalid rows."""
    head = {
        "rows": rows.rows,
        "changes": counts[0] + counts[1],
        "new": counts[0],
        "changed": counts[1],
        "unchanged": counts[2],
        "dry_run": dry_run,
        "bad_rows": rows.bad,
    }
    click.echo(json.dumps(head)[:-1] + ', "bad": [', nl=False)
    for index, (number, error) in enumerate(rows.errors()):
        click.echo(f"{',' if index else ''}\n  {json.dumps({'row': number, 'error': error})}", nl=False)
    click.echo("]}")
