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
    from aipolicy.bulk.importer import Import, Watch
    from aipolicy.bulk.input_stream import Input
    from aipolicy.bulk.staging import Spool
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
@click.option("--restart", is_flag=True, help="Begin anew, whatever a run that stopped has stored.")
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
    site name, ten thousand at a time, and other writers get their turn in between. Whatever stops that, the
    same command goes on where it was: what is stored is not stored again, even where the site was changed
    since. The input must be the same, which its content tells, from a pipe as well; another one is
    imported from its beginning.

    Exit codes: 0 every row is stored, 1 some were skipped (--skip-bad), 2 bad input.
    """
    from aipolicy.bulk.importer import Import
    from aipolicy.bulk.input_stream import Input
    from aipolicy.bulk.staging import Spool
    from aipolicy.registry.bulk_load import Loader

    form = form or _form_of(file)
    began = time.monotonic()
    with Spool() as spool:
        source = Input(file)
        _read(source, form, spool)
        made, before = (0, 0, 0), 0
        try:
            _refuse_bad(spool, skip_bad=skip_bad)
            with _opened(registry, dry_run=dry_run) as opened:
                digest = f"{form} {source.digest}"
                loader = Loader(opened, _name_of(file, digest), by=by)
                run = Import(spool, loader, digest=digest, restart=restart)
                try:
                    _put(run, spool, skip_bad=skip_bad, dry_run=dry_run, is_empty=opened.seq == 0)
                finally:
                    made, before = (run.made.new, run.made.changed, run.made.unchanged), run.resumed
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


def _name_of(file: BinaryIO, digest: str) -> str:
    """By which an import is found again that was not finished."""
    path = Path(file.name)
    name = str(path.resolve()) if path.is_file() else f"- {digest}"  # a pipe has another name each time
    return name.encode("utf-8", "backslashreplace").decode()  # as a database takes it


def _read(source: "Input", form: str, spool: "Spool") -> None:
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
                advance(source.octets - octets, spool.rows - read)
                octets, read = source.octets, spool.rows
        advance(source.octets - octets, spool.rows - read)
    with row_progress("sorting", None):
        spool.sort()


def _refuse_bad(spool: "Spool", *, skip_bad: bool) -> None:
    if spool.bad and not skip_bad:
        fix = "mend them, or give --skip-bad"
        raise AIPolicyError(f"{spool.bad} of {spool.rows} rows are bad, nothing is stored: {fix}")


def _put(run: "Import", spool: "Spool", *, skip_bad: bool, dry_run: bool, is_empty: bool) -> None:
    if run.changed_since:
        was = f"an import of it stopped after {run.changed_since.stored:,} rows"
        click.echo(f"the input is not what it was when {was}: all of it is imported", err=True)
    if run.resumed:
        before = f"an earlier run has stored {run.resumed:,} of {run.total:,} rows"
        click.echo(f"{before}: going on behind them (--restart begins anew)", err=True)
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
    if not run.standing.stored:
        return "nothing is stored"
    rows = f"{run.standing.stored:,} of {run.total:,} rows are stored"
    return f"{rows}, and the same command goes on behind them"


@contextmanager
def _watch(label: str, total: int, done: int) -> Iterator[Callable[[int], None]]:
    with row_progress(label, total, done=done) as advance:
        yield lambda rows: advance(rows, rows)


@contextmanager
def _stoppable() -> Iterator["Watch"]:
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


def _tell_bad(spool: "Spool") -> None:
    for told, (number, error) in enumerate(spool.errors()):
        if told == _IN_FULL:
            click.echo(f"... and {spool.bad - told} more bad rows: --json gives all", err=True)
            return
        click.echo(f"row {number}: {printable(error)}", err=True)


def _tell_result(spool: "Spool", made: Made, *, dry_run: bool, seconds: float, rows: int) -> None:
    told = f"{spool.rows:,} rows: {made[0]:,} new, {made[1]:,} changed, {made[2]:,} unchanged"
    if spool.bad:
        told += f", {spool.bad:,} bad and skipped"
    if dry_run:
        told += "; nothing is stored"
    if rows >= _MANY:
        told += f" ({seconds:,.0f} s, {rows / seconds:,.0f} rows/s)"
    click.echo(told, err=True)


def _print_result(spool: "Spool", made: Made, *, dry_run: bool) -> None:
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
