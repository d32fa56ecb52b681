"""``aipolicy export``: the headers of every site as configuration for nginx, Caddy or Apache."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from aipolicy.cli.options import registry_option, signal_options, signals_of
from aipolicy.cli.outputs import output_file
from aipolicy.cli.progress import progress
from aipolicy.core.policy import PRESETS
from aipolicy.errors import AIPolicyError
from aipolicy.report.wording import counted

Hosts = Iterator[tuple[str, int]]
Command = Callable[..., Any]

_OPTIONS = (
    click.option("--out", type=click.Path(dir_okay=False), metavar="FILE", help="Default: stdout."),
    click.option(
        "--files",
        default="/srv/aipolicy",
        show_default=True,
        metavar="DIR",
        help="Directory that 'aipolicy robots --all --out DIR' writes, for the comments on how to use it.",
    ),
    click.option(
        "--default",
        type=click.Choice(list(PRESETS)),
        default="no-training",
        show_default=True,
        help="Preferences of unknown hosts; give 'aipolicy robots --all' the same.",
    ),
    registry_option,
    signal_options,
)


def _options(command: Command) -> Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group()
def export() -> None:
    """Write the headers of every site as a server's configuration, with comments on how to use it.

    \b
    aipolicy export nginx-map --out /etc/nginx/aipolicy.conf
    aipolicy export caddy --out /etc/caddy/aipolicy
    aipolicy export apache --out /etc/apache2/aipolicy.conf

    This is for servers of static files; in front of an application, the middleware does all of this and is
    always up to date. Here, a change is in force when the command has run again and the server was reloaded.
    """


@export.command(name="nginx-map")
@_options
def nginx_map(**options: Any) -> None:
    """Write maps for nginx from the host to the value of each header.

    \b
    aipolicy export nginx-map --out /etc/nginx/aipolicy.conf && nginx -s reload
    """
    from aipolicy.bulk.server_config import nginx

    with _sets(options) as (sets, hosts):
        _write(options["out"], nginx(sets, hosts, options["files"]))


@export.command()
@_options
def caddy(**options: Any) -> None:
    """Write a snippet for a Caddyfile.

    \b
    aipolicy export caddy --out /etc/caddy/aipolicy && caddy reload
    """
    from aipolicy.bulk.server_config import caddy

    with _sets(options) as (sets, hosts):
        _write(options["out"], caddy(sets, hosts, options["files"]))


@export.command()
@_options
def apache(**options: Any) -> None:
    """Write directives for Apache, and FILE.hosts, the map that they read.

    \b
    aipolicy export apache --out /etc/apache2/aipolicy.conf && apachectl graceful
    """
    from aipolicy.bulk.server_config import apache, apache_map

    if options["out"] is None:
        raise AIPolicyError("apache needs two files, one of them a map; add --out FILE")
    map_file = f"{Path(options['out']).absolute()}.hosts"
    with _sets(options) as (sets, hosts):
        _write(map_file, apache_map(hosts))
        _write(options["out"], apache(sets, options["files"], map_file))


@contextmanager
def _sets(options: dict[str, Any]) -> Iterator[tuple[Any, Hosts]]:
    # Imported where they are used: other commands need no database.
    from aipolicy.bulk.server_config import HeaderSets
    from aipolicy.registry import Registry

    sets = HeaderSets(options["default"], signals_of(options))
    with Registry(options["registry"], create=False) as registry, progress("exporting", None) as advance:

        def texts() -> Iterator[tuple[str, str]]:
            for text in registry.texts():
                advance(1)
                yield text

        yield sets, sets.numbered(texts())
    click.echo(counted(sets.hosts, "host"), err=True)
    if sets.with_paths:
        hosts = f"{counted(sets.with_paths, 'host')} {'has' if sets.with_paths == 1 else 'have'}"
        note = (
            "path preferences, which a server's configuration can't express; only the site's headers are sent"
        )
        click.echo(f"{hosts} {note}", err=True)
    for host in sets.unusable[:20]:
        click.echo(f"the policy of {host!r} is invalid; the default is served", err=True)
    if sets.unusable:
        click.echo(
            f"the default is served for {counted(len(sets.unusable), 'host')}; set the policies again",
            err=True,
        )
        click.get_current_context().exit(1)


def _write(out: str | None, lines: Iterable[str]) -> None:
    """Write to stdout, or replace a file atomically: a server may be reloaded at any moment."""
    if out is None:
        for line in lines:
            click.echo(line)
        return
    with output_file(out) as unfinished, unfinished.open("w", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in lines)
