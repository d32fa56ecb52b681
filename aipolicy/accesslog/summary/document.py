"""The summary document; its JSON Schema is ``aipolicy/accesslog/report/schema-2.json``."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import polars as pl

from aipolicy.accesslog.fetch_table import DISALLOWED, FETCHES, ReadFile, Verdict
from aipolicy.accesslog.policies import best_spelling
from aipolicy.accesslog.summary.counters import (
    RobotsReads,
    by_key,
    count_by,
    ranked,
    robots_reads,
    top_keys,
    total,
)
from aipolicy.accesslog.summary.evidence import examples, unreadable
from aipolicy.accesslog.summary.notes import notes
from aipolicy.core.crawlers import crawler_named
from aipolicy.identity.proxies import HEADERS
from aipolicy.times import iso

KEYS: Mapping[str, pl.Expr] = {
    "site": pl.col("site"),
    "path": pl.col("path"),
    "day": pl.from_epoch("time", time_unit="us").dt.strftime("%Y-%m-%d"),
    "crawler": pl.col("crawler"),
}
"""The keys that counts can be grouped by."""

_MOST_NAMES = 100_000  # names of unknown crawlers in memory, since clients choose them
_ANY_HEADER = "X-Forwarded-For"


@dataclass(frozen=True, slots=True)
class Context:
    """The facts in the document that are not counts.

    Attributes:
        key: A name in KEYS to group counts by, or None.
        top: Maximum rows per list; None for no limit.
        one_robots: True if a single robots.txt was applied to every host.
        rendered: True if a policy's robots.txt was rendered from its preferences.
        duplicates: Notes about logs that were given twice.
    """

    version: str
    made: str
    files: Sequence[ReadFile]
    method: Mapping[str, Any]
    _: KW_ONLY
    key: str | None = None
    top: int | None = 10
    one_robots: bool = False
    rendered: bool = False
    duplicates: Sequence[str] = ()


def summarise(parts: Sequence[pl.LazyFrame], context: Context) -> dict[str, Any]:
    """Return the document of all rows in ``parts``, each of which must fit into memory."""
    rows = pl.concat(parts)
    fetches = rows.filter(_verdict_in(FETCHES))
    disallowed = rows.filter(pl.col("verdict") == str(Verdict.DISALLOWED))
    verdicts, crawlers, sites, rules, days, keyed = pl.collect_all(
        [
            rows.group_by("verdict").len(),
            count_by(fetches, KEYS["crawler"]),
            fetches.group_by("known").agg(pl.len(), pl.col("site").n_unique().alias("sites")),
            disallowed.group_by("crawler", "rule", "rule_line").len(),
            _days(fetches),
            count_by(fetches, KEYS[context.key or "crawler"]),
        ],
        engine="streaming",
    )
    counters = by_key(crawlers)
    reads = robots_reads(rows, counters)
    evidence = examples(parts, context.top)
    spoofed_evidence = examples(parts, context.top, Verdict.DISALLOWED_SPOOFED)
    unknown = _unknown_crawlers(parts, context.top)
    totals = total(crawlers)
    by_known = {known: {"fetches": count, "sites": hosts} for known, count, hosts in sites.iter_rows()}
    document = {
        "schema": 2,
        "aipolicy": context.version,
        "made": context.made,
        "lines": _lines(context.files, dict(verdicts.iter_rows()), totals.fetches, unknown["fetches"]),
        "period": {"from": iso(totals.first), "to": iso(totals.last)},
        "sites": sum(counts["sites"] for counts in by_known.values()),
        "files": [{"file": f.file, "format": f.format, "lines": f.lines} for f in context.files],
        "method": dict(context.method),
        "without_policy": by_known.get(False, {"fetches": 0, "sites": 0}),
        "total": totals.to_dict(),
        "crawlers": [
            _crawler(token)
            | counts.to_dict()
            | {
                "robots_txt": reads.get(token, RobotsReads()).to_dict(),
                "rules": _rules(rules.filter(crawler=token), context.top),
                "examples": evidence.get(token, []),
                "spoofed_examples": spoofed_evidence.get(token, []),
            }
            for token, counts in ranked(counters.items())
        ],
        "unknown_crawlers": unknown,
        "statuses": _statuses(rows),
        "proxies": _proxies(rows),
        "by": _grouped(context.key, context.top, keyed) if context.key else None,
        "days": days.to_dicts(),
        "unreadable": unreadable(parts, context.top),
    }
    remarks = notes(
        document,
        context.files,
        one_robots=context.one_robots,
        rendered=context.rendered,
        elsewhere=_elsewhere(rows),
        site_audits=dict(verdicts.iter_rows()).get(Verdict.SITE_AUDIT, 0),
    )
    return document | {"notes": [*context.duplicates, *remarks]}


def unify_spelling(parts: Sequence[pl.LazyFrame]) -> list[pl.LazyFrame]:
    """Return ``parts`` with one spelling for each crawler that only policies name."""
    names = pl.concat(parts).filter(_verdict_in(FETCHES)).select(pl.col("crawler").unique())
    spellings: dict[str, set[str]] = {}
    for name in names.collect(engine="streaming")["crawler"].drop_nulls():
        spellings.setdefault(name.lower(), set()).add(name)
    best = {
        name: best_spelling(several) for several in spellings.values() if len(several) > 1 for name in several
    }
    if not best:
        return list(parts)
    return [part.with_columns(pl.col("crawler").replace(best)) for part in parts]


def _verdict_in(verdicts: Iterable[Verdict]) -> pl.Expr:
    return pl.col("verdict").is_in(list(map(str, verdicts)))


def _lines(
    files: Iterable[ReadFile], verdicts: Mapping[str, int], fetches: int, unknown: int
) -> dict[str, int]:
    read = sum(file.lines for file in files)
    unread = verdicts.get(Verdict.UNREADABLE, 0)
    return {
        "read": read,
        "crawler": fetches,
        "other": read - fetches - unread,
        "unreadable": unread,
        "unknown_crawlers": unknown,
        "left_out": verdicts.get(Verdict.LEFT_OUT, 0),
    }


def _crawler(token: str) -> dict[str, Any]:
    crawler = crawler_named(token)
    if crawler is None:  # only a policy names it
        return {"product_token": token, "operator": None, "purpose": None}
    return {"product_token": token, "operator": crawler.operator, "purpose": str(crawler.purpose)}


def _rules(rules: pl.DataFrame, top: int | None) -> list[dict[str, Any]]:
    rows = rules.sort(["len", "rule_line", "rule"], descending=[True, False, False]).head(top or len(rules))
    return [
        {"rule": rule, "line": line, "disallowed": count}
        for rule, line, count in rows.select("rule", "rule_line", "len").iter_rows()
    ]


def _days(fetches: pl.LazyFrame) -> pl.LazyFrame:
    """Return rows of day, product token and the counts of that day, in order."""
    verdict = pl.col("verdict")
    counts = {
        "fetches": pl.len(),
        "disallowed": (verdict == str(Verdict.DISALLOWED)).sum(),
        "disallowed_spoofed": (verdict == str(Verdict.DISALLOWED_SPOOFED)).sum(),
        "robots_txt_reads": (verdict == str(Verdict.ROBOTS_TXT_READ)).sum(),
    }
    days = fetches.group_by(KEYS["day"].alias("day"), pl.col("crawler").alias("product_token")).agg(**counts)
    return days.sort("day", "product_token")


def _grouped(key: str, top: int | None, rows: pl.DataFrame) -> dict[str, Any]:
    if key == "day":
        order = sorted(by_key(rows).items(), key=lambda kv: str(kv[0]))[:top]
    else:
        order = ranked(by_key(top_keys(rows, top)).items())
    listed = [{"key": name, **counters.to_dict()} for name, counters in order]
    return {"key": key, "left_out": rows["key"].n_unique() - len(listed), "rows": listed}


def _unknown_crawlers(parts: Sequence[pl.LazyFrame], top: int | None) -> dict[str, Any]:
    """Return the self-declared crawlers that neither the table nor a policy names, most requests first.

    Memory is bounded: past 100,000 names, those with the fewest requests so far are only counted together.
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
    columns = ("crawler", "fetches", "first", "last", "user_agent")
    return {
        "fetches": fetches,
        "names": len(found),
        "listed": [
            {"name": name, "fetches": count, "first": iso(first), "last": iso(last), "user_agent": user_agent}
            for name, count, first, last, user_agent in listed.select(columns).iter_rows()
        ],
    }


