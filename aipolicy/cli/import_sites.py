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
    from aipolicy.registry.put_tables import PutCounts

_MAX_LISTED = 20  # bad rows
_STEP = 1000  # rows between two updates of the progress
_MIN_TIMED = 10_000  # rows: the speed of a shorter import is not printed
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

    A row replaces the whole policy of its site: fields without a value are reset, except for the hosts.
    Other sites are not changed. Cells can be separated by commas, semicolons or tabs, and a host can be
    written as a URL.

    If two rows have the same site, --skip-bad stores one policy with the restrictions of both. If two sites
    have the same host, it stores neither.

    The file is checked first: if a row is invalid, nothing is stored. Then the rows are stored in batches of
    ten thousand, and other commands can write between them. After an interruption the same command resumes
    after the last batch, so that later changes of the stored sites stay. If the file has changed, or is a
    pipe, all rows are imported.

    Exit codes: 0 every row is stored, 1 some were skipped (--skip-bad), 2 bad input.
    """
    from aipolicy.bulk.importer import PIPE, Import, InputStream
    from aipolicy.bulk.staging import StagedRows
    from aipolicy.registry.bulk_load import BulkLoader
    from aipolicy.registry.put_tables import PutCounts

    file_format = file_format or _format_of(file)
    began = time.monotonic()
    with StagedRows() as rows:
        source = InputStream(file)
        _read(source, file_format, rows)
        counts, resumed = PutCounts(), 0
        try:
            _require_valid(rows, skip_bad=skip_bad)
            with _open_registry(registry, dry_run=dry_run) as opened:
                path = _path_of(file)
                loader = BulkLoader(opened, path or PIPE, by=by)
                digest = f"{file_format} {source.digest}"
                run = Import(rows, loader, digest=digest, restart=restart, resumable=path is not None)
                try:
                    _store(run, rows, skip_bad=skip_bad, dry_run=dry_run, is_empty=opened.seq == 0)
                finally:
                    counts, resumed = run.counts, run.resumed
        finally:  # report bad rows even if the import failed
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
        raise AIPolicyError(f"the format of {file.name!r} is unknown; add --format")
    return file_format


def _path_of(file: BinaryIO) -> str | None:
    """Return the absolute path of a file in valid UTF-8, or None for a pipe."""
    path = Path(file.name)
    return str(path.resolve()).encode("utf-8", "backslashreplace").decode() if path.is_file() else None


def _read(source: "InputStream", file_format: str, staged: "StagedRows") -> None:
    from aipolicy.bulk.csv_file import read_csv
    from aipolicy.bulk.json_lines import read_jsonl
    from aipolicy.bulk.wordpress import read_wordpress

    readers = {"csv": read_csv, "jsonl": read_jsonl, "wordpress": read_wordpress}
    with row_progress("reading", source.size) as advance:
        rows = readers[file_format](source.lines() if file_format != "wordpress" else source.pieces())
        last_bytes = last_rows = 0
        for row in rows:
            staged.add(row)
            if staged.rows - last_rows >= _STEP:
                advance(source.bytes_read - last_bytes, staged.rows - last_rows)
                last_bytes, last_rows = source.bytes_read, staged.rows
        advance(source.bytes_read - last_bytes, staged.rows - last_rows)
    with row_progress("sorting", None):
        staged.sort()


def _require_valid(rows: "StagedRows", *, skip_bad: bool) -> None:
    if rows.bad and not skip_bad:
        fix = "correct them, or add --skip-bad"
        raise AIPolicyError(f"{rows.bad} of {rows.rows} rows are invalid, so nothing is stored; {fix}")


def _store(run: "Import", rows: "StagedRows", *, skip_bad: bool, dry_run: bool, is_empty: bool) -> None:
    if run.interrupted and run.resumable:
        stopped = f"an import of this file stopped after {run.interrupted.stored:,} rows"
        click.echo(f"{stopped}, and the file has changed since; all rows are imported", err=True)
    elif run.interrupted:
        stopped = f"the last import from a pipe stopped after {run.interrupted.stored:,} rows"
        click.echo(f"{stopped}, and a pipe can't be resumed; all rows are imported", err=True)
    if run.resumed:
        stored = f"an earlier run stored {run.resumed:,} of {run.total:,} rows"
        click.echo(f"{stored}; resuming after them (--restart imports all rows)", err=True)
    if dry_run or not is_empty:  # in an empty registry no host can be taken
        run.check(_progress, dry_run=dry_run)
        _require_valid(rows, skip_bad=skip_bad)
    if dry_run:
        return
    try:
        with _stoppable() as progress:
            run.store(progress, skip_bad=skip_bad)
    except AIPolicyError as error:
        raise AIPolicyError(f"{error}; {_stored_rows(run)}") from error
    except KeyboardInterrupt:
        click.echo(_stored_rows(run), err=True)
        raise


def _stored_rows(run: "Import") -> str:
    if not run.checkpoint.stored:
        return "nothing is stored"
    rows = f"{run.checkpoint.stored:,} of {run.total:,} rows are stored"
    if run.resumable:
        return f"{rows}, and the same command resumes after them"
    return f"{rows}; a pipe can't be resumed; import it again, or save it to a file first"


@contextmanager
def _progress(label: str, total: int, done: int) -> Iterator[Callable[[int], None]]:
    with row_progress(label, total, done=done) as advance:
        yield lambda rows: advance(rows, rows)


@contextmanager
def _stoppable() -> Iterator["Progress"]:
    """Delay the first Ctrl-C to the end of a batch, so that the number of stored rows is known."""
    interrupted = False

    def interrupt(*_: object) -> None:
        nonlocal interrupted
        interrupted = True
        signal.signal(signal.SIGINT, previous)

    @contextmanager
    def progress(label: str, total: int, done: int) -> Iterator[Callable[[int], None]]:
        with _progress(label, total, done) as advance:

            def advance_or_stop(rows: int) -> None:
                advance(rows)
                if interrupted:
                    raise KeyboardInterrupt

            yield advance_or_stop

    previous = signal.signal(signal.SIGINT, interrupt)
    try:
        yield progress
    finally:
        signal.signal(signal.SIGINT, previous)


@contextmanager
def _open_registry(url: str, *, dry_run: bool) -> Iterator["Registry"]:
    """Open the registry; in a dry run, an empty one if it doesn't exist yet."""
    from aipolicy.registry import Registry

    with tempfile.TemporaryDirectory(prefix="aipolicy-") as folder:
        empty = dry_run and _is_missing(url)
        with Registry(
            f"sqlite:///{folder}/empty.db" if empty else url, create=empty or not dry_run
        ) as registry:
            yield registry


