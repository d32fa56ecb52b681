"""Many decisions at once: may the crawler fetch the path, and which line of robots.txt says so?"""

from collections.abc import Iterator, Sequence

import polars as pl

from aipolicy.accesslog.policies.inherited_groups import alternatives, own_name_only
from aipolicy.accesslog.policies.parsed_robots import Reading, Readings, decides_alike
from aipolicy.accesslog.policies.paths import reads_policy
from aipolicy.core.paths import normalise
from aipolicy.robotstxt.matching import Binding

NO_RULE = 0
"""The ruling where no rule speaks of the path: it is allowed."""


class Decisions:
    """The decisions about some files, each made once: those of ``aipolicy.robotstxt.matching.verdict``.

    But where no group names a crawler that goes by another's, as its operator documents (``standins``), it is
    allowed what either reading allows.

    A *ruling* is a number that stands for a rule of one file: ``rulings`` says what they are.
    """

    def __init__(self, files: Sequence[bytes], readings: Readings) -> None:
        self._files = files
        self._readings = readings
        self._allowed: list[bool] = [True]
        self._rules: list[str | None] = [None]
        self._lines: list[int | None] = [None]
        self._numbers: dict[tuple[int, int], int] = {}  # file and line → ruling

    def rulings(self) -> pl.DataFrame:
        """A row each: allowed Boolean, rule String|null (as written), rule_line Int32|null."""
        columns = {"allowed": self._allowed, "rule": self._rules, "rule_line": self._lines}
        return pl.DataFrame(
            columns, schema={"allowed": pl.Boolean, "rule": pl.String, "rule_line": pl.Int32}, strict=True
        )

    def decide(self, asked: pl.DataFrame) -> pl.Series:
        """The ruling (UInt32) on each row.

        ``asked``: file Int32 (an index of the files), crawler String (product token), path String|null. An
        empty path is ``/``; of one that doesn't begin with ``/``, like the ``*`` of OPTIONS, no rule speaks.
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
        """The disallowed rows of crawlers that no group names, once for each whose group they may use."""
        takers = alternatives()
        concerned = pl.col("crawler").is_in(list(takers)) & ~self._allows(ruling)
        disallowed = asked.filter(concerned)
        pairs = disallowed.select("file", "crawler").unique()
        others = [
            [] if self._names(file, crawler) else [n for n in takers[crawler] if self._names(file, n)]
            for file, crawler in pairs.iter_rows()
        ]
        instead = pairs.with_columns(other=pl.Series(others, dtype=pl.List(pl.String))).explode("other")
        joined = disallowed.join(instead.drop_nulls(), on=["file", "crawler"], maintain_order="left_right")
        return joined.select("row", "file", "path", crawler="other")

    def _allows(self, rulings: pl.Series) -> pl.Series:
        return pl.Series(self._allowed, dtype=pl.Boolean).gather(rulings)

    def _names(self, file: int, crawler: str) -> bool:
        return self._readings.of(self._files[file]).bound(crawler).is_named

    def _ruled(self, asked: pl.DataFrame) -> pl.Series:
        """The ruling on each row by the group that binds its crawler."""
        groups, bounds = self._groups(asked.select("file", "crawler").unique().sort("file", "crawler"))
        free = reads_policy(pl.col("path")) | ~pl.col("path").str.starts_with("/")
        asked = asked.join(groups, on=["file", "crawler"], how="left", maintain_order="left").select(
            "group", "path", ruling=pl.when(free).then(pl.lit(NO_RULE, pl.UInt32)).otherwise("ruling")
        )
        open_ = asked.filter(pl.col("ruling").is_null()).select("group", "path").unique()
        by_group = open_.group_by("group").agg("path")
        rulings: list[int] = []
        for group, paths in by_group.iter_rows():
            file, reading, bound = bounds[group]
            rulings.extend(self._decided(file, reading, bound, paths))
        decided = by_group.explode("path").with_columns(decided=pl.Series(rulings, dtype=pl.UInt32))
        return asked.join(decided, on=["group", "path"], how="left", maintain_order="left").select(
            pl.coalesce("ruling", "decided")
        )["ruling"]

    def _groups(self, pairs: pl.DataFrame) -> tuple[pl.DataFrame, list[tuple[int, Reading, Binding]]]:
        """For each pair of file and crawler, either its group or the one ruling on all paths; the groups."""
        numbers: list[int | None] = []
        rulings: list[int | None] = []
        bounds: list[tuple[int, Reading, Binding]] = []
        known: dict[tuple[int, str], int] = {}  # file and the group's name → group
        own_name = own_name_only()
        for file, crawler in pairs.iter_rows():
            reading = self._readings.of(self._files[file])
            bound = reading.bound(crawler)
            if crawler in own_name and not bound.is_named:
                numbers.append(None)
                rulings.append(NO_RULE)
                continue
            if decides_alike(bound):
                numbers.append(None)
                rulings.extend(self._decided(file, reading, bound, ["/"]))
                continue
            if (file, bound.name) not in known:
                known[file, bound.name] = len(bounds)
                bounds.append((file, reading, bound))
            numbers.append(known[file, bound.name])
            rulings.append(None)
        group = pl.Series("group", numbers, dtype=pl.Int32)
        return pairs.with_columns(group, pl.Series("ruling", rulings, dtype=pl.UInt32)), bounds

    def _decided(self, file: int, reading: Reading, bound: Binding, paths: Sequence[str]) -> Iterator[int]:
        deciding = bound.rules.deciding
        numbers: dict[int, int] = {}  # line → ruling
        for path in paths:
            rule = deciding(normalise(path))
            if rule is None:
                yield NO_RULE
                continue
            ruling = numbers.get(rule.line)
            if ruling is None:
                ruling = numbers[rule.line] = self._ruling(file, reading, rule.line, rule.allow)
            yield ruling

    def _ruling(self, file: int, reading: Reading, line: int, allowed: bool) -> int:
        if (file, line) not in self._numbers:
            self._numbers[file, line] = len(self._allowed)
            self._allowed.append(allowed)
            self._rules.append(reading.rule(line))
            self._lines.append(line)
        return self._numbers[file, line]