def _statuses(rows: pl.LazyFrame) -> list[dict[str, Any]]:
    """Return the verdicts on disallowed fetches by status, in order."""
    verdicts = (Verdict.REFUSED, *DISALLOWED)
    counted = rows.filter(_verdict_in(verdicts)).group_by("status", "verdict").len()
    by: dict[int | None, dict[str, int]] = {}
    for status, verdict, count in counted.collect(engine="streaming").iter_rows():
        by.setdefault(status, dict.fromkeys(map(str, verdicts), 0))[verdict] += count
    return [
        {"status": status, "counts_as": "refused" if counts[Verdict.REFUSED] else "fetched", **counts}
        for status, counts in sorted(by.items(), key=lambda kv: (kv[0] is None, kv[0] or 0))
    ]


def _proxies(rows: pl.LazyFrame) -> list[dict[str, Any]]:
    """Return the proxies whose addresses are in the log, and the clients that --forwarded verifies."""
    found = rows.filter(pl.col("proxy").is_not_null()).group_by("proxy", "forwarded").len()
    by: dict[str, dict[int | None, int]] = {}
    for operator, number, count in found.collect(engine="streaming").iter_rows():
        by.setdefault(operator, {})[number] = count
    return [
        _proxy(operator, counts)
        for operator, counts in sorted(by.items(), key=lambda kv: (-sum(kv[1].values()), kv[0]))
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


def _elsewhere(rows: pl.LazyFrame) -> tuple[int, str | None]:
    """Return the number of requests that name another site in their target, and one of these sites."""
    found = rows.filter((pl.col("verdict") == str(Verdict.LEFT_OUT)) & pl.col("site").is_not_null())
    count, site = found.select(pl.len(), pl.col("site").min()).collect(engine="streaming").row(0)
    return count, site
