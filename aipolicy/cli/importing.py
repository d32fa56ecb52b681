"""``aipolicy import``: a file of sites into the registry, all of it or nothing."""

import getpass
import io
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click

from aipolicy.cli.options import json_option, registry_option
from aipolicy.cli.progress import Advance, progress
from aipolicy.errors import AIPolicyError, RegistryURLError

_IN_FULL = 20  # bad rows told one by one
_PIECE = 1 << 16  # characters
_BY_SUFFIX = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".sql": "wordpress"}
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


@click.command(name="import")
@click.argument("file", type=click.File("rb"), metavar="FILE|-")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl", "wordpress"]),
    help="What the file is; else its name says it: .csv, .jsonl, .ndjson, .sql (wordpress).",
)
@click.option("--skip-bad", is_flag=True, help="Store the good rows although there are bad ones.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and store nothing.")
@click.option(
    "--by", default=getpass.getuser, show_default="you", metavar="NAME", help="Who, for the history."
)
@registry_option
@json_option
def import_sites(
    file: BinaryIO, form: str | None, skip_bad: bool, dry_run: bool, by: str, registry: str, as_json: bool
) -> None:
    """Set the policies of many sites from a file: all of them, or with a bad row none.

    \b
    aipolicy import blogs.csv --by nightly
    aipolicy import dump.sql --skip-bad --dry-run
    export-flags | aipolicy import - --format csv

    \b
    csv        a header line with host, and opted_out (1 or 0) or preset; and if you like
               visibility, licensed, sitemaps, hosts (the last three separated by spaces)
    jsonl      an object a line: {"host": "blog.example", "opted_out": true}, or what
               'aipolicy show --json' writes
    wordpress  a mysqldump of a network with wp_blogs and its options tables, or a CSV
               export of wp_blogs: blog_public 0 is discouraged, -1 private,
               wpcom_data_sharing_opt_out no-training

    A row is all that its site declares: what it leaves out is reset, but for the hosts, which stay where
    none are given. A site that says the same already is not changed, and sites that the file doesn't
    mention stay. Of two rows with one host neither is stored.
    """
    from aipolicy.bulk.spool import Spool

    with Spool() as spool:
        _read(file, form or _form_of(file), spool)
        changes = 0
        try:
            if spool.bad and not skip_bad:
                cure = "mend them, or give --skip-bad"
                raise AIPolicyError(f"{spool.bad} of {spool.rows} rows are bad, nothing is stored: {cure}")
            changes = _put(spool, registry, by=by, dry_run=dry_run, skip_bad=skip_bad)
        finally:  # what is bad is told whatever came of it
            if as_json:
                _print_result(spool, changes=changes, dry_run=dry_run)
            else:
                _tell_bad(spool)
        if not as_json:
            would = "would change" if dry_run else "changed"
            skipped = f", {spool.bad} bad rows skipped" if spool.bad else ""
            click.echo(f"{spool.rows} rows: {changes} sites {would}{skipped}", err=True)


def _form_of(file: BinaryIO) -> str:
    form = _BY_SUFFIX.get(Path(file.name).suffix.lower()) if isinstance(file.name, str) else None
    if form is None:
        raise AIPolicyError(f"what {file.name!r} holds can't be told from its name: give --format")
    return form


def _read(file: BinaryIO, form: str, spool: Any) -> None:
    from aipolicy.bulk.csvfile import read_csv
    from aipolicy.bulk.jsonlines import read_jsonl
    from aipolicy.bulk.wordpress import read_wordpress

    readers = {"csv": read_csv, "jsonl": read_jsonl, "wordpress": read_wordpress}
    with progress("reading", _size(file)) as advance:
        pieces = _text(file, advance, lines=form != "wordpress")
        for row in readers[form](pieces):
            spool.add(row)


def _text(file: BinaryIO, advance: Advance, *, lines: bool) -> Iterator[str]:
    buffered = io.BufferedReader(file) if isinstance(file, io.RawIOBase) else file
    peeked = buffered.peek(2)[:2] if isinstance(buffered, io.BufferedReader) else b""
    if peeked in _UTF_16:
        raise AIPolicyError("the file is UTF-16: save it as UTF-8")
    text = io.TextIOWrapper(buffered, encoding="utf-8-sig", errors="surrogateescape", newline="")
    for piece in text if lines else iter(lambda: text.read(_PIECE), ""):
        advance(len(piece))
        yield piece


def _size(file: BinaryIO) -> int | None:
    try:
        return os.fstat(file.fileno()).st_size or None
    except (OSError, ValueError):  # no file of the system's
        return None


def _put(spool: Any, url: str, *, by: str, dry_run: bool, skip_bad: bool) -> int:
    def refused(policy: Any, error: AIPolicyError) -> None:
        spool.refuse(policy.site, error)
        if not skip_bad:
            ((number, _),) = spool.errors()
            raise AIPolicyError(f"row {number} can't be stored, and nothing is: mend it, or give --skip-bad")

    def entries(advance: Advance) -> Iterator[Any]:
        for entry in spool.entries():
            advance(1)
            yield entry

    with _opened(url, dry_run=dry_run) as registry, progress("storing", spool.good) as advance:
        changes: int = registry.put_many(entries(advance), by=by, dry_run=dry_run, refused=refused)
        return changes


@contextmanager
def _opened(url: str, *, dry_run: bool) -> Iterator[Any]:
    """The registry; in a dry run an empty one where there is none yet."""
    # Imported where it is used: a bad file needs no database.
    from aipolicy.registry import Registry

    with tempfile.TemporaryDirectory(prefix="aipolicy-") as folder:
        empty = dry_run and _is_new(url)
        with Registry(
            f"sqlite:///{folder}/empty.db" if empty else url, create=empty or not dry_run
        ) as registry:
            yield registry


def _is_new(url: str) -> bool:
    from aipolicy.lookup.registryfile import registry_path

    try:
        path = registry_path(url)
    except RegistryURLError:  # it is no file
        return False
    return path.parent.is_dir() and not path.exists()


def _tell_bad(spool: Any) -> None:
    for told, (number, error) in enumerate(spool.errors()):
        if told == _IN_FULL:
            click.echo(f"... and {spool.bad - told} more bad rows: --json gives all", err=True)
            return
        click.echo(f"row {number}: {error}", err=True)


def _print_result(spool: Any, *, changes: int, dry_run: bool) -> None:
    """As JSON, written as it is read: there may be a million bad rows."""
    head = {"rows": spool.rows, "changes": changes, "dry_run": dry_run, "bad_rows": spool.bad}
    click.echo(json.dumps(head)[:-1] + ', "bad": [', nl=False)
    for told, (number, error) in enumerate(spool.errors()):
        click.echo(f"{',' if told else ''}\n  {json.dumps({'row': number, 'error': error})}", nl=False)
    click.echo("]}")
