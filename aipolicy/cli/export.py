"""``aipolicy export``: the headers of every site, for a server that serves files."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from aipolicy.cli.options import registry_option, signal_options, signals_of
from aipolicy.cli.outputs import whole_file
from aipolicy.cli.progress import progress
from aipolicy.core.policy import PRESETS
from aipolicy.errors import AIPolicyError

Hosts = Iterator[tuple[str, int]]
Command = Callable[..., Any]

_OPTIONS = (
    click.option("--out", type=click.Path(dir_okay=False), metavar="FILE", help="Else on stdout."),
    click.option(
        "--files",
        default="/srv/aipolicy",
        show_default=True,
        metavar="DIR",
        help="Where 'aipolicy robots --all --out DIR' writes, for the text on how to use it.",
    ),
    click.option(
        "--default",
        type=click.Choice(list(PRESETS)),
        default="no-training",
        show_default=True,
        help="For hosts that are no site's.",
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
    """Write the headers of every site as a server's configuration, with how to use it in comments.

    \b
    aipolicy export nginx-map --out /etc/nginx/aipolicy.conf
    aipolicy export caddy --out /etc/caddy/aipolicy
    aipolicy export apache --out /etc/apache2/aipolicy.conf

    For servers that serve files alone: in front of an application the middleware does all of this, always up
    to date. Here a change is in force once this has run again and the server has been reloaded.
    """


@export.command(name="nginx-map")
@_options
def nginx_map(**given: Any) -> None:
    """Maps for nginx: from the host to each header's value.

    \b
    aipolicy export nginx-map --out /etc/nginx/aipolicy.conf && nginx -s reload
    """
    from aipolicy.bulk.server_config import nginx

    with _sets(given) as (sets, hosts):
        _write(given["out"], nginx(sets, hosts, given["files"]))


@export.command()
@_options
def caddy(**given: Any) -> None:
    """A snippet for a Caddyfile.

    \b
    aipolicy export caddy --out /etc/caddy/aipolicy && caddy reload
    """
    from aipolicy.bulk.server_config import caddy

    with _sets(given) as (sets, hosts):
        _write(given["out"], caddy(sets, hosts, given["files"]))


@export.command()
@_options
def apache(**given: Any) -> None:
    """Lines for Apache, and beside them FILE.hosts, the map that they read.

    \b
    aipolicy export apache --out /etc/apache2/aipolicy.conf && apachectl graceful
    """
    from aipolicy.bulk.server_config import apache, apache_map

    if given["out"] is None:
        raise AIPolicyError("apache takes two files, one of them a map: give --out FILE")
    map_file = f"{Path(given['out']).absolute()}.hosts"
    with _sets(given) as (sets, hosts):
        _write(map_file, apache_map(hosts))
        _write(given["out"], apache(sets, given["files"], map_file))


@contextmanager
def _sets(given: dict[str, Any]) -> Iterator[tuple[Any, Hosts]]:
    # Imported where it is used: the other commands need no database.
    from aipolicy.bulk.server_config import HeaderSets
    from aipolicy.registry import Registry

    sets = HeaderSets(given["default"], signals_of(given))
    with Registry(given["registry"], create=False) as registry, progress("exporting", None) as advance:

        def texts() -> Iterator[tuple[str, str]]:
            for text in registry.texts():
                advance(1)
                yield text

        yield sets, sets.numbered(texts())
    click.echo(f"{sets.hosts} hosts", err=True)
    if sets.with_paths:
        note = "have path preferences, which this can't express: their headers are the whole site's"
        click.echo(f"{sets.with_paths} hosts {note}", err=True)
    for host in sets.unusable[:20]:
        click.echo(f"the policy of {host!r} can't be used: it is served as the default", err=True)
    if sets.unusable:
        click.echo(f"{len(sets.unusable)} hosts are served as the default: put their policies anew", err=True)
        click.get_current_context().exit(1)


def _write(out: str | None, lines: Iterable[str]) -> None:
    """To stdout, or to a file that is whole or not there: a server may be reloaded at any moment."""
    if out is None:
        for line in lines:
            click.echo(line)
        return
    with whole_file(out) as unfinished, unfinished.open("w", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in lines)
