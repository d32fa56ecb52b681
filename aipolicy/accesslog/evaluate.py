"""Lines of a log in, rows of fetches out: the same on one machine and on many."""

import hashlib
import ipaddress
from dataclasses import KW_ONLY, dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from aipolicy.accesslog.formats import LogFormat
from aipolicy.accesslog.formats.timestamps import LATEST
from aipolicy.accesslog.policies import Judge, NamedTokens, Policies, best_spelling, reads_robots_txt
from aipolicy.accesslog.prefilter import as_text, holds, line_pattern, token_pattern
from aipolicy.accesslog.schema import DISALLOWED, SCHEMA, Verdict
from aipolicy.accesslog.unlisted_crawlers import product_names, self_declared
from aipolicy.core.bounded_cache import Memo
from aipolicy.core.crawlers import CrawlerTable, crawler_named, from_table
from aipolicy.core.hosts import canonical_host
from aipolicy.core.user_agent import LONGEST_USER_AGENT, declared_crawlers, uses_anothers_name
from aipolicy.errors import LogError
from aipolicy.identity import Identity, IdentityChecker
from aipolicy.identity.addresses import read_address

if TYPE_CHECKING:
    import pyarrow as pa

REFUSALS = (401, 402, 403, 404, 406, 410, 429, 444, 451, 499)
"""Statuses that gave a crawler no content of what it had been asked not to fetch, as all of 5xx do.

444 and 499 are nginx's: it closed the connection without an answer, and the client closed it before one. 000
is CloudFront's and others' for a client that went before the answer. A 3xx (304, too: the crawler has the
content) is judged like a 200, and so is every method: robots.txt speaks of access, not of GET.
"""


@from_table
def exempt_tokens(table: CrawlerTable) -> tuple[str, ...]:
    """Return the fetchers that act for a user, and to which robots.txt may not apply, their operator says."""
    return tuple(crawler.product_token for crawler in table.crawlers if crawler.exempt)


