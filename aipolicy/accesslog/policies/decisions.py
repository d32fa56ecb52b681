"""Decisions of robots.txt files about many crawlers and paths at once.

A crawler that no group names may use another crawler's group if its operator documents that. RFC 9309 has no
such rule, so the other group can only excuse a fetch: no crawler is accused by a group that doesn't bind it.
"""

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from aipolicy.accesslog.policies.parsed_robots import ParsedRobots, ParsedRobotsCache, decides_alike
from aipolicy.accesslog.policies.paths import reads_policy
from aipolicy.core.crawlers import CrawlerTable, from_table
from aipolicy.core.paths import normalise
from aipolicy.robotstxt.matching import Binding
from aipolicy.robotstxt.product_tokens import STAND_INS

NO_RULE = 0
"""The ruling if no rule matches the path: it is allowed."""

_SHARED = dict(
    {token: (other,) for token, other in STAND_INS.items()},
    **{
        # "Some crawlers have more than one user agent token": Google's list of its common crawlers.
        "google-cloudvertexbot": ("Googlebot",),
        "googleother-image": ("GoogleOther",),
        "googleother-video": ("GoogleOther",),
        # Amazon says that it follows the rules for other search crawlers, and not which ones.
        "amzn-searchbot": ("Googlebot", "bingbot"),
    },
)


