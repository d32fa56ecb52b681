"""Counts beside those of the crawlers: unknown ones, statuses, and proxies that stand for clients."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from aipolicy.accesslog.policies import best_spelling
from aipolicy.accesslog.schema import DISALLOWED, FETCHES, Verdict
from aipolicy.identity.proxies import HEADERS
from aipolicy.times import iso

_MOST_NAMES = 100_000
"""Names that are kept while the parts of a log come in: whoever sends requests chooses them."""

_ANY_HEADER = "X-Forwarded-For"


def in_one_spelling(parts: Sequence[pl.LazyFrame]) -> list[pl.LazyFrame]:
    """``parts``, each crawler that only policies name under one name, however they and it spell that."""
    judged = pl.concat(parts).filter(pl.col("verdict").is_in(list(map(str, FETCHES))))
    names = judged.select(pl.col("crawler").unique()).collect(engine="streaming")["crawler"]
    spellings: dict[str, set[str]] = {}
    for name in names.drop_nulls():
        spellings.setdefault(name.lower(), set()).add(name)
    best = {
        name: best_spelling(several) for several in spellings.values() if len(several) > 1 for name in several
    }
    if not best:
        return list(parts)
    return [part.with_columns(pl.col("crawler").replace(best)) for part in parts]


def unknown_crawlers(parts: Sequence[pl.LazyFrame], top: int | None) -> dict[str, Any]:
    """Crawlers that introduce themselves and that neither the table nor a policy names, most fetches first.

    Memory is bounded: past 100,000 names those with the fewest fetches so far are only counted together.
    """
    lower = pl.col("crawler").str.to_lowercase()
    spelling = pl.coalesce(
        pl.col("crawler").filter(pl.col("crawler") != lower).max(), pl.col("crawler").max()
    )
    schema = {
        "name": pl.String,
        "crawler": pl.String,
        "fetches": pl.UInt64,
        "first": pl.Int64,
        "last": pl.Int64,
    }
    found = pl.DataFrame(schema=schema | {"user_agent": pl.String})
    fetches = 0
    for part in parts:
        rows = part.filter(pl.col("verdict") == str(Verdict.UNKNOWN_CRAWLER))
        counted = rows.group_by(lower.alias("name")).agg(
            spelling.alias("crawler"),
            pl.len().cast(pl.UInt64).alias("fetches"),
            pl.col("time").min().alias("first"),
            pl.col("time").max().alias("last"),
            pl.col("user_agent").min(),
        )
        more = counted.collect(engine="streaming")
        fetches += int(more["fetches"].sum())
        found = (
            pl.concat([found, more.select(found.columns)])
            .group_by("name")
            .agg(
                spelling.alias("crawler"),
                pl.col("fetches").sum(),
                pl.col("first").min(),
                pl.col("last").max(),
                pl.col("user_agent").min(),
            )
        )
        found = found.sort("fetches", "name", descending=[True, False]).head(_MOST_NAMES)
    listed = found.head(len(found) if top is None else top)
    return {
        "fetches": fetches,
        "names": len(found),
        "listed": [
            {"name": name, "fetches": count, "first": iso(first), "last": iso(last), "user_agent": user_agent}
            for name, count, first, last, user_agent in listed.select(
                "crawler", "fetches", "first", "last", "user_agent"
            ).iter_rows()
        ],
    }


def statuses(rows: pl.LazyFrame) -> list[dict[str, Any]]:
    """Return how each status counted among the fetches that the policy in force closed, in order."""
    closed = (Verdict.REFUSED, *DISALLOWED)
    found = rows.filter(pl.col("verdict").is_in(list(map(str, closed))))
    counted = found.group_by("status", "verdict").len().collect(engine="streaming")
    by: dict[int | None, dict[str, int]] = {}
    for status, verdict, count in counted.iter_rows():
        by.setdefault(status, dict.fromkeys(map(str, closed), 0))[verdict] += count
    return [
        {"status": status, "counts_as": "refused" if counts[Verdict.REFUSED] else "fetched", **counts}
        for status, counts in sorted(by.items(), key=lambda one: (one[0] is None, one[0] or 0))
    ]


def proxies(rows: pl.LazyFrame) -> list[dict[str, Any]]:
    """Return the proxies whose addresses stand for clients', and how many a forwarded column would verify."""
    behind = rows.filter(pl.col("proxy").is_not_null()).group_by("proxy", "forwarded").len()
    by: dict[str, dict[int | None, int]] = {}
    for operator, number, count in behind.collect(engine="streaming").iter_rows():
        by.setdefault(operator, {})[number] = count
    return [
        _proxy(operator, counts)
        for operator, counts in sorted(by.items(), key=lambda one: (-sum(one[1].values()), one[0]))
    ]


def _proxy(operator: str, counts: Mapping[int | None, int]) -> dict[str, Any]:
    numbers = {number: count for number, count in counts.items() if number is not None}
    best = max(numbers, key=lambda number: (numbers[number], -number), default=None)
    return {
        "operator": operator or None,
        "fetches": sum(counts.values()),
        "header": HEADERS.get(operator, _ANY_HEADER),
        "forwarded": best,
        "would_verify": 0 if best is None else numbers[best],
    }


def elsewhere(rows: pl.LazyFrame) -> tuple[int, str | None]:
    """Return the number of requests that name another site in their target, and one of these sites."""
    found = rows.filter((pl.col("verdict") == str(Verdict.LEFT_OUT)) & pl.col("site").is_not_null())
    count, site = found.select(pl.len(), pl.col("site").min()).collect(engine="streaming").row(0)
    return count, site
