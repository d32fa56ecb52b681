"""Whether each crawler read robots.txt, and when: before what it was disallowed, or not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from aipolicy.accesslog.schema import Verdict
from aipolicy.accesslog.summary.counters import Counters
from aipolicy.identity import Identity
from aipolicy.times import iso


@dataclass(frozen=True, slots=True)
class RobotsReads:
    """Return how often and when, and how long before its first disallowed fetch it had last read one.

    Without the reads of those who only claimed to be it: they show nothing of what the crawler knew.

    Microseconds; ``lead`` None: it had not, or nothing was disallowed. On any site: crawlers are run by one
    operator, and a log may begin after they read. ``unavailable`` counts those answered 4xx, after which RFC
    9309 §2.3.1.3 lets a crawler fetch anything (429 is no such answer: it says *later*).
    """

    reads: int = 0
    first: int | None = None
    last: int | None = None
    lead: int | None = None
    unavailable: int = 0

    def to_dict(self) -> dict[str, Any]:
        seconds = None if self.lead is None else self.lead / 1_000_000
        if seconds is not None and seconds.is_integer():
            seconds = int(seconds)
        return {
            "own_reads": self.reads,
            "first_read": iso(self.first),
            "last_read": iso(self.last),
            "seconds_before_first_disallowed": seconds,
            "unavailable": self.unavailable,
        }


def robots_reads(rows: pl.LazyFrame, crawlers: Mapping[str, Counters]) -> dict[str, RobotsReads]:
    """The reads of each crawler, by product token."""
    broke = pl.LazyFrame(
        {"crawler": list(crawlers), "broke": [counters.first_disallowed for counters in crawlers.values()]},
        schema={"crawler": pl.String, "broke": pl.Int64},
    )
    time, status = pl.col("time"), pl.col("status")
    found = (
        rows.filter(pl.col("verdict") == str(Verdict.ROBOTS_TXT_READ))
        .filter(pl.col("identity") != str(Identity.SPOOFED))
        .join(broke, on="crawler")
        .group_by("crawler")
        .agg(
            pl.len().alias("reads"),
            time.min().alias("first"),
            time.max().alias("last"),
            (pl.col("broke") - time).filter(time <= pl.col("broke")).min().alias("lead"),
            (status.is_between(400, 499) & (status != 429)).sum().alias("unavailable"),
        )
        .collect(engine="streaming")
    )
    return {token: RobotsReads(*told) for token, *told in found.iter_rows()}
