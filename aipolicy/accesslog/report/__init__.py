"""Reports on access logs: an HTML page, tables for the terminal, and CSV rows.

Each is made from the summary document, which ``schema()`` describes. Every string in it may come from a log
and is treated as hostile.
"""

import json
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from aipolicy.accesslog.report import charts, labels
from aipolicy.accesslog.report.csv_rows import csv_rows
from aipolicy.accesslog.report.headline import headline
from aipolicy.accesslog.report.terminal import table
from aipolicy.report import wording
from aipolicy.report.self_contained import environment

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["csv_rows", "html", "schema", "table"]

_WIDE, _NARROW = 1000, 320  # CSS pixels


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the summary document, version 2."""
    text = resources.files(__package__).joinpath("schema-2.json").read_bytes()
    document: dict[str, Any] = json.loads(text)
    return document


def html(document: labels.Document) -> str:
    """Return the HTML page of a summary document: one file without scripts or external requests.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    by_crawler = charts.charts(document, _NARROW)
    return _template().render(
        document=document,
        headline=headline(document),
        overviews=[chart for width in (_WIDE, _NARROW) if (chart := charts.overview(document, width))],
        charts=by_crawler if len(document["crawlers"]) > 1 else [],
        verdicts=labels.VERDICTS,
        identities=labels.IDENTITIES,
    )


@lru_cache(maxsize=1)
def _template() -> "Template":
    jinja = environment(__package__)
    for module, names in (
        (wording, ("counted", "hours", "typeset", "when")),
        (labels, ("identity_counts", "operator_and_purpose", "own_fetches", "robots_reading")),
    ):
        jinja.filters |= {name: getattr(module, name) for name in names}
    return jinja.get_template("report.html")
