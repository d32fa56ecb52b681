"""Lines of a log in, rows of fetches out: the same on one machine and on many."""

import hashlib
import ipaddress
from dataclasses import KW_ONLY, dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from aipolicy.check.candidates import as_text, holds_token
from aipolicy.check.fetches import SCHEMA, Verdict
from aipolicy.check.formats import LogFormat
from aipolicy.check.formats.moments import LATEST
from aipolicy.check.identity import Identities
from aipolicy.check.policies import Judge, Policies, reads_robots_txt
from aipolicy.core.crawlers import CrawlerTable, from_table
from aipolicy.core.memo import Memo
from aipolicy.core.recognition import LONGEST_USER_AGENT, declared_crawlers
from aipolicy.errors import LogError

if TYPE_CHECKING:
    import pyarrow as pa

REFUSALS = (401, 402, 403, 429, 451)
"""Statuses that gave a crawler nothing of what it had been asked not to fetch."""


@from_table
def exempt_tokens(table: CrawlerTable) -> tuple[str, ...]:
    """Return the fetchers that act for a user, and to which robots.txt may not apply, their operator says."""
    return tuple(crawler.product_token for crawler in table.crawlers if crawler.exempt)


_REMEMBERED = 50_000  # User-Agents, of 1 KiB at most
_SHOWN = 300  # characters of an unreadable line
_DAY = pl.from_epoch(pl.col("time").clip(0, LATEST), "us").dt.date()  # Python knows no year 0
_ADDRESS = r"\b\d{1,3}(?:\.\d{1,3}){3}\b|(?:[0-9A-Fa-f]{0,4}:){2,}[0-9A-Fa-f.]*"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a log is checked against, and how. Picklable where its parts are.

    ``sites``        canonical hosts: only their sites are looked at; without any, all. The first is the site
                     of a log that has no column for it.
    ``since``        microseconds since the epoch, inclusive, and ``until``, exclusive; None: no bound.
    ``forwarded``    which address of the forwarded column is the client's, counted from the right; 0: none.
    ``grace_hours``  how long a crawler may go by a robots.txt that it has read, at least.
    ``mask``         whether client addresses are cut short in all that comes out.
    """

    policies: Policies
    identities: Identities
    _: KW_ONLY
    sites: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    forwarded: int = 0
    grace_hours: float = 24.0
    mask: bool = False


def evaluate(batch: "pa.RecordBatch", form: LogFormat, evaluator: "Evaluator") -> "pa.RecordBatch":
    """Evaluate the lines of one batch: the step between two Arrow streams, as Spark's ``mapInArrow`` has it.

    ``batch`` has ``file`` (string), ``line`` (int64) and ``text`` (string or binary: a line without its end).
    The result has the columns of ``aipolicy.check.fetches.SCHEMA``.
    """
    lines = pl.DataFrame(batch)
    return as_batch(evaluator.frame(lines.filter(holds_token(as_text(lines["text"]))), form))


def as_batch(frame: pl.DataFrame) -> "pa.RecordBatch":
    """A frame as one Arrow batch, of types that every reader of Arrow knows."""
    import pyarrow as pa  # takes long, and one machine alone has no use for it

    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    return pa.RecordBatch.from_arrays(
        [column.combine_chunks() for column in table.columns], table.column_names
    )


class Evaluator:
    """Evaluates frames of lines. Threads may share one: what it remembers is only worked out again."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._judge = Judge(terms.policies, terms.grace_hours)
        self._crawlers: Memo[str, str | None] = Memo(_REMEMBERED)

    def frame(self, lines: pl.DataFrame, form: LogFormat) -> pl.DataFrame:
        """The rows that come of ``lines`` that hold a token, columns as for ``evaluate``, in their order."""
        if lines.is_empty():
            return SCHEMA.to_frame()
        raw = lines["text"].cast(pl.Binary)
        lines = lines.with_columns(pl.col("file").cast(pl.String), as_text(raw), raw.alias("raw"))
        parsed = form.parse(lines["text"], forwarded=self._terms.forwarded)
        rows = pl.concat([lines, parsed], how="horizontal")
        parts = [self._unreadable(rows.filter(~pl.col("ok"))), self._fetches(rows.filter("ok"), form)]
        return pl.concat(map(_completed, parts)).sort("line", maintain_order=True)

    def _unreadable(self, rows: pl.DataFrame) -> pl.DataFrame:
        text = pl.col("text").str.slice(0, _SHOWN)
        if self._terms.mask:
            text = text.str.replace_all(_ADDRESS, "(address)")
        return rows.select("file", "line", text, verdict=pl.lit(Verdict.UNREADABLE.value))

    def _fetches(self, rows: pl.DataFrame, form: LogFormat) -> pl.DataFrame:
        rows = rows.drop("text").with_columns(crawler=self._classified(rows["user_agent"]))
        rows = rows.filter(pl.col("crawler").is_not_null())
        # A target in absolute form may be of another site (RFC 9112 §3.2.2): a probe for open proxies. Where
        # a log has a column for the site, a request without one is nobody's.
        nameless = "" if form.has_host else self._only_site
        rows = rows.with_columns(pl.col("host").fill_null(pl.lit(nameless, pl.String)))
        judged = self._judge.judge(rows)
        kept = judged.filter(self._within)
        out = judged.filter(~self._within).select("file", "line", verdict=pl.lit(Verdict.LEFT_OUT.value))
        kept = kept.with_columns(verdict=_verdict(), identity=self._identified(kept))
        kept = kept.with_columns(sha256=_hashes(kept))
        if self._terms.mask:
            kept = kept.with_columns(address=_masked(kept["address"]))
        return pl.concat([_completed(kept), _completed(out)])

    @cached_property
    def _only_site(self) -> str | None:
        """Whose a log is that has no column for it. Raises LogError."""
        if self._terms.sites:
            return self._terms.sites[0]
        if self._terms.policies.timeline(None) is None:
            source = self._terms.policies.source
            raise LogError(f"the log doesn't say whose it is, and {source} has many sites: give --site HOST")
        return None

    @cached_property
    def _within(self) -> pl.Expr:
        """Whether a fetch is of the period and the sites that were asked for."""
        terms = self._terms
        within = pl.lit(True)
        if terms.since is not None:
            within &= pl.col("time") >= terms.since
        if terms.until is not None:
            within &= pl.col("time") < terms.until
        if terms.sites:
            names = set(terms.sites)
            for timeline in filter(None, map(terms.policies.timeline, terms.sites)):
                names |= {version.site for version in timeline.versions if version.site}
            within &= pl.col("site").is_in(names).fill_null(False)
        return within

    def _classified(self, user_agents: pl.Series) -> pl.Series:
        """The product token that each User-Agent declares first, or null."""
        distinct = user_agents.unique()
        tokens = [self._token(user_agent) for user_agent in distinct]
        return user_agents.replace_strict(
            distinct, pl.Series(tokens, dtype=pl.String), default=None, return_dtype=pl.String
        )

    def _token(self, user_agent: str | None) -> str | None:
        if user_agent is None:
            return None
        user_agent = user_agent[:LONGEST_USER_AGENT]  # strangers choose what is remembered
        try:
            return self._crawlers[user_agent]
        except KeyError:
            declared = declared_crawlers(user_agent)
            return self._crawlers.keep(user_agent, declared[0].product_token if declared else None)

    def _identified(self, fetches: pl.DataFrame) -> pl.Series:
        claims = fetches.select("crawler", "address", day=_DAY)
        distinct = claims.unique()
        rows: list[tuple[str, str | None, date | None]] = distinct.rows()
        identities = self._terms.identities.identify_all(rows)
        told = [str(identities[row]) for row in rows]
        known = distinct.with_columns(identity=pl.Series(told, dtype=pl.String))
        joined = claims.join(
            known, on=["crawler", "address", "day"], how="left", nulls_equal=True, maintain_order="left"
        )
        return joined["identity"]


