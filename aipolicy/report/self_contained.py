"""What every report as one HTML file has in common: no script, no request, nothing that data can act through.

Four things keep it so, each enough by itself: every string that is printed goes through ``logged`` and then
autoescape; what a stranger wrote never becomes an attribute but ``datetime``; links only lead to numbered
places of the page; and the page's own Content-Security-Policy allows nothing but its one stylesheet, by hash.
"""

import base64
import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Any

from aipolicy.errors import MissingExtraError
from aipolicy.report.untrusted_text import logged

if TYPE_CHECKING:
    from jinja2 import Environment

LONGEST = 600
"""Characters of one string; a longer one is cut, and said to be."""

_PACKAGE = "aipolicy.report"
_POLICY = "default-src 'none'; style-src '{style}'; img-src 'none'; base-uri 'none'; form-action 'none'"


def environment(*packages: str) -> "Environment":
    """Jinja with the templates of ``packages``, then the report's own. Raises MissingExtraError.

    Globals: ``style``, the stylesheets of all of them, and ``policy``, which allows just that.
    """
    try:
        from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape
        from markupsafe import Markup
    except ImportError:
        raise MissingExtraError.for_extra("the HTML report needs jinja2", "check") from None
    found = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in (*packages, _PACKAGE)]),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        finalize=_printed,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = "".join(_style(package) for package in (_PACKAGE, *packages))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    found.globals["style"] = Markup(style)  # noqa: S704 - the packages' own files
    found.globals["policy"] = _POLICY.format(style=f"sha256-{digest}")
    return found


def _style(package: str) -> str:
    # Read as text: whatever line ends an installation gave the file, a browser hashes \n.
    style = resources.files(package).joinpath("templates/style.css")
    return style.read_text(encoding="utf-8") if style.is_file() else ""


def _printed(value: Any) -> Any:
    """What an expression of a template prints; markup, which only the templates make, stays as it is."""
    if type(value) is int:
        return f"{value:,}"
    return logged(value, LONGEST) if type(value) is str else value
