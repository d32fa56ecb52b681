"""Counts of fetches by verdict and identity, for each value of a key, and counts of robots.txt reads."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from aipolicy.accesslog.fetch_table import FETCHES, Verdict
from aipolicy.identity import Identity
from aipolicy.times import iso

_NAMES = {Verdict.ROBOTS_TXT_READ: "robots_txt_reads"}

_NOT_SPOOFED = tuple(identity for identity in Identity if identity is not Identity.SPOOFED)

Keyed = tuple[Any, "Counters"]


@dataclass(slots=True)
class Counters:
    """The counts of one crawler, site, path or day; times in microseconds since the epoch.

    Fetches by clients that only claimed to be the crawler are in none of the fields about *disallowed*.
    """

    verdicts: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(FETCHES, 0))
    identity: dict[Identity, int] = field(default_factory=lambda: dict.fromkeys(Identity, 0))
    disallowed_by_identity: dict[Identity, int] = field(
        default_factory=lambda: dict.fromkeys(_NOT_SPOOFED, 0)
    )
    first: int | None = None
    last: int | None = None
    first_disallowed: int | None = None
    last_disallowed: int | None = None

    @property
    def fetches(self) -> int:
        return sum(self.verdicts.values())

    @property
    def disallowed(self) -> int:
        return self.verdicts[Verdict.DISALLOWED]

    def add(self, verdict: Verdict, identity: Identity, count: int, first: int, last: int) -> None:
        """Add ``count`` fetches, made between the times ``first`` and ``last``."""
        self.verdicts[verdict] += count
        self.identity[identity] += count
        self.first, self.last = _with(self.first, first, min), _with(self.last, last, max)
        if verdict is Verdict.DISALLOWED:
            self.disallowed_by_identity[identity] += count
            self.first_disallowed = _with(self.first_disallowed, first, min)
            self.last_disallowed = _with(self.last_disallowed, last, max)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts under the keys of the document."""
        verdicts = {_NAMES.get(verdict, str(verdict)): count for verdict, count in self.verdicts.items()}
        return {
            "fetches": self.fetches,
            **verdicts,
            "identity": {str(i): count for i, count in self.identity.items()},
            "disallowed_by_identity": {str(i): count for i, count in self.disallowed_by_identity.items()},
            "first": iso(self.first),
            "last": iso(self.last),
            "first_disallowed": iso(self.first_disallowed),
            "last_disallowed": iso(self.last_disallowed),
        }


def count_by(fetches: pl.LazyFrame, key: pl.Expr) -> pl.LazyFrame:
    """Return rows of key, verdict, identity, count, and the first and last time."""
    times = pl.col("time")
    return fetches.group_by(key.alias("key"), "verdict", "identity").agg(
        pl.len().alias("count"), times.min().alias("first"), times.max().alias("last")
    )


def top_keys(rows: pl.DataFrame, most: int | None) -> pl.DataFrame:
    """Return those rows of ``count_by`` whose keys come first in the order of ``ranked``.

    This works in columns: there may be millions of keys, and Counters take a kilobyte each.
    """
    if most is None:
        return rows
    count = pl.col("count")
    keys = rows.group_by("key").agg(
        count.filter(pl.col("verdict") == str(Verdict.DISALLOWED)).sum().alias("disallowed"),
        count.sum().alias("fetches"),
    )
    first = keys.sort("disallowed", "fetches", "key", descending=[True, True, False], nulls_last=True).head(
        most
    )
    return rows.join(first, on="key", how="semi", nulls_equal=True)


def total(rows: pl.DataFrame) -> Counters:
    """Return the sum of the rows of ``count_by``."""
    return by_key(rows.with_columns(pl.lit("all").alias("key"))).get("all", Counters())


def by_key(rows: pl.DataFrame) -> dict[Any, Counters]:
    """Return the rows of ``count_by`` as counters by key."""
    found: dict[Any, Counters] = {}
    for key, verdict, identity, count, first, last in rows.iter_rows():
        found.setdefault(key, Counters()).add(Verdict(verdict), Identity(identity), count, first, last)
    return found


def ranked(found: Iterable[Keyed]) -> list[Keyed]:
    """Sort by most disallowed fetches, then most fetches, then key."""
    return sorted(found, key=lambda kv: (-kv[1].disallowed, -kv[1].fetches, kv[0] is None, str(kv[0])))


def _with(known: int | None, time: int, choose: Callable[[int, int], int]) -> int:
    return time if known is None else choose(known, time)


@dataclass(frozen=True, slots=True)
class RobotsReads:
    """The robots.txt reads of a crawler, on any site; times in microseconds.

    Reads by clients that only claimed to be the crawler are left out: they don't show what the crawler knew.
    All sites count because one operator runs a crawler for all, and a log may begin after it read the file of
    one.

    Attributes:
        lead: Time between the last read before the first disallowed fetch and that fetch; None if there is no
            such read or no disallowed fetch.
        unavailable: Reads answered 4xx, after which RFC 9309 §2.3.1.3 lets a crawler fetch anything. Without
            429, which means *later*.
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
    """Return the robots.txt reads of each crawler, by product token."""
    first_disallowed = [counters.first_disallowed for counters in crawlers.values()]
    disallowed = pl.LazyFrame(
        {"crawler": list(crawlers), "disallowed": first_disallowed},
        schema={"crawler": pl.String, "disallowed": pl.Int64},
    )
    time, status = pl.col("time"), pl.col("status")
    found = (
        rows.filter(pl.col("verdict") == str(Verdict.ROBOTS_TXT_READ))
        .filter(pl.col("identity") != str(Identity.SPOOFED))
        .join(disallowed, on="crawler")
        .group_by("crawler")
        .agg(
            pl.len().alias("reads"),
            time.min().alias("first"),
            time.max().alias("last"),
            (pl.col("disallowed") - time).filter(time <= pl.col("disallowed")).min().alias("lead"),
            (status.is_between(400, 499) & (status != 429)).sum().alias("unavailable"),
        )
        .collect(engine="streaming")
    )
    return {token: RobotsReads(*values) for token, *values in found.iter_rows()}