def _is_missing(url: str) -> bool:
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


def _print_counts(
    rows: "StagedRows", counts: "PutCounts", *, dry_run: bool, seconds: float, read: int
) -> None:
    parts = f"{counts.new:,} new, {counts.changed:,} changed, {counts.unchanged:,} unchanged"
    text = f"{counted(rows.rows, 'row')}: {parts}"
    if rows.bad:
        text += f", {rows.bad:,} invalid and skipped"
    if dry_run:
        text += "; nothing is stored"
    if read >= _MIN_TIMED:
        text += f" ({seconds:,.0f} s, {read / seconds:,.0f} rows/s)"
    click.echo(text, err=True)


def _print_document(rows: "StagedRows", counts: "PutCounts", *, dry_run: bool) -> None:
    """Print the result as JSON, one row at a time: there may be a million invalid rows."""
    head = {
        "rows": rows.rows,
        "changes": counts.new + counts.changed,
        "new": counts.new,
        "changed": counts.changed,
        "unchanged": counts.unchanged,
        "dry_run": dry_run,
        "bad_rows": rows.bad,
    }
    click.echo(json.dumps(head)[:-1] + ', "bad": [', nl=False)
    for index, (number, error) in enumerate(rows.errors()):
        click.echo(f"{',' if index else ''}\n  {json.dumps({'row': number, 'error': error})}", nl=False)
    click.echo("]}")
