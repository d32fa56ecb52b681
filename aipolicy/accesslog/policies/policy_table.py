"""The hosts of some fetches and the versions of their policies, as data frames."""

import polars as pl

from aipolicy.accesslog.policies.versions import NOTHING_ASKED, Policies, Timeline
from aipolicy.core.hosts import canonical_host

_NOTHING = 0  # the file of NOTHING_ASKED
_VERSIONS = {
    "timeline": pl.Int32,
    "at": pl.Int64,
    "version": pl.Int32,
    "file": pl.Int32,
    "version_site": pl.String,
    "policy": pl.String,
}


class PolicyTable:
    """The versions in ``policies`` for ``hosts`` (String|null, as in the log).

    ``files`` has each distinct robots.txt once.
    """

    def __init__(self, policies: Policies, hosts: pl.Series) -> None:
        self.files = [NOTHING_ASKED]
        self._timelines: list[Timeline] = []
        self._hosts = self._host_table(policies, hosts)
        self._versions = self._version_table()
        self._file_of: list[int] = self._versions["file"].to_list()  # by version

    def _host_table(self, policies: Policies, hosts: pl.Series) -> pl.DataFrame:
        """Return host (as in the log), canonical String|null, timeline Int32|null, home String|null."""
        numbers: dict[int, int] = {}  # a timeline's identity → its number
        rows: list[tuple[str | None, str | None, int | None, str | None]] = []
        for host in hosts.to_list():
            canonical = None if host is None else canonical_host(host)
            malformed = canonical is None and host is not None
            timeline = None if malformed else policies.timeline(canonical)
            if timeline is None:
                rows.append((host, canonical, None, None))
                continue
            if id(timeline) not in numbers:
                numbers[id(timeline)] = len(self._timelines)
                self._timelines.append(timeline)
            rows.append((host, canonical, numbers[id(timeline)], timeline.site))
        schema = {"host": pl.String, "canonical": pl.String, "timeline": pl.Int32, "home": pl.String}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def _version_table(self) -> pl.DataFrame:
        """Return a row for each version, by timeline and in order; ``version`` counts them."""
        files = {NOTHING_ASKED: _NOTHING}
        rows: list[tuple[int, int, int, int, str | None, str | None]] = []
        for number, timeline in enumerate(self._timelines):
            for version in timeline.versions:
                file = files.setdefault(version.robots, len(files))
                if file == len(self.files):
                    self.files.append(version.robots)
                rows.append((number, version.at, len(rows), file, version.site, version.name))
        return pl.DataFrame(rows, schema=_VERSIONS, orient="row")

    def in_force(self, fetches: pl.DataFrame) -> pl.DataFrame:
        """Return ``fetches`` in their order with row UInt32, timeline, version, file, site, known and policy.

        Without a version, ``file`` is the empty one.
        """
        asked = fetches.with_row_index("row").join(self._hosts, on="host", how="left", nulls_equal=True)
        site = pl.when(pl.col("version").is_null()).then("home").otherwise("version_site")
        return self._latest(asked, "time", inclusive=True).with_columns(
            pl.col("file").fill_null(_NOTHING),
            site=pl.coalesce(site, "canonical"),
            known=pl.col("timeline").is_not_null(),
        )

    def before(self, asked: pl.DataFrame) -> pl.DataFrame:
        """Return rows of ``in_force`` with ``earlier``: other files in force from ``since`` on, latest first.

        Both ends count in the crawler's favour: a version that was replaced exactly at ``since`` is included.
        """
        left = asked.select("row", "timeline", "version", "crawler", "path", "since")
        first = self._latest(left.rename({"version": "then"}), "since", inclusive=False).select(
            "row", "timeline", "crawler", "path", "then", first=pl.col("version").fill_null(-1)
        )
        first = first.filter(pl.col("first") < pl.col("then"))
        spans = first.select("first", "then").unique()
        earlier = pl.Series([self._earlier(*span) for span in spans.iter_rows()], dtype=pl.List(pl.Int32))
        return first.join(spans.with_columns(earlier=earlier), on=["first", "then"])

    def _earlier(self, first: int, then: int) -> list[int]:
        """Return the distinct files of versions from ``first`` (-1: before all) up to ``then``, excluded."""
        files = {} if first < 0 else dict.fromkeys(reversed(self._file_of[first:then]))
        if first < 0 or _NOTHING in files:
            return [_NOTHING]  # it allows everything
        files.pop(self._file_of[then], None)
        return list(files)

    def _latest(self, asked: pl.DataFrame, when: str, *, inclusive: bool) -> pl.DataFrame:
        """Return ``asked`` by row, each with the last version from before or (``inclusive``) at ``when``."""
        return (
            asked.sort(when)
            .join_asof(
                self._versions.sort("at"),
                left_on=when,
                right_on="at",
                by="timeline",
                allow_exact_matches=inclusive,
                check_sortedness=False,  # it is, and can't be checked within groups
            )
            .sort("row")
        )
