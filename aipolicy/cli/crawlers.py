"""``aipolicy crawlers``: the crawler table."""

import dataclasses
from typing import Any

import click

from aipolicy.cli.options import json_option, print_json, print_rows
from aipolicy.core.crawlers import CRAWLERS, Crawler, Purpose


@click.command()
@click.option(
    "--purpose", type=click.Choice(list(map(str, Purpose))), help="Only crawlers that come for this."
)
@json_option
def crawlers(purpose: str | None, as_json: bool) -> None:
    """List the known crawlers: who runs each, what for, and whether its operator says it obeys robots.txt.

    \b
    aipolicy crawlers --purpose training
    aipolicy crawlers --json
    """
    chosen = [crawler for crawler in CRAWLERS if purpose in (None, crawler.purpose)]
    if as_json:
        print_json([_document(crawler) for crawler in chosen])
    else:
        heading = ("product token", "operator", "purpose", "obeys", "blocked by")
        print_rows(
            ((c.product_token, c.operator, c.purpose, c.obeys_robots_txt, _blocked_by(c)) for c in chosen),
            heading,
        )


def _blocked_by(crawler: Crawler) -> str:
    return ", ".join(f"{category}=n" for category in crawler.purpose.categories) or "never"


def _document(crawler: Crawler) -> dict[str, Any]:
    blocked_by = [str(category) for category in crawler.purpose.categories]
    return dataclasses.asdict(crawler) | {"checked": crawler.checked.isoformat(), "blocked_by": blocked_by}
