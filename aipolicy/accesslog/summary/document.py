"""The summary document; ``aipolicy/accesslog/report/schema-2.json`` is its schema."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import polars as pl

from aipolicy.accesslog.engine import ReadFile
from aipolicy.accesslog.schema import FETCHES, Verdict
from aipolicy.accesslog.summary.counters import by_key, counted, highest, ranked, total_of
from aipolicy.accesslog.summary.evidence import examples, unreadable
from aipolicy.accesslog.summary.notes import notes
from aipolicy.accesslog.summary.other_counts import elsewhere, proxies, statuses, unknown_crawlers
from aipolicy.accesslog.summary.robots_reads import RobotsReads, robots_reads
from aipolicy.core.crawlers import crawler_named
from aipolicy.times import iso

KEYS: Mapping[str, pl.Expr] = {
    "site": pl.col("site"),
    "path": pl.col("path"),
    "day": pl.from_epoch("time", time_unit="us").dt.strftime("%Y-%m-%d"),
    "crawler": pl.col("crawler"),
}
"""What figures can be told by."""


@dataclass(frozen=True, slots=True)
class About:
    """What the document says beside its figures.

    ``key`` is a name of KEYS, or None; ``top`` how many rows lists have at most, None: all; ``one_robots``
    whether a single robots.txt was taken as that of every host; ``repeats`` sentences on logs given twice.
    """

    version: str
    made: str
    files: Sequence[ReadFile]
    method: Mapping[str, Any]
    _: KW_ONLY
    key: str | None = None
    top: int | None = 10
    one_robots: bool = False
    repeats: Sequence[str] = ()


def summary(parts: Sequence[pl.LazyFrame], about: About) -> dict[str, Any]:
    """The document of all rows in ``parts``; each must fit into memory."""
    rows = pl.concat(parts)
    fetches = rows.filter(pl.col("verdict").is_in(list(map(str, FETCHES))))
    disallowed = rows.filter(pl.col("verdict") == str(Verdict.DISALLOWED))
    kinds, crawlers, sites, rules, days, keyed = pl.collect_all(
        [
            rows.group_by("verdict").len(),
            counted(fetches, KEYS["crawler"]),
            fetches.group_by("known").agg(pl.len(), pl.col("site").n_unique().alias("sites")),
            disallowed.group_by("crawler", "rule", "rule_line").len(),
            _days(fetches),
            counted(fetches, KEYS[about.key or "crawler"]),
        ],
        engine="streaming",
    )
    of_crawlers = by_key(crawlers)
    reads = robots_reads(rows, of_crawlers)
    shown = examples(parts, about.top)
    claimed = examples(parts, about.top, Verdict.DISALLOWED_SPOOFED)
    unknown = unknown_crawlers(parts, about.top)
    total = total_of(crawlers)
    by_known = {known: {"fetches": fetched, "sites": its} for known, fetched, its in sites.iter_rows()}
    document = {
        "schema": 2,
        "aipolicy": about.version,
        "made": about.made,
        "lines": _lines(about.files, dict(kinds.iter_rows()), total.fetches, unknown["fetches"]),
        "period": {"from": iso(total.first), "to": iso(total.last)},
        "sites": sum(its["sites"] for its in by_known.values()),
        "files": [{"file": f.file, "format": f.format, "lines": f.lines} for f in about.files],
        "method": dict(about.method),
        "without_policy": by_known.get(False, {"fetches": 0, "sites": 0}),
        "total": total.to_dict(),
        "crawlers": [
            _about(token)
            | counters.to_dict()
            | {
                "robots_txt": reads.get(token, RobotsReads()).to_dict(),
                "rules": _rules(rules.filter(crawler=token), about.top),
                "examples": shown.get(token, []),
                "spoofed_examples": claimed.get(token, []),
            }
            for token, counters in ranked(of_crawlers.items())
        ],
        "unknown_crawlers": unknown,
        "statuses": statuses(rows),
        "proxies": proxies(rows),
        "by": _by(about.key, about.top, keyed) if about.key else None,
        "days": days.to_dicts(),
        "unreadable": unreadable(parts, about.top),
    }
    others = elsewhere(rows)
    told = notes(document, about.files, one_robots=about.one_robots, elsewhere=others)
    return document | {"notes": [*about.repeats, *told]}


def _lines(files: Iterable[ReadFile], kinds: Mapping[str, int], fetches: int, unknown: int) -> dict[str, int]:
    read = sum(file.lines for file in files)
    unread = kinds.get(Verdict.UNREADABLE, 0)
    return {
        "read": read,
        "crawler": fetches,
        "other": read - fetches - unread,
        "unreadable": unread,
        "unknown_crawlers": unknown,
        "left_out": kinds.get(Verdict.LEFT_OUT, 0),
    }


def _about(token: str) -> dict[str, Any]:
    crawler = crawler_named(token)
    if crawler is None:  # a policy names it
        return {"product_token": token, "operator": None, "purpose": None}
    return {"product_token": token, "operator": crawler.operator, "purpose": str(crawler.purpose)}


def _rules(rules: pl.DataFrame, top: int | None) -> list[dict[str, Any]]:
    rows = rules.sort(["len", "rule_line", "rule"], descending=[True, False, False]).head(top or len(rules))
    return [
        {"rule": rule, "line": line, "disallowed": count}
        for rule, line, count in rows.select("rule", "rule_line", "len").iter_rows()
    ]


def _days(fetches: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of day, product token and the counts of that day, in order."""
    verdict = pl.col("verdict")
    counts = {
        "fetches": pl.len(),
        "disallowed": (verdict == str(Verdict.DISALLOWED)).sum(),
        "disallowed_spoofed": (verdict == str(Verdict.DISALLOWED_SPOOFED)).sum(),
        "robots_txt_reads": (verdict == str(Verdict.ROBOTS_TXT_READ)).sum(),
    }
    days = fetches.group_by(KEYS["day"].alias("day"), pl.col("crawler").alias("product_token")).agg(**counts)
    return days.sort("day", "product_token")


def _by(key: str, top: int | None, rows: pl.DataFrame) -> dict[str, Any]:
    if key == "day":
        order = sorted(by_key(rows).items(), key=lambda kv: str(kv[0]))[:top]
    else:
        order = ranked(by_key(highest(rows, top)).items())
    told = [{"key": name, **counters.to_dict()} for name, counters in order]
    return {"key": key, "left_out": rows["key"].n_unique() - len(told), "rows": told}
