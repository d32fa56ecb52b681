"""The rows that a log is boiled down to: one for each request of a crawler, and each line that can't be read.

What all later figures come from: they are queries over this table, wherever it was made.
"""

from enum import StrEnum

import polars as pl


class Verdict(StrEnum):
    """The verdict of a row. Each request of a crawler is exactly one of the first seven."""

    ROBOTS_TXT_READ = "robots_txt_read"
    ALLOWED = "allowed"
    IN_GRACE = "in_grace"
    EXEMPT = "exempt"
    REFUSED = "refused"
    DISALLOWED = "disallowed"
    DISALLOWED_SPOOFED = "disallowed_spoofed"
    """Disallowed, by a client that only claims to be the crawler: never held against its operator."""
    UNREADABLE = "unreadable"
    """A line that holds a crawler's token and can't be read; only file, line and text are there."""
    LEFT_OUT = "left_out"
    """A request of a crawler outside the period or the sites that were asked for; nothing else is there, but
    ``site`` where the request names another site in its target (RFC 9112 §3.2.2)."""
    UNKNOWN_CRAWLER = "unknown_crawler"
    """A request by a crawler that neither the table nor the site's policy names: ``crawler`` is what it calls
    itself. It is counted apart, and not judged."""


FETCHES = tuple(list(Verdict)[:7])

DISALLOWED = (Verdict.DISALLOWED, Verdict.DISALLOWED_SPOOFED)
"""The verdicts of which evidence is kept."""

SCHEMA = pl.Schema(
    {
        "file": pl.String,
        "line": pl.Int64,  # from 1
        "verdict": pl.String,
        "crawler": pl.String,  # product token; of an unknown crawler the name that it gives itself
        "site": pl.String,
        "known": pl.Boolean,  # whether a policy of the site is known
        "time": pl.Int64,  # microseconds since the epoch, UTC
        "path": pl.String,
        "status": pl.Int32,
        "address": pl.String,
        "identity": pl.String,
        "proxy": pl.String,  # operator of the CDN or load balancer that has the address; "": it is private
        "forwarded": pl.Int32,  # which address of the forwarded column would verify the client; null: none
        "user_agent": pl.String,
        "rule": pl.String,
        "rule_line": pl.Int32,
        "policy": pl.String,  # the version in force
        "sha256": pl.String,  # of the line without its line end; of disallowed ones
        "text": pl.String,  # the start of an unreadable line
    }
)
