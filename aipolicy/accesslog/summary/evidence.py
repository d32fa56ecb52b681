"""Rows that show what the figures mean: the first disallowed fetches, and lines that could not be read.

Those of clients that only claimed to be a crawler stand apart from the crawler's.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from aipolicy.accesslog.schema import DISALLOWED, Verdict
from aipolicy.times import iso

EVIDENCE = (
    "file",
    "line",
    "time",
    "site",
    "path",
    "rule",
    "rule_line",
    "policy",
    "status",
    "address",
    "user_agent",
    "identity",
    "sha256",
)
"""What is told of a disallowed fetch."""

_ORDER = ("time", "file", "line")


def examples(
    parts: Sequence[pl.LazyFrame], most: int | None, verdict: Verdict = Verdict.DISALLOWED
) -> dict[str, list[dict[str, Any]]]:
    """The first disallowed fetches of each crawler, by product token; or those in its name."""
    found = _first(parts, verdict, ("crawler", *EVIDENCE), most)
    shown: dict[str, list[dict[str, Any]]] = {}
    for row in found.iter_rows(named=True):
        shown.setdefault(row.pop("crawler"), []).append(row | {"time": iso(row["time"])})
    return shown


def unreadable(parts: Sequence[pl.LazyFrame], most: int | None) -> list[dict[str, Any]]:
    """The first lines that hold a crawler's token and can't be read."""
    found = _first(parts, Verdict.UNREADABLE, ("crawler", "time", "file", "line", "text"), most)
    return found.select("file", "line", "text").to_dicts()


def _first(
    parts: Sequence[pl.LazyFrame], verdict: Verdict, columns: Sequence[str], most: int | None
) -> pl.DataFrame:
    """The first rows of each crawler, whatever the order of the logs."""
    found = pl.DataFrame()
    for part in parts:  # one after the other: all of them together may not fit into memory
        rows = part.filter(pl.col("verdict") == str(verdict))
        if most is not None:
            # Which ones they are is told by a few columns, and the others are much larger.
            keys = _firsts(rows.select("crawler", *_ORDER).collect(engine="streaming"), most)
            rows = rows.join(keys.lazy(), on=["file", "line"], how="semi")
        found = pl.concat([found, rows.select(columns).collect(engine="streaming")], how="diagonal")
        found = _firsts(found, most)
    return found


def _firsts(rows: pl.DataFrame, most: int | None) -> pl.DataFrame:
    ordered = rows.sort(_ORDER)
    return ordered if most is None else ordered.group_by("crawler", maintain_order=True).head(most)


def write_evidence(parts: Sequence[pl.LazyFrame], path: Path) -> None:
    """Every disallowed fetch, in the order of the logs, into a Parquet file. Raises OSError.

    ``verdict`` says whether it was the crawler (``disallowed``) or somebody who only claimed to be it.
    """
    time = pl.from_epoch("time", time_unit="us").dt.replace_time_zone("UTC")
    disallowed = pl.concat(parts).filter(pl.col("verdict").is_in(list(map(str, DISALLOWED))))
    columns = (pl.col("crawler").alias("product_token"), "verdict", *EVIDENCE)
    rows = disallowed.select(columns).with_columns(time)
    try:
        rows.sink_parquet(path, maintain_order=True)
    except pl.exceptions.ComputeError as error:
        if "os error" not in str(error):
            raise
        raise OSError(str(error)) from error  # which it is, with another name
