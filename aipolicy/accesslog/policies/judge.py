"""Judge fetches by the policy in force."""

import math

import polars as pl

from aipolicy.accesslog.policies.decisions import Decisions
from aipolicy.accesslog.policies.parsed_robots import ParsedRobotsCache
from aipolicy.accesslog.policies.policy_table import PolicyTable
from aipolicy.accesslog.policies.versions import Policies
from aipolicy.core.crawlers import crawler_named
from aipolicy.errors import PolicyError

DEFAULT_GRACE_HOURS = 24.0
"""A crawler should not use a cached robots.txt for longer (RFC 9309 §2.4)."""

_HOUR = 3_600_000_000  # microseconds
_LONGEST_GRACE = 24 * 366 * 100.0


class Judge:
    """A judge that applies policies to fetches. Can be pickled.

    A crawler is not accused for a copy of robots.txt that it may still have: its window is ``grace_hours``,
    or a longer time that its operator documents. A documented shorter time (YouBot: half an hour) doesn't
    count: documentation may be outdated, and RFC 9309 §2.4 lets everyone keep a copy for a day.

    A crawler that no group names may use another's group if its operator documents that, as Applebot does
    with Googlebot's: it is allowed what either group allows.

    Raises:
        PolicyError: ``grace_hours`` is invalid.
    """

    def __init__(self, policies: Policies, grace_hours: float = DEFAULT_GRACE_HOURS) -> None:
        if not 0 <= grace_hours <= _LONGEST_GRACE:  # also refuses NaN
            fix = f"use a number from 0 to {_LONGEST_GRACE:.0f}"
            raise PolicyError(f"grace_hours is {grace_hours!r}; {fix}")
        self._policies = policies
        self._grace_hours = grace_hours
        self._parsed = ParsedRobotsCache()

    def __reduce__(self) -> tuple[type["Judge"], tuple[Policies, float]]:
        return type(self), (self._policies, self._grace_hours)

    def judge(self, fetches: pl.DataFrame) -> pl.DataFrame:
        """Return the same rows in the same order, with the verdicts.

        Args:
            fetches: host String|null (as in the log), time Int64 (microseconds since the epoch, UTC), crawler
                String (product token), path String|null; further columns are kept.

        Returns:
            ``fetches`` with these columns. Before a host's first version everything was allowed.

            - ``site`` String|null: canonical; the host if no policy is known; null for a missing or malformed
              host (a log without hosts is the site's if there is one site only).
            - ``known`` Boolean: a policy of that host is known, for any time.
            - ``allowed`` Boolean: the version in force allows it, or no rule matches.
            - ``graced`` Boolean: disallowed, but allowed by a version in force within the crawler's window
              before the fetch, both ends included.
            - ``rule`` String|null: the line that decided, as written without its comment.
            - ``rule_line`` Int32|null: its number.
            - ``policy`` String|null: the name of the version in force.

        Raises:
            AIPolicyError: the policies can't be read.
        """
        table = PolicyTable(self._policies, fetches["host"].unique())
        asked = table.in_force(fetches.select("host", "time", "crawler", "path"))
        decisions = Decisions(table.files, self._parsed)
        ruling = decisions.decide(asked)
        decided = decisions.rulings()[ruling.cast(pl.Int64)]
        graced = self._graced(table, decisions, asked.filter(~decided["allowed"]))
        return fetches.with_columns(
            asked["site"],
            asked["known"],
            decided["allowed"],
            asked["row"].is_in(graced.implode()).alias("graced"),
            decided["rule"],
            decided["rule_line"],
            asked["policy"],
        )

    def located(self, fetches: pl.DataFrame) -> pl.DataFrame:
        """Return the same rows in the same order with ``site`` as from ``judge``, without verdicts."""
        table = PolicyTable(self._policies, fetches["host"].unique())
        return fetches.with_columns(table.in_force(fetches.select("host", "time"))["site"])

    def _graced(self, table: PolicyTable, decisions: Decisions, disallowed: pl.DataFrame) -> pl.Series:
        """Return the rows that another version within the window allowed."""
        crawlers = disallowed["crawler"].unique()
        windows = pl.Series("window", map(self._window, crawlers.to_list()), dtype=pl.Int64)
        timed = disallowed.join(pl.DataFrame([crawlers, windows]), on="crawler")
        left = table.before(timed.with_columns(since=pl.col("time") - pl.col("window")))
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
