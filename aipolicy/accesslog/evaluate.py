"""Evaluation of log lines: lines in, rows of the fetch table out. Used by both engines."""

import hashlib
import ipaddress
from dataclasses import KW_ONLY, dataclass
from datetime import date
from functools import cached_property

import polars as pl

from aipolicy.accesslog.crawler_detection import (
    as_text,
    line_pattern,
    lines_matching,
    product_names,
    self_declared,
    token_pattern,
)
from aipolicy.accesslog.fetch_table import DISALLOWED, SCHEMA, Verdict
from aipolicy.accesslog.formats import LogFormat
from aipolicy.accesslog.formats.timestamps import LATEST
from aipolicy.accesslog.policies import Judge, NamedTokens, Policies, best_spelling, reads_robots_txt
from aipolicy.core.bounded_cache import BoundedCache
from aipolicy.core.crawlers import CrawlerTable, crawler_named, from_table
from aipolicy.core.hosts import canonical_host
from aipolicy.core.user_agent import MAX_USER_AGENT, SITE_AUDIT, declared_crawlers, is_known_namesake
from aipolicy.errors import LogError
from aipolicy.identity import Identity, IdentityChecker
from aipolicy.identity.addresses import read_address

REFUSALS = (401, 402, 403, 404, 406, 410, 429, 444, 451, 499)
"""Statuses of responses without the requested content, like all of 5xx.

444 and 499 are nginx's: the server closed the connection without a response, or the client before one. 000 is
logged by CloudFront and others for a client that left before the response. A 3xx is judged like a 200, even
304, with which the crawler keeps the content; and every method is judged like GET: robots.txt is about
access.
"""


@from_table
def exempt_tokens(table: CrawlerTable) -> tuple[str, ...]:
    """Return the crawlers that may ignore robots.txt for users' fetches, by their documentation."""
    return tuple(crawler.product_token for crawler in table.crawlers if crawler.exempt)


_CACHED = 50_000  # User-Agents, of 1 KiB at most
_PROXIES = 3  # addresses of a forwarded column that are tried
_PRIVATE = ""  # the operator of a proxy with a private address
_VERIFIED = (Identity.VERIFIED.value, Identity.OPERATOR_VERIFIED.value)
_LONGEST_TEXT = 300  # characters of an unreadable line or a User-Agent
_SAYS_SITE_AUDIT = pl.col("user_agent").str.slice(0, MAX_USER_AGENT).str.contains(SITE_AUDIT, literal=True)
_DAY = pl.from_epoch(pl.col("time").clip(0, LATEST), "us").dt.date()  # Python has no year 0
_ADDRESS = r"\b\d{1,3}(?:\.\d{1,3}){3}\b|(?:[0-9A-Fa-f]{0,4}:){2,}[0-9A-Fa-f.]*"


