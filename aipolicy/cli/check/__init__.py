"""``aipolicy check``: checks of logs, sites, crawlers and clients, one module per command."""

import click

from aipolicy.cli.check.crawler import crawler
from aipolicy.cli.check.identity import identity
from aipolicy.cli.check.logs import logs
from aipolicy.cli.check.site import site


@click.group()
def check() -> None:
    """Check access logs, live sites, crawlers and clients against their policies."""


for command in (logs, identity, crawler, site):
    check.add_command(command)
