"""Reports of audits for people, in HTML and for the terminal, and the JSON Schema of the documents.

Each report is made from the documents of sites, whose strings are untrusted.
"""

import json
from importlib import resources
from typing import Any

from aipolicy.siteaudit.report.page import ReportInfo, html
from aipolicy.siteaudit.report.terminal import full, short, total_line

__all__ = ["ReportInfo", "full", "html", "schema", "short", "total_line"]


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the output of ``--json``, version 2."""
    text = resources.files(__package__).joinpath("schema-2.json").read_bytes()
    document: dict[str, Any] = json.loads(text)
    return document