@dataclass(frozen=True, slots=True)
class Terms:
    """The policies and options of a check. Picklable if its parts are.

    Attributes:
        sites: Canonical hosts of the sites to check; empty for all. The first is the site of a log without a
            column for the site.
        since: First time to check, in microseconds since the epoch; None for no bound.
        until: First time not to check, in the same form; None for no bound.
        forwarded: Position of the client's address in the forwarded column, counted from the right; 0 for
            none.
        grace_hours: Hours for which a crawler may use an older robots.txt, at least.
        mask: True to cut client addresses short in all results.
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


class Evaluator:
    """Evaluate frames of lines. Threads may share an instance: its caches need no lock."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._judge = Judge(terms.policies, terms.grace_hours)
        self._crawlers: BoundedCache[str, str | None] = BoundedCache(_CACHED)
        self._names: BoundedCache[str, tuple[tuple[str, ...], str | None]] = BoundedCache(_CACHED)
        self._named = NamedTokens(terms.policies, terms.sites)
        self._tokens = token_pattern(self._named.everywhere)
        self.lines = line_pattern(self._named.everywhere)
        """A regular expression that matches all lines to be evaluated."""

    def rows(self, lines: pl.DataFrame, log_format: LogFormat) -> pl.DataFrame:
        """Evaluate lines and return their rows, with the columns of ``SCHEMA``, in the same order.

        Args:
            lines: ``file``, ``line`` (from 1) and ``text`` (String or Binary: a line without its end).
        """
        if lines.is_empty():
            return SCHEMA.to_frame()
        raw = lines["text"].cast(pl.Binary)
        lines = lines.with_columns(pl.col("file").cast(pl.String), as_text(raw), raw.alias("raw"))
        parsed = log_format.read(lines["text"], forwarded=self._terms.forwarded)
        rows = pl.concat([lines, parsed], how="horizontal")
        parts = [self._unreadable(rows.filter(~pl.col("ok"))), self._fetches(rows.filter("ok"), log_format)]
        return pl.concat(map(_completed, parts)).sort("line", maintain_order=True)

    def _unreadable(self, rows: pl.DataFrame) -> pl.DataFrame:
        # A line that only resembles a self-declared crawler's may be any client's.
        rows = rows.filter(lines_matching(rows["text"], self._tokens))
        text = pl.col("text").str.slice(0, _LONGEST_TEXT)
        if self._terms.mask:
            text = text.str.replace_all(_ADDRESS, "(address)")
        return rows.select("file", "line", text, verdict=pl.lit(Verdict.UNREADABLE.value))

    def _fetches(self, rows: pl.DataFrame, log_format: LogFormat) -> pl.DataFrame:
        rows = self._with_sites(rows, log_format)
        rows = rows.with_columns(crawler=self._classified(rows["user_agent"]))
        rows = rows.with_columns(unknown=pl.lit(None, pl.String)).update(self._unlisted(rows), on="row")
        rows = rows.filter(pl.any_horizontal(pl.col("crawler", "unknown").is_not_null()))
        known, elsewhere = pl.col("crawler").is_not_null(), pl.col("elsewhere")
        judged = self._judge.judge(rows.filter(known, ~elsewhere))
        kept, out = judged.filter(self._within), judged.filter(~self._within)
        unknown = self._judge.located(rows.filter(~known, ~elsewhere)).filter(self._within)
        kept = kept.with_columns(identity=self._identified(kept))
        # An operator's own clients can't hide behind the words of the audit.
        is_audit = _SAYS_SITE_AUDIT & ~pl.col("identity").is_in(_VERIFIED)
        audits = [kept.filter(is_audit), unknown.filter(_SAYS_SITE_AUDIT)]
        kept, unknown = kept.filter(~is_audit), unknown.filter(~_SAYS_SITE_AUDIT)
        kept = kept.with_columns(self._proxies(kept, log_format), verdict=_verdict())
        kept = kept.with_columns(sha256=_hashes(kept))
        if self._terms.mask:
            kept = kept.with_columns(address=_masked(kept["address"]))
        left_out = pl.lit(Verdict.LEFT_OUT.value)
        parts = [
            kept,
            out.select("file", "line", verdict=left_out),
            *(part.select("file", "line", verdict=pl.lit(Verdict.SITE_AUDIT.value)) for part in audits),
            rows.filter(known, elsewhere).select("file", "line", site="host", verdict=left_out),
            unknown.select(
                *("file", "line", "site", "time"),
                crawler="unknown",
                user_agent=pl.col("user_agent").str.slice(0, _LONGEST_TEXT),
                verdict=pl.lit(Verdict.UNKNOWN_CRAWLER.value),
            ),
        ]
        return pl.concat(map(_completed, parts))

    def _with_sites(self, rows: pl.DataFrame, log_format: LogFormat) -> pl.DataFrame:
        """Return ``rows`` with ``row`` (a number), ``host``, and ``elsewhere``: True if sent to another site.

        A target in absolute form names the site, whatever the log's column contains (RFC 9112 §3.2.2): a
        request for another site, like a probe for open proxies, is never counted for this one. In a log with
        a column for the site, a request without one belongs to no site.
        """
        authority = pl.col("authority")
        rows = rows.drop("text").with_row_index("row")
        if log_format.has_host:
            differs = (
                authority.is_not_null() & pl.col("host").is_not_null() if self._one_robots else pl.lit(False)
            )
            rows = rows.with_columns(elsewhere=differs)
        else:
            rows = rows.with_columns(elsewhere=authority.is_not_null())
        if rows["elsewhere"].any():
            absolute = rows.filter("elsewhere").select("row", "host", "authority").rows()
            local = [row for row, host, target in absolute if self._is_same_site(host, target, log_format)]
            rows = rows.with_columns(elsewhere=pl.col("elsewhere") & ~pl.col("row").is_in(local))
        host = pl.coalesce("authority", "host")
        if not log_format.has_host:
            # If the target names the log's own site, the log's site is used.
            host = pl.when("elsewhere").then(authority).otherwise(pl.lit(self._only_site, pl.String))
        else:
            host = host.fill_null("")
        return rows.with_columns(host=host)

    @cached_property
    def _one_robots(self) -> bool:
        """True if one robots.txt applies to every host, so that a host name doesn't identify a site."""
        return self._terms.policies.timeline("a.invalid") is not None

    def _is_same_site(self, host: str | None, target_host: str, log_format: LogFormat) -> bool:
        """Return True if the host in a target is the one in the column, or one of the log's site."""
        canonical = canonical_host(target_host)
        if log_format.has_host:
            return canonical == canonical_host(host or "")
        policies, sites = self._terms.policies, self._terms.sites
        if canonical is None or not (sites or not self._one_robots):
            return False
        timeline = policies.timeline(self._only_site)
        return canonical in sites or (
            timeline is not None and not self._one_robots and policies.timeline(canonical) == timeline
        )

    def _unlisted(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return ``row`` and either ``crawler``, if the site's policy names it, or ``unknown``."""
        left = rows.filter(pl.col("crawler").is_null() & pl.col("user_agent").is_not_null())
        pairs = left.select("host", "user_agent").unique()
        found = [self._named_or_unknown(host, user_agent) for host, user_agent in pairs.iter_rows()]
        schema = {"crawler": pl.String, "unknown": pl.String}
        named = pl.concat([pairs, pl.DataFrame(found, schema=schema, orient="row")], how="horizontal")
        return (
            left.select("row", "host", "user_agent")
            .join(named, on=["host", "user_agent"], nulls_equal=True, maintain_order="left")
            .select("row", "crawler", "unknown")
        )

    def _named_or_unknown(self, host: str | None, user_agent: str) -> tuple[str | None, str | None]:
        key = user_agent[:MAX_USER_AGENT]
        names, claim = self._names.get(key) or self._names.keep(key, (product_names(key), self_declared(key)))
        canonical = None if host is None else canonical_host(host)
        no_site = canonical is None and host is not None
        tokens = {} if no_site or not names else self._named.of(self._terms.policies.timeline(canonical))
        for name in names if tokens else ():
            if name.lower() in tokens:
                return best_spelling((tokens[name.lower()], name)), None
        if claim is not None and is_known_namesake(key) and crawler_named(claim.split(" ")[-1]):
            return None, None  # not a crawler, like iMessage's link preview, which names Twitterbot
        return None, claim

    @cached_property
    def _only_site(self) -> str | None:
        """The site of a log without a column for it; None for any. Raises LogError if there are several."""
        if self._terms.sites:
            return self._terms.sites[0]
        if self._terms.policies.timeline(None) is None:
            source = self._terms.policies.source
            raise LogError(
                f"the log has no column for the site, and {source} has several sites; give --site HOST"
            )
        return None

    @cached_property
    def _within(self) -> pl.Expr:
        """Expression that is True for fetches within the chosen period and sites."""
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
        """Return the first product token that each User-Agent declares, or null."""
        distinct = user_agents.unique()
        tokens = [self._token(user_agent) for user_agent in distinct]
        return user_agents.replace_strict(
            distinct, pl.Series(tokens, dtype=pl.String), default=None, return_dtype=pl.String
        )

    def _token(self, user_agent: str | None) -> str | None:
        if user_agent is None:
            return None
        user_agent = user_agent[:MAX_USER_AGENT]  # clients choose what is cached
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
        names = [str(identities[row]) for row in rows]
        known = distinct.with_columns(identity=pl.Series(names, dtype=pl.String))
        joined = claims.join(
            known, on=["crawler", "address", "day"], how="left", nulls_equal=True, maintain_order="left"
        )
        return joined["identity"]

    def _proxies(self, fetches: pl.DataFrame, log_format: LogFormat) -> list[pl.Series]:
        """Return ``proxy``, the operator of the proxy with the logged address, and ``forwarded``."""
        failed = fetches["identity"] == Identity.CHECK_FAILED.value
        distinct = fetches["address"].filter(failed).unique().drop_nulls()
        operators = {each: name for each in distinct if (name := self._operator(each)) is not None}
        if not operators:
            nothing = pl.DataFrame({"proxy": [None] * len(fetches)}, schema={"proxy": pl.String})
            return [*nothing, pl.Series("forwarded", [None] * len(fetches), dtype=pl.Int32)]
        names = pl.Series(operators.values(), dtype=pl.String)
        address, none = fetches["address"], pl.lit(None, pl.String)
        proxy = address.replace_strict(list(operators), names, default=None, return_dtype=pl.String)
        proxy = pl.select(pl.when(failed).then(proxy).otherwise(none).alias("proxy")).to_series()
        return [proxy, self._forwarded(fetches, proxy.is_not_null(), log_format)]

    def _operator(self, address: str) -> str | None:
        proxy = self._terms.identities.proxy_of(address)
        if proxy is not None:
            return proxy.published.operator
        client = read_address(address)
        return _PRIVATE if client is not None and client.behind_a_proxy else None

    def _forwarded(self, fetches: pl.DataFrame, wanted: pl.Series, log_format: LogFormat) -> pl.Series:
        """Return for each wanted client the position of the first forwarded address that verifies it."""
        found = pl.Series("forwarded", [None] * len(fetches), dtype=pl.Int32)
        if not log_format.has_forwarded or self._terms.forwarded:
            return found
        lines = as_text(fetches["raw"].filter(wanted))
        claims = fetches.filter(wanted).select("crawler", "time")
        numbers: list[int | None] = [None] * len(lines)
        trusted = [True] * len(lines)  # entries to the left of a client's own address are only its claim
        for number in range(1, _PROXIES + 1):
            addresses = log_format.parse(lines, forwarded=number)["address"]
            identities = self._identified(claims.with_columns(addresses))
            for row, (address, identity) in enumerate(zip(addresses, identities, strict=True)):
                if trusted[row] and identity in _VERIFIED:
                    numbers[row] = number
                trusted[row] &= identity not in _VERIFIED and self._operator(address or "") is not None
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
        hashlib.sha256(raw).hexdigest() if kept else None
        for raw, kept in zip(fetches["raw"], evidence, strict=True)
    ]
    return pl.Series(hashes, dtype=pl.String)


def _masked(addresses: pl.Series) -> pl.Series:
    distinct = addresses.unique()
    masked = pl.Series([masked_address(address) for address in distinct], dtype=pl.String)
    return addresses.replace_strict(distinct, masked, default=None, return_dtype=pl.String)


def masked_address(address: str | None) -> str | None:
    """Return an address cut to its /24 or /48; a placeholder for anything that is not an address."""
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