_REMEMBERED = 50_000  # User-Agents, of 1 KiB at most
_PROXIES = 3  # addresses of a forwarded column that are tried
_BEHIND = ""  # the operator of a proxy with a private address
_GOOD = (Identity.VERIFIED.value, Identity.OPERATOR_VERIFIED.value)
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
    identities: IdentityChecker
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
    The result has the columns of ``aipolicy.accesslog.schema.SCHEMA``.
    """
    lines = pl.DataFrame(batch)
    return as_batch(evaluator.frame(lines.filter(holds(as_text(lines["text"]), evaluator.lines)), form))


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
        self._names: Memo[str, tuple[tuple[str, ...], str | None]] = Memo(_REMEMBERED)
        self._named = NamedTokens(terms.policies, terms.sites)
        self._tokens = token_pattern(self._named.everywhere)
        self.lines = line_pattern(self._named.everywhere)
        """A regular expression that all lines to be evaluated match."""

    def frame(self, lines: pl.DataFrame, form: LogFormat) -> pl.DataFrame:
        """The rows that come of such ``lines``, columns as for ``evaluate``, in their order."""
        if lines.is_empty():
            return SCHEMA.to_frame()
        raw = lines["text"].cast(pl.Binary)
        lines = lines.with_columns(pl.col("file").cast(pl.String), as_text(raw), raw.alias("raw"))
        parsed = form.read(lines["text"], forwarded=self._terms.forwarded)
        rows = pl.concat([lines, parsed], how="horizontal")
        parts = [self._unreadable(rows.filter(~pl.col("ok"))), self._fetches(rows.filter("ok"), form)]
        return pl.concat(map(_completed, parts)).sort("line", maintain_order=True)

    def _unreadable(self, rows: pl.DataFrame) -> pl.DataFrame:
        # A line that only looks like a self-declared crawler's may be anything's.
        rows = rows.filter(holds(rows["text"], self._tokens))
        text = pl.col("text").str.slice(0, _SHOWN)
        if self._terms.mask:
            text = text.str.replace_all(_ADDRESS, "(address)")
        return rows.select("file", "line", text, verdict=pl.lit(Verdict.UNREADABLE.value))

    def _fetches(self, rows: pl.DataFrame, form: LogFormat) -> pl.DataFrame:
        rows = self._with_sites(rows, form)
        rows = rows.with_columns(crawler=self._classified(rows["user_agent"]))
        rows = rows.with_columns(unknown=pl.lit(None, pl.String)).update(self._others(rows), on="row")
        rows = rows.filter(pl.any_horizontal(pl.col("crawler", "unknown").is_not_null()))
        known, elsewhere = pl.col("crawler").is_not_null(), pl.col("elsewhere")
        judged = self._judge.judge(rows.filter(known, ~elsewhere))
        kept, out = judged.filter(self._within), judged.filter(~self._within)
        unknown = self._judge.located(rows.filter(~known, ~elsewhere)).filter(self._within)
        kept = kept.with_columns(identity=self._identified(kept))
        kept = kept.with_columns(self._behind(kept, form), verdict=_verdict())
        kept = kept.with_columns(sha256=_hashes(kept))
        if self._terms.mask:
            kept = kept.with_columns(address=_masked(kept["address"]))
        left_out = pl.lit(Verdict.LEFT_OUT.value)
        parts = [
            kept,
            out.select("file", "line", verdict=left_out),
            rows.filter(known, elsewhere).select("file", "line", site="host", verdict=left_out),
            unknown.select(
                *("file", "line", "site", "time"),
                crawler="unknown",
                user_agent=pl.col("user_agent").str.slice(0, _SHOWN),
                verdict=pl.lit(Verdict.UNKNOWN_CRAWLER.value),
            ),
        ]
        return pl.concat(map(_completed, parts))

    def _with_sites(self, rows: pl.DataFrame, form: LogFormat) -> pl.DataFrame:
        """``rows`` with their number (``row``), ``host``, and whether they are of a site elsewhere.

        A target in absolute form names the site itself, whatever the log's column says (RFC 9112 §3.2.2): a
        request for another one, like a probe for open proxies, is never booked on this one. Where a log has a
        column for the site, a request without one is nobody's.
        """
        authority = pl.col("authority")
        rows = rows.drop("text").with_row_index("row")
        if form.has_host:
            differs = (
                authority.is_not_null() & pl.col("host").is_not_null() if self._one_for_all else pl.lit(False)
            )
            rows = rows.with_columns(elsewhere=differs)
        else:
            rows = rows.with_columns(elsewhere=authority.is_not_null())
        if rows["elsewhere"].any():
            asked = rows.filter("elsewhere").select("row", "host", "authority").rows()
            own = [row for row, host, named in asked if self._is_here(host, named, form)]
            rows = rows.with_columns(elsewhere=pl.col("elsewhere") & ~pl.col("row").is_in(own))
        host = pl.coalesce("authority", "host")
        if not form.has_host:
            # The site's own name in a target adds nothing: the log is its anyway.
            host = pl.when("elsewhere").then(authority).otherwise(pl.lit(self._only_site, pl.String))
        else:
            host = host.fill_null("")
        return rows.with_columns(host=host)

    @cached_property
    def _one_for_all(self) -> bool:
        """True if one robots.txt is taken for every host's: then no name tells whose a request is."""
        return self._terms.policies.timeline("a.invalid") is not None

    def _is_here(self, host: str | None, named: str, form: LogFormat) -> bool:
        """True where the host that a target names is that of the log: the column's, or the site's."""
        canonical = canonical_host(named)
        if form.has_host:
            return canonical == canonical_host(host or "")
        policies, sites = self._terms.policies, self._terms.sites
        if canonical is None or not (sites or not self._one_for_all):
            return False
        own = policies.timeline(self._only_site)
        return canonical in sites or (
            own is not None and not self._one_for_all and policies.timeline(canonical) == own
        )

    def _others(self, rows: pl.DataFrame) -> pl.DataFrame:
        """``row`` and either ``crawler``, of those that the site's policy names, or ``unknown``."""
        left = rows.filter(pl.col("crawler").is_null() & pl.col("user_agent").is_not_null())
        pairs = left.select("host", "user_agent").unique()
        found = [self._called(host, user_agent) for host, user_agent in pairs.iter_rows()]
        schema = {"crawler": pl.String, "unknown": pl.String}
        named = pl.concat([pairs, pl.DataFrame(found, schema=schema, orient="row")], how="horizontal")
        return (
            left.select("row", "host", "user_agent")
            .join(named, on=["host", "user_agent"], nulls_equal=True, maintain_order="left")
            .select("row", "crawler", "unknown")
        )

    def _called(self, host: str | None, user_agent: str) -> tuple[str | None, str | None]:
        key = user_agent[:LONGEST_USER_AGENT]
        names, own = self._names.get(key) or self._names.keep(key, (product_names(key), self_declared(key)))
        canonical = None if host is None else canonical_host(host)
        nobodys = not names or (canonical is None and host is not None)
        tokens = {} if nobodys else self._named.of(self._terms.policies.timeline(canonical))
        for name in names if tokens else ():
            if name.lower() in tokens:
                return best_spelling((tokens[name.lower()], name)), None
        if own is not None and uses_anothers_name(key) and crawler_named(own.split(" ")[-1]):
            return None, None  # a link preview of iMessage: no crawler, though it names Twitterbot
        return None, own

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

    def _behind(self, fetches: pl.DataFrame, form: LogFormat) -> list[pl.Series]:
        """``proxy`` and ``forwarded``: whose addresses stand for the clients', and where theirs may be."""
        failed = fetches["identity"] == Identity.CHECK_FAILED.value
        distinct = fetches["address"].filter(failed).unique().drop_nulls()
        operators = {each: name for each in distinct if (name := self._operator(each)) is not None}
        if not operators:
            nothing = pl.DataFrame({"proxy": [None] * len(fetches)}, schema={"proxy": pl.String})
            return [*nothing, pl.Series("forwarded", [None] * len(fetches), dtype=pl.Int32)]
        names = pl.Series(operators.values(), dtype=pl.String)
        address, nobody = fetches["address"], pl.lit(None, pl.String)
        proxy = address.replace_strict(list(operators), names, default=None, return_dtype=pl.String)
        proxy = pl.select(pl.when(failed).then(proxy).otherwise(nobody).alias("proxy")).to_series()
        return [proxy, self._forwarded(fetches, proxy.is_not_null(), form)]

    def _operator(self, address: str) -> str | None:
        proxy = self._terms.identities.proxy_of(address)
        if proxy is not None:
            return proxy.published.operator
        client = read_address(address)
        return _BEHIND if client is not None and client.behind_a_proxy else None

    def _forwarded(self, fetches: pl.DataFrame, wanted: pl.Series, form: LogFormat) -> pl.Series:
        """The first address from the right in the forwarded column that verifies each wanted client."""
        found = pl.Series("forwarded", [None] * len(fetches), dtype=pl.Int32)
        if not form.has_forwarded or self._terms.forwarded:
            return found
        lines = as_text(fetches["raw"].filter(wanted))
        claims = fetches.filter(wanted).select("crawler", "time")
        numbers: list[int | None] = [None] * len(lines)
        leads_on = [True] * len(lines)  # what stands left of a client's own address is only its claim
        for number in range(1, _PROXIES + 1):
            addresses = form.parse(lines, forwarded=number)["address"]
            identities = self._identified(claims.with_columns(addresses))
            for row, (address, identity) in enumerate(zip(addresses, identities, strict=True)):
                if leads_on[row] and identity in _GOOD:
                    numbers[row] = number
                leads_on[row] &= identity not in _GOOD and self._operator(address or "") is not None
        return found.scatter(wanted.arg_true(), pl.Series(numbers, dtype=pl.Int32))


def _verdict() -> pl.Expr:
    status = pl.col("status")
    refused = status.is_in(REFUSALS) | status.is_between(500, 599) | (status == 0)
    spoofed = pl.col("identity").eq_missing(Identity.SPOOFED.value)
    return (
        pl.when(reads_robots_txt(pl.col("path")))
        .then(pl.lit(Verdict.ROBOTS_TXT_READ.value))
        .when("allowed")
        .then(pl.lit(Verdict.ALLOWED.value))
        .when("graced")
        .then(pl.lit(Verdict.IN_GRACE.value))
        .when(pl.col("crawler").is_in(exempt_tokens()))
        .then(pl.lit(Verdict.EXEMPT.value))
        .when(refused)
        .then(pl.lit(Verdict.REFUSED.value))
        .when(spoofed)
        .then(pl.lit(Verdict.DISALLOWED_SPOOFED.value))
        .otherwise(pl.lit(Verdict.DISALLOWED.value))
    )


def _hashes(fetches: pl.DataFrame) -> pl.Series:
    evidence = fetches["verdict"].is_in(list(map(str, DISALLOWED)))
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
