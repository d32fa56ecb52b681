"""The report as one HTML file: see ``selfcontained`` for what it can't do, whatever a log line says."""

from functools import lru_cache
from typing import TYPE_CHECKING

from aipolicy.accesslog.report import charts
from aipolicy.accesslog.report.headline import headline
from aipolicy.report import wording
from aipolicy.report.document import IDENTITIES, VERDICTS, Document, whose
from aipolicy.report.self_contained import environment

if TYPE_CHECKING:
    from jinja2 import Template

_FILTERS = ("counted", "hours", "robots_reading", "split", "typeset", "when")
_WIDE, _NARROW = 1000, 320  # CSS pixels


def html(document: Document) -> str:
    """The report of a summary document, ready to be written as UTF-8."""
    each = charts.charts(document, _NARROW)
    return _template().render(
        document=document,
        headline=headline(document),
        overviews=[chart for width in (_WIDE, _NARROW) if (chart := charts.overview(document, width))],
        charts=each if len(document["crawlers"]) > 1 else [],
        verdicts=VERDICTS,
        identities=IDENTITIES,
    )


@lru_cache(maxsize=1)
def _template() -> "Template":
    found = environment(__package__)
    found.filters |= {name: getattr(wording, name) for name in _FILTERS} | {"whose": whose}
    return found.get_template("report.html")
