"""Counts of fetches by verdict and identity, for each value of a key."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from aipolicy.accesslog.schema import FETCHES, Verdict
from aipolicy.identity import Identity
from aipolicy.times import iso

_NAMES = {Verdict.ROBOTS_TXT_READ: "robots_txt_reads"}

_OWN = tuple(identity for identity in Identity if identity is not Identity.SPOOFED)

Keyed = tuple[Any, "Counters"]


@dataclass(slots=True)
class Counters:
    """The figures of one crawler, site, path or day; times in microseconds since the epoch.

    What clients did that only claimed to be the crawler is in none of those about *disallowed*.
    """

    verdicts: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(FETCHES, 0))
    identity: dict[Identity, int] = field(default_factory=lambda: dict.fromkeys(Identity, 0))
    disallowed_by_identity: dict[Identity, int] = field(default_factory=lambda: dict.fromkeys(_OWN, 0))
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
        """Add ``count`` fetches, the first and last of them at these times."""
        self.verdicts[verdict] += count
        self.identity[identity] += count
        self.first, self.last = _with(self.first, first, min), _with(self.last, last, max)
        if verdict is Verdict.DISALLOWED:
            self.disallowed_by_identity[identity] += count
            self.first_disallowed = _with(self.first_disallowed, first, min)
            self.last_disallowed = _with(self.last_disallowed, last, max)

    def to_dict(self) -> dict[str, Any]:
        """As the document has them."""
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


def counted(fetches: pl.LazyFrame, key: pl.Expr) -> pl.LazyFrame:
    """Rows of key, verdict, identity, count, and the first and last time."""
    times = pl.col("time")
    return fetches.group_by(key.alias("key"), "verdict", "identity").agg(
        pl.len().alias("count"), times.min().alias("first"), times.max().alias("last")
    )


def highest(rows: pl.DataFrame, most: int | None) -> pl.DataFrame:
    """Of what ``counted`` gave the rows of the keys that ``ranked`` puts first.

    Found in columns: there may be millions of keys, and counters take a kilobyte each.
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


def total_of(rows: pl.DataFrame) -> Counters:
    """What ``counted`` gave, all together."""
    return by_key(rows.with_columns(pl.lit("all").alias("key"))).get("all", Counters())


def by_key(rows: pl.DataFrame) -> dict[Any, Counters]:
    """What ``counted`` gave, by key."""
    found: dict[Any, Counters] = {}
    for key, verdict, identity, count, first, last in rows.iter_rows():
        found.setdefault(key, Counters()).add(Verdict(verdict), Identity(identity), count, first, last)
    return found


def ranked(found: Iterable[Keyed]) -> list[Keyed]:
    """The most disallowed fetches first, then the most fetches, then by key."""
    return sorted(found, key=lambda kv: (-kv[1].disallowed, -kv[1].fetches, kv[0] is None, str(kv[0])))


def _with(known: int | None, time: int, choose: Callable[[int, int], int]) -> int:
    return time if known is None else choose(known, time)