def _verdict() -> pl.Expr:
    return (
        pl.when(reads_robots_txt(pl.col("path")))
        .then(pl.lit(Verdict.ROBOTS_TXT_READ.value))
        .when("allowed")
        .then(pl.lit(Verdict.ALLOWED.value))
        .when("graced")
        .then(pl.lit(Verdict.IN_GRACE.value))
        .when(pl.col("crawler").is_in(exempt_tokens()))
        .then(pl.lit(Verdict.EXEMPT.value))
        .when(pl.col("status").is_in(REFUSALS))
        .then(pl.lit(Verdict.REFUSED.value))
        .otherwise(pl.lit(Verdict.DISALLOWED.value))
    )


def _hashes(fetches: pl.DataFrame) -> pl.Series:
    evidence = fetches["verdict"] == Verdict.DISALLOWED.value
    hashes = [
        hashlib.sha256(raw).hexdigest() if shown else None
        for raw, shown in zip(fetches["raw"], evidence, strict=True)
    ]
    return pl.Series(hashes, dtype=pl.String)


def _masked(addresses: pl.Series) -> pl.Series:
    distinct = addresses.unique()
    masked = pl.Series([masked_address(address) for address in distinct], dtype=pl.String)
    return addresses.replace_strict(distinct, masked, default=None, return_dtype=pl.String)


def masked_address(address: str | None) -> str | None:
    """An address cut to the /24 or /48 that it is in; what is none is not shown at all."""
    if address is None:
        return None
    try:
        read = ipaddress.ip_address(address)
    except ValueError:
        return "(address)"
    read = getattr(read, "ipv4_mapped", None) or read
    if read.version == 4:
        return str(ipaddress.IPv4Network((int(read), 24), strict=False).network_address)
    return str(ipaddress.IPv6Network((int(read), 48), strict=False).network_address)


def _completed(rows: pl.DataFrame) -> pl.DataFrame:
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in SCHEMA.items() if name not in rows.columns]
    return rows.with_columns(missing).select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())
