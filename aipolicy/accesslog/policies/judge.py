"""What the policy in force said of each fetch."""

import math

import polars as pl

from aipolicy.accesslog.policies.decisions import Decisions
from aipolicy.accesslog.policies.parsed_robots import Readings
from aipolicy.accesslog.policies.policy_table import Batch
from aipolicy.accesslog.policies.versions import Policies
from aipolicy.core.crawlers import crawler_named
from aipolicy.errors import PolicyError

DEFAULT_GRACE_HOURS = 24.0
"""RFC 9309 §2.4: a crawler should not use a cached copy for longer."""

_HOUR = 3_600_000_000  # microseconds
_LONGEST_GRACE = 24 * 366 * 100.0


class Judge:
    """Judges fetches by ``policies``. Can be pickled.

    A crawler is not accused for a copy of robots.txt that it may still have: its window is ``grace_hours``,
    or what its operator documents where that is longer. A documented shorter one (YouBot: half an hour) does
    not shorten it: operators change what they do before they change what they write, and RFC 9309 §2.4 lets
    everyone keep a copy for a day.

    Nor is it accused for going by another crawler's group where none names it, as Applebot by Googlebot's, if
    its operator documents that: what either group allows is allowed. Raises PolicyError for hours that are
    none.
    """

    def __init__(self, policies: Policies, grace_hours: float = DEFAULT_GRACE_HOURS) -> None:
        if not 0 <= grace_hours <= _LONGEST_GRACE:  # NaN neither
            fix = f"write a number from 0 to {_LONGEST_GRACE:.0f}"
            raise PolicyError(f"grace_hours is {grace_hours!r}: {fix}")
        self._policies = policies
        self._grace_hours = grace_hours
        self._readings = Readings()

    def __reduce__(self) -> tuple[type["Judge"], tuple[Policies, float]]:
        return type(self), (self._policies, self._grace_hours)

    def judge(self, fetches: pl.DataFrame) -> pl.DataFrame:
        """The same rows in the same order, with the columns

        ``site``       String|null: canonical; the host where no policy is known; null: no or a malformed host
                       (a log without hosts is the site's where the policies are of one site);
        ``known``      Boolean: some policy of that host is known, of whatever time;
        ``allowed``    Boolean: by the version in force, or nothing speaks of it;
        ``graced``     Boolean: disallowed, but allowed by a version that was in force within the crawler's
                       window before the fetch; both of its ends are within;
        ``rule``       String|null: the line that decided, as written without its comment;
        ``rule_line``  Int32|null: its number;
        ``policy``     String|null: the name of the version in force.

        ``fetches``: host String|null (as in the log), time Int64 (microseconds since the epoch, UTC), crawler
        String (product token), path String|null; more columns are left as they are. Before a host's first
        version nothing was asked. Raises AIPolicyError where the policies can't be read.
        """
        batch = Batch(self._policies, fetches["host"].unique())
        asked = batch.in_force(fetches.select("host", "time", "crawler", "path"))
        decisions = Decisions(batch.files, self._readings)
        ruling = decisions.decide(asked)
        told = decisions.rulings()[ruling.cast(pl.Int64)]
        graced = self._graced(batch, decisions, asked.filter(~told["allowed"]))
        return fetches.with_columns(
            asked["site"],
            asked["known"],
            told["allowed"],
            asked["row"].is_in(graced.implode()).alias("graced"),
            told["rule"],
            told["rule_line"],
            asked["policy"],
        )

    def located(self, fetches: pl.DataFrame) -> pl.DataFrame:
        """The same rows in the same order, with ``site`` as ``judge`` has it, and nothing judged."""
        batch = Batch(self._policies, fetches["host"].unique())
        return fetches.with_columns(batch.in_force(fetches.select("host", "time"))["site"])

    def _graced(self, batch: Batch, decisions: Decisions, disallowed: pl.DataFrame) -> pl.Series:
        """The rows of those that another version allowed not long before."""
        crawlers = disallowed["crawler"].unique()
        windows = pl.Series("window", map(self._window, crawlers.to_list()), dtype=pl.Int64)
        timed = disallowed.join(pl.DataFrame([crawlers, windows]), on="crawler")
        left = batch.before(timed.with_columns(since=pl.col("time") - pl.col("window")))
        graced = [left["row"].clear()]
        step = 0
        while left.height:
            # The step-th of the other files that were in force, the latest first.
            left = left.with_columns(file=pl.col("earlier").list.get(step, null_on_oob=True)).drop_nulls(
                "file"
            )
            ruling = decisions.decide(left)
            allowed = decisions.rulings()["allowed"][ruling.cast(pl.Int64)]
            graced.append(left["row"].filter(allowed))
            left = left.filter(~allowed)
            step += 1
        return pl.concat(graced)

    def _window(self, crawler: str) -> int:
        known = crawler_named(crawler)
        documented = known.robots_cache_hours if known and known.robots_cache_hours else 0
        return math.ceil(max(self._grace_hours, documented) * _HOUR)
