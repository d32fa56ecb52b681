"""``aipolicy replica``: a copy of a PostgreSQL registry on this machine, kept up to date."""

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
    help="Path or sqlite:/// URL of the replica; created if missing.",
)
@click.option("--wait", is_flag=True, help="If another process updates FILE, take over when it ends.")
def replica(registry: str, to: str, wait: bool) -> None:
    """Copy a PostgreSQL registry into a SQLite file on this machine and keep it up to date, until stopped.

    \b
    aipolicy replica --registry postgresql://aipolicy@db/blogs --to /var/lib/aipolicy/replica.db

    LocalLookup("sqlite:////var/lib/aipolicy/replica.db") reads it. A change arrives within a second. While
    PostgreSQL is down the file stays unchanged; stderr and 'aipolicy show --status' say how far it is behind.
    After a restart the command continues where it stopped.
    """
    # Imported where they are used: other commands need no database.
    from aipolicy.lookup.registry_file import registry_path
    from aipolicy.registry.replica import Replica

    try:
        file = registry_path(to)
    except RegistryURLError as error:
        raise RegistryURLError(f"--to {to!r}: {error}") from None

    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s")
    logging.getLogger("aipolicy.registry").setLevel(logging.INFO)
    follower = Replica(registry, file, wait=wait, progress=progress)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: follower.stop())
    follower.run()
