"""The rows that a log is boiled down to: one for each request of a crawler, and each line that can't be read.

What all later figures come from: they are queries over this table, wherever it was made.
"""

from enum import StrEnum

import polars as pl


class Verdict(StrEnum):
    """What a row is. Each request of a crawler is exactly one of the first six."""

    ROBOTS_TXT_READ = "robots_txt_read"
    ALLOWED = "allowed"
    IN_GRACE = "in_grace"
    EXEMPT = "exempt"
    REFUSED = "refused"
    DISALLOWED = "disallowed"
    UNREADABLE = "unreadable"
    """A line that holds a crawler's token and can't be read; only file, line and text are there."""
    LEFT_OUT = "left_out"
    """A request of a crawler outside the period or the sites that were asked for; nothing else is there."""


FETCHES = tuple(v for v in Verdict if v not in (Verdict.UNREADABLE, Verdict.LEFT_OUT))

SCHEMA = pl.Schema(
    {
        "file": pl.String,
        "line": pl.Int64,  # from 1
        "verdict": pl.String,
        "crawler": pl.String,  # product token
        "site": pl.String,
        "known": pl.Boolean,  # whether a policy of the site is known
        "time": pl.Int64,  # microseconds since the epoch, UTC
        "path": pl.String,
        "status": pl.Int32,
        "address": pl.String,
        "identity": pl.String,
        "user_agent": pl.String,
        "rule": pl.String,
        "rule_line": pl.Int32,
        "policy": pl.String,  # the version in force
        "sha256": pl.String,  # of the line without its line end; of disallowed ones
        "text": pl.String,  # the start of an unreadable line
    }
)
