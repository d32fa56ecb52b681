"""What was found on live sites, for people: a page of HTML, a table for the terminal; and its JSON Schema.

Each takes the documents of sites (``schema()`` describes them). Strings in them came from strangers.
"""

import json
from importlib import resources
from typing import Any

from aipolicy.siteaudit.report.page import About, html
from aipolicy.siteaudit.report.terminal import full, short, total_line

__all__ = ["About", "full", "html", "schema", "short", "total_line"]


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what ``--json`` prints, version 1."""
    text = resources.files(__package__).joinpath("schema-1.json").read_bytes()
    document: dict[str, Any] = json.loads(text)
    return document
