"""The template environment of reports that are one HTML file: no script, no request, no active content.

Four measures ensure this, each sufficient by itself: every printed string goes through ``printable`` and then
autoescape; untrusted text is in no attribute but ``datetime``; links only lead to numbered sections of the
page; and the page's Content-Security-Policy allows nothing but its one stylesheet, by hash.
"""

import base64
import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Any

from aipolicy.errors import MissingExtraError
from aipolicy.report.text import printable

if TYPE_CHECKING:
    from jinja2 import Environment

LONGEST = 600
"""Maximum characters of one string; a longer one is cut, and its length is stated."""

_PACKAGE = "aipolicy.report"
_POLICY = "default-src 'none'; style-src '{style}'; img-src 'none'; base-uri 'none'; form-action 'none'"


def environment(*packages: str) -> "Environment":
    """Return a Jinja environment with the templates of ``packages`` and the shared ones.

    Its globals are ``style``, the stylesheets of all of them, and ``policy``, which allows only these.

    Raises:
        MissingExtraError: jinja2 is not installed.
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
    # Read as text: a browser hashes \n, whatever line ends the installed file has.
    style = resources.files(package).joinpath("templates/style.css")
    return style.read_text(encoding="utf-8") if style.is_file() else ""


def _printed(value: Any) -> Any:
    """Return the text that a template prints for a value; markup, which only templates make, is unchanged."""
    if type(value) is int:
        return f"{value:,}"
    return printable(value, LONGEST) if type(value) is str else value