class Decisions:
    """The decisions of some files, equal to those of ``aipolicy.robotstxt.verdict``.

    A crawler that may use another's group is allowed what either group allows.

    A *ruling* is a number for a rule of one file; ``rulings`` is the table of all of them.
    """

    def __init__(self, files: Sequence[bytes], parsed: ParsedRobotsCache) -> None:
        self._files = files
        self._parsed = parsed
        self._allowed: list[bool] = [True]
        self._rules: list[str | None] = [None]
        self._lines: list[int | None] = [None]
        self._numbers: dict[tuple[int, int], int] = {}  # file and line → ruling

    def rulings(self) -> pl.DataFrame:
        """Return a row per ruling: allowed Boolean, rule String|null (as written), rule_line Int32|null."""
        columns = {"allowed": self._allowed, "rule": self._rules, "rule_line": self._lines}
        return pl.DataFrame(
            columns, schema={"allowed": pl.Boolean, "rule": pl.String, "rule_line": pl.Int32}, strict=True
        )

    def decide(self, asked: pl.DataFrame) -> pl.Series:
        """Return the ruling (UInt32) on each row.

        Args:
            asked: file Int32 (an index of the files), crawler String (product token), path String|null. An
                empty path is ``/``; no rule matches a path without a slash, like the ``*`` of OPTIONS.
        """
        path = pl.col("path").fill_null("").replace("", "/")
        asked = asked.select("file", "crawler", path).with_row_index("row")
        ruling = self._ruled(asked)
        others = self._by_alternatives(asked, ruling)
        if others.is_empty():
            return ruling
        again = self._ruled(others)
        excused = others.select("row", excused=again).filter(self._allows(again))
        found = asked.select("row", ruling=ruling).join(
            excused.unique("row", keep="first", maintain_order=True),
            on="row",
            how="left",
            maintain_order="left",
        )
        return found.select(ruling=pl.coalesce("excused", "ruling"))["ruling"]

    def _by_alternatives(self, asked: pl.DataFrame, ruling: pl.Series) -> pl.DataFrame:
        """Return the disallowed rows of crawlers that no group names, once for each group they may use."""
        others_of = _alternatives()
        concerned = pl.col("crawler").is_in(list(others_of)) & ~self._allows(ruling)
        disallowed = asked.filter(concerned)
        pairs = disallowed.select("file", "crawler").unique()
        others = [
            [] if self._names(file, crawler) else [n for n in others_of[crawler] if self._names(file, n)]
            for file, crawler in pairs.iter_rows()
        ]
        instead = pairs.with_columns(other=pl.Series(others, dtype=pl.List(pl.String))).explode("other")
        joined = disallowed.join(instead.drop_nulls(), on=["file", "crawler"], maintain_order="left_right")
        return joined.select("row", "file", "path", crawler="other")

    def _allows(self, rulings: pl.Series) -> pl.Series:
        return pl.Series(self._allowed, dtype=pl.Boolean).gather(rulings)

    def _names(self, file: int, crawler: str) -> bool:
        return self._parsed.of(self._files[file]).bound(crawler).is_named

    def _ruled(self, asked: pl.DataFrame) -> pl.Series:
        """Return the ruling on each row by the group that binds its crawler."""
        groups, bounds = self._groups(asked.select("file", "crawler").unique().sort("file", "crawler"))
        allowed = reads_policy(pl.col("path")) | ~pl.col("path").str.starts_with("/")
        asked = asked.join(groups, on=["file", "crawler"], how="left", maintain_order="left").select(
            "group", "path", ruling=pl.when(allowed).then(pl.lit(NO_RULE, pl.UInt32)).otherwise("ruling")
        )
        undecided = asked.filter(pl.col("ruling").is_null()).select("group", "path").unique()
        by_group = undecided.group_by("group").agg("path")
        rulings: list[int] = []
        for group, paths in by_group.iter_rows():
            file, parsed, bound = bounds[group]
            rulings.extend(self._decided(file, parsed, bound, paths))
        decided = by_group.explode("path").with_columns(decided=pl.Series(rulings, dtype=pl.UInt32))
        return asked.join(decided, on=["group", "path"], how="left", maintain_order="left").select(
            pl.coalesce("ruling", "decided")
        )["ruling"]

    def _groups(self, pairs: pl.DataFrame) -> tuple[pl.DataFrame, list[tuple[int, ParsedRobots, Binding]]]:
        """Return the group of each pair of file and crawler, or its ruling on all paths; and the groups."""
        numbers: list[int | None] = []
        rulings: list[int | None] = []
        bounds: list[tuple[int, ParsedRobots, Binding]] = []
        known: dict[tuple[int, str], int] = {}  # file and the group's name → group
        own_name = _own_name_only()
        for file, crawler in pairs.iter_rows():
            parsed = self._parsed.of(self._files[file])
            bound = parsed.bound(crawler)
            if crawler in own_name and not bound.is_named:
                numbers.append(None)
                rulings.append(NO_RULE)
                continue
            if decides_alike(bound):
                numbers.append(None)
                rulings.extend(self._decided(file, parsed, bound, ["/"]))
                continue
            if (file, bound.name) not in known:
                known[file, bound.name] = len(bounds)
                bounds.append((file, parsed, bound))
            numbers.append(known[file, bound.name])
            rulings.append(None)
        group = pl.Series("group", numbers, dtype=pl.Int32)
        return pairs.with_columns(group, pl.Series("ruling", rulings, dtype=pl.UInt32)), bounds

    def _decided(
        self, file: int, parsed: ParsedRobots, bound: Binding, paths: Sequence[str]
    ) -> Iterator[int]:
        deciding = bound.rules.deciding
        numbers: dict[int, int] = {}  # line → ruling
        for path in paths:
            rule = deciding(normalise(path))
            if rule is None:
                yield NO_RULE
                continue
            ruling = numbers.get(rule.line)
            if ruling is None:
                ruling = numbers[rule.line] = self._ruling(file, parsed, rule.line, rule.allow)
            yield ruling

    def _ruling(self, file: int, parsed: ParsedRobots, line: int, allowed: bool) -> int:
        if (file, line) not in self._numbers:
            self._numbers[file, line] = len(self._allowed)
            self._allowed.append(allowed)
            self._rules.append(parsed.rule(line))
            self._lines.append(line)
        return self._numbers[file, line]


@from_table
def _alternatives(table: CrawlerTable) -> Mapping[str, tuple[str, ...]]:
    """Return product tokens, and the tokens whose groups they may use if no group names them."""
    return {
        c.product_token: others for c in table.crawlers if (others := _SHARED.get(c.product_token.lower()))
    }


@from_table
def _own_name_only(table: CrawlerTable) -> frozenset[str]:
    """Return the product tokens that ``*`` doesn't bind, by their operator's documentation."""
    return frozenset(c.product_token for c in table.crawlers if c.own_group_only)
