"""``aipolicy replica``: a machine's own copy of a PostgreSQL registry, kept level with it."""

import logging
import signal
import sys

import click

from aipolicy.cli.options import registry_option
from aipolicy.cli.progress import progress
from aipolicy.errors import RegistryURLError


@click.command()
@registry_option
@click.option(
    "--to",
    required=True,
    metavar="FILE",
    help="The replica, a path or sqlite:/// URL; made where there is none yet.",
)
@click.option("--wait", is_flag=True, help="Where another process follows into FILE, take over when it ends.")
def replica(registry: str, to: str, wait: bool) -> None:
    """Follow a PostgreSQL registry into a SQLite file on this machine, until it is ended.

    \b
    aipolicy replica --registry postgresql://aipolicy@db/blogs --to /var/lib/aipolicy/replica.db

    LocalLookup("sqlite:////var/lib/aipolicy/replica.db") reads it; a change is there within a second.
    While PostgreSQL is away the file stays as it is; how far it is behind is told on stderr and by
    'aipolicy show --status'. Begun again, it goes on where it was.
    """
    # Imported where it is used: the other commands need no database.
    from aipolicy.lookup.registry_file import registry_path
    from aipolicy.registry.replica import Replica

    try:
        file = registry_path(to)
    except RegistryURLError as error:
        raise RegistryURLError(f"--to {to!r}: {error}") from None

    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s")
    logging.getLogger("aipolicy.registry").setLevel(logging.INFO)
    follower = Replica(registry, file, wait=wait, progress=progress)
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda *_: follower.stop())
    follower.run()
