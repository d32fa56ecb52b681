"""``aipolicy robots --all --out DIR``: every site's robots.txt, for a server of static files."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from aipolicy.cli.options import print_json, signals_of
from aipolicy.cli.progress import progress
from aipolicy.errors import AIPolicyError


def write_all(given: dict[str, Any]) -> None:
    """Bring DIR up to date, and say what that took. Exit code 1: a site's policy can't be used."""
    # Imported where they are used: one robots.txt needs no database.
    from aipolicy.bulk.generator import Generator
    from aipolicy.bulk.host_folder import HostFolder
    from aipolicy.registry import Registry

    try:
        with (
            Registry(given["registry"], create=False) as registry,
            HostFolder(Path(given["out"])) as folder,
            progress("writing", None) as advance,
        ):
            generator = Generator(registry, folder, signals=signals_of(given), advance=advance)
            summary = generator.run(full=given["full"])
    except OSError as error:
        where = error.filename or given["out"]
        fix = "check the path, who may write there, and the room on the disk; what is written stays"
        raise AIPolicyError(f"'{where}': {error.strerror}: {fix}") from error
    if given["as_json"]:
        print_json({"out": given["out"], **dataclasses.asdict(summary)})
    else:
        for error_of_site in summary.errors:
            click.echo(error_of_site, err=True)
        if summary.failed > len(summary.errors):
            click.echo(f"... and {summary.failed - len(summary.errors)} more", err=True)
        click.echo(
            f"{given['out']}: {summary.written} written, {summary.unchanged} unchanged, "
            f"{summary.removed} removed (change {summary.seq})",
            err=True,
        )
    if summary.failed:
        click.get_current_context().exit(1)
