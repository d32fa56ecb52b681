"""Helpers for the tests of log formats."""

from datetime import datetime
from typing import Any

import polars as pl

from aipolicy.accesslog.formats import LogFormat, parse_format

GPTBOT = "Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)"
NOTHING = dict.fromkeys(("host", "address", "time", "path", "status", "user_agent"))


def rows(log_format: LogFormat | str, *lines: str, forwarded: int = 0) -> list[dict[str, Any]]:
    """Return the rows of lines as dictionaries."""
    found = parse_format(log_format) if isinstance(log_format, str) else log_format
    return found.parse(pl.Series(lines, dtype=pl.String), forwarded=forwarded).to_dicts()


def row(log_format: LogFormat | str, line: str, *, forwarded: int = 0) -> dict[str, Any]:
    """Return the row of a readable line."""
    (found,) = rows(log_format, line, forwarded=forwarded)
    assert found.pop("ok"), line
    return found


def unread(log_format: LogFormat | str, line: str) -> bool:
    """Return True if a line is unreadable and all its columns are null."""
    (found,) = rows(log_format, line)
    return found == {**NOTHING, "ok": False}


def at(text: str) -> int:
    """Return an ISO 8601 time as microseconds since the epoch."""
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo is not None
    return round(moment.timestamp()) * 1_000_000 + moment.microsecond
