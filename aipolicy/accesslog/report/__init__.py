"""The outcome of a check, for people: an HTML report, a table for the terminal, rows for CSV.

Each takes the summary document (``schema()`` describes it). Strings in it came from logs and are taken for
hostile, wherever they stand.
"""

import json
from importlib import resources
from typing import Any

from aipolicy.accesslog.report.csv_rows import csv_rows
from aipolicy.accesslog.report.page import html
from aipolicy.accesslog.report.terminal import table

__all__ = ["csv_rows", "html", "schema", "table"]


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the summary document, version 2."""
    text = resources.files(__package__).joinpath("schema-2.json").read_bytes()
    document: dict[str, Any] = json.loads(text)
    return document
