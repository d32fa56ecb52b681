"""The rows behind the figures: disallowed fetches, and lines that can't be read.

Fetches by clients that only claimed to be a crawler are separate from the crawler's.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from aipolicy.accesslog.fetch_table import DISALLOWED, Verdict
from aipolicy.times import iso

_COLUMNS = (
    *("file", "line", "time", "site", "path", "rule", "rule_line", "policy", "status", "address"),
    *("user_agent", "identity", "sha256"),
)
_ORDER = ("time", "file", "line")


def examples(
    parts: Sequence[pl.LazyFrame], most: int | None, verdict: Verdict = Verdict.DISALLOWED
) -> dict[str, list[dict[str, Any]]]:
    """Return the first fetches of each crawler with a verdict, by product token."""
    rows = _first(parts, verdict, ("crawler", *_COLUMNS), most)
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows.iter_rows(named=True):
        found.setdefault(row.pop("crawler"), []).append(row | {"time": iso(row["time"])})
    return found


def unreadable(parts: Sequence[pl.LazyFrame], most: int | None) -> list[dict[str, Any]]:
    """Return the first lines that contain a crawler's token and can't be read."""
    found = _first(parts, Verdict.UNREADABLE, ("crawler", "time", "file", "line", "text"), most)
    return found.select("file", "line", "text").to_dicts()


def _first(
    parts: Sequence[pl.LazyFrame], verdict: Verdict, columns: Sequence[str], most: int | None
) -> pl.DataFrame:
    """Return the first rows of each crawler by time, whatever the order of the logs."""
    found = pl.DataFrame()
    for part in parts:  # one by one, since all together may not fit into memory
        rows = part.filter(pl.col("verdict") == str(verdict))
        if most is not None:
            # A few columns determine the rows, and the others are much larger.
            keys = _first_of_each(rows.select("crawler", *_ORDER).collect(engine="streaming"), most)
            rows = rows.join(keys.lazy(), on=["file", "line"], how="semi")
        found = pl.concat([found, rows.select(columns).collect(engine="streaming")], how="diagonal")
        found = _first_of_each(found, most)
    return found


def _first_of_each(rows: pl.DataFrame, most: int | None) -> pl.DataFrame:
    ordered = rows.sort(_ORDER)
    return ordered if most is None else ordered.group_by("crawler", maintain_order=True).head(most)


def write_evidence(parts: Sequence[pl.LazyFrame], path: Path) -> None:
    """Write every disallowed fetch to a Parquet file, in the order of the logs.

    In the column ``verdict``, ``disallowed`` is a fetch by the crawler, and ``disallowed_spoofed`` one by a
    client that only claimed to be the crawler.

    Raises:
        OSError: the file can't be written.
    """
    time = pl.from_epoch("time", time_unit="us").dt.replace_time_zone("UTC")
    disallowed = pl.concat(parts).filter(pl.col("verdict").is_in(list(map(str, DISALLOWED))))
    columns = (pl.col("crawler").alias("product_token"), "verdict", *_COLUMNS)
    rows = disallowed.select(columns).with_columns(time)
    try:
        rows.sink_parquet(path, maintain_order=True)
    except pl.exceptions.ComputeError as error:
        if "os error" not in str(error):
            raise
        raise OSError(str(error)) from error
