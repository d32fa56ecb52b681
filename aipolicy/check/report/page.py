"""The report as one HTML file: no script, no request, nothing in it that a log line can act through.

Four things keep it so, each enough by itself: every string that is printed goes through ``logged`` and then
autoescape; what a log says never becomes an attribute but ``datetime``; links only lead to numbered places
of the page; and the page's own Content-Security-Policy allows nothing but its one stylesheet, by hash.
"""

import base64
import hashlib
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from aipolicy.check.report import charts, words
from aipolicy.check.report.document import IDENTITIES, PURPOSES, VERDICTS, Document
from aipolicy.check.report.headline import headline
from aipolicy.check.report.logged import logged
from aipolicy.errors import MissingExtraError

if TYPE_CHECKING:
    from jinja2 import Template

LONGEST = 600
"""Characters of one string; a longer one is cut, and said to be. The evidence file has all."""

_POLICY = "default-src 'none'; style-src '{style}'; img-src 'none'; base-uri 'none'; form-action 'none'"
_FILTERS = ("counted", "hours", "robots_reading", "split", "typeset", "when")
_WIDE, _NARROW = 1000, 320  # CSS pixels


def html(document: Document) -> str:
    """The report of a summary document, ready to be written as UTF-8."""
    each = charts.charts(document, _NARROW)
    return _template().render(
        document=document,
        headline=headline(document),
        policy=_POLICY.format(style=_style_hash()),
        overviews=[chart for width in (_WIDE, _NARROW) if (chart := charts.overview(document, width))],
        charts=each if len(document["crawlers"]) > 1 else [],
        verdicts=VERDICTS,
        identities=IDENTITIES,
        purposes=PURPOSES,
    )


@lru_cache(maxsize=1)
def _style() -> str:
    # Read as text: whatever line ends an installation gave the file, a browser hashes \n.
    return resources.files(__package__).joinpath("templates/style.css").read_text(encoding="utf-8")


def _style_hash() -> str:
    digest = hashlib.sha256(_style().encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


@lru_cache(maxsize=1)
def _template() -> "Template":
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
        from markupsafe import Markup
    except ImportError:
        raise MissingExtraError("the HTML report needs jinja2: pip install 'aipolicy[check]'") from None
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        finalize=_printed,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {name: getattr(words, name) for name in _FILTERS}
    environment.globals["style"] = Markup(_style())  # noqa: S704 - the package's own file
    return environment.get_template("report.html")


def _printed(value: Any) -> Any:
    """What an expression of the template prints; markup, which only the templates make, stays as it is."""
    if type(value) is int:
        return f"{value:,}"
    return logged(value, LONGEST) if type(value) is str else value
