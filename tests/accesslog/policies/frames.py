"""Data frames of fetches for the judge."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from aipolicy.accesslog.policies import Judge, Policies

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Fetch = tuple[str | None, int, str, str | None]
"""Host, time, crawler, path."""

_SCHEMA = {"host": pl.String, "time": pl.Int64, "crawler": pl.String, "path": pl.String}


def fetches(*rows: Fetch) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def judged(policies: Policies, *rows: Fetch, grace_hours: float = 24.0) -> list[dict[str, Any]]:
    frame = fetches(*rows)
    found = Judge(policies, grace_hours).judge(frame)
    assert found.select(frame.columns).equals(frame)
    return found.drop(frame.columns).to_dicts()


def outcomes(policies: Policies, *rows: Fetch, grace_hours: float = 24.0) -> list[str]:
    """Return for each fetch: allowed, graced or disallowed."""
    return [
        "allowed" if row["allowed"] else "graced" if row["graced"] else "disallowed"
        for row in judged(policies, *rows, grace_hours=grace_hours)
    ]


def text(lines: Sequence[str]) -> bytes:
    return "\n".join([*lines, ""]).encode()


def iso(microseconds: int) -> str:
    return (EPOCH + timedelta(microseconds=microseconds)).isoformat().replace("+00:00", "Z")
