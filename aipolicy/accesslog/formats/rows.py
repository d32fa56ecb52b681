"""From what a format found in its lines to the columns that every format gives."""

import polars as pl

from aipolicy.accesslog.formats.addresses import bare, from_right
from aipolicy.accesslog.formats.escapes import harmless
from aipolicy.accesslog.formats.timestamps import LATEST
from aipolicy.errors import LogFormatError

SCHEMA = {
    "host": pl.String(),
    "address": pl.String(),
    "time": pl.Int64(),
    "path": pl.String(),
    "status": pl.Int32(),
    "user_agent": pl.String(),
    "ok": pl.Boolean(),
}
_TEXTS = ("host", "address", "forwarded", "target", "status", "user_agent")
_NOTHING = ("", "-")  # what is written where there was nothing
# RFC 9112 §3.2.2; RFC 3986 §3.2: what stands before "@" is no part of the host.
_ABSOLUTE = r"\A[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#]*@)?(?P<host>[^/?#@]+)(?P<path>(?s:.*))\z"
_STATUS = r"\A[0-9]{1,3}\z"


def rows(found: pl.DataFrame, *, forwarded: int, has_forwarded: bool) -> pl.DataFrame:
    """The table of ``LogFormat.read``.

    ``found`` has ``fits`` (Boolean: the line is built like the format), ``time`` (Int64), and as Strings what
    the format has of host, address, forwarded, target, status and user_agent.
    """
    if forwarded < 0:
        raise LogFormatError(f"forwarded is {forwarded}: addresses are counted from the right, from 1")
    if forwarded and not has_forwarded:
        raise LogFormatError(
            "the log has no forwarded column: leave out --forwarded, or log X-Forwarded-For and give the "
            "format string that has it"
        )
    lacking = [pl.lit(None, pl.String).alias(name) for name in _TEXTS if name not in found.columns]
    found = found.with_columns(lacking).with_columns(given(pl.col("host", "address", "user_agent")))
    path, host = _split(found["target"])
    address = from_right(found["forwarded"], forwarded) if forwarded else found["address"]
    status = found["status"].str.extract(_STATUS, 0).cast(pl.Int32)
    table = pl.DataFrame(
        {
            "host": harmless(found["host"].fill_null(host)),
            "authority": harmless(host),
            "address": bare(address),
            "time": found["time"],
            "path": harmless(path),
            "status": status,
            "user_agent": harmless(found["user_agent"]),
        }
    )
    ok = (
        found["fits"].fill_null(False)
        & path.is_not_null()
        & found["time"].is_between(0, LATEST).fill_null(False)
        & (status.is_not_null() | found["status"].is_null())
    )
    if not ok.all():
        table = table.select(pl.when(ok).then(pl.all()))
    return table.with_columns(ok.alias("ok"))


def unreadable(number: int) -> pl.DataFrame:
    """As many rows, of lines that all can't be read."""
    schema = {**SCHEMA, "authority": pl.String()}
    return pl.DataFrame(schema=schema).clear(number).with_columns(ok=pl.lit(False))


def given(text: pl.Expr) -> pl.Expr:
    """``text``, or null where it says that there was nothing."""
    return pl.when(~text.is_in(_NOTHING)).then(text)


def with_query(target: pl.Expr, query: pl.Expr) -> pl.Expr:
    """Both as one; the query may have its "?" already."""
    found = given(query.str.strip_prefix("?"))
    return pl.when(found.is_null()).then(target).otherwise(target + "?" + found)


def _split(targets: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Paths, and hosts of those in absolute form; no path where the target names none (``*``, ``a:443``)."""
    plain = targets.str.starts_with("/")
    if plain.all():  # nulls are left out
        return targets, pl.Series([None] * targets.len(), dtype=pl.String)
    parts = targets.str.extract_groups(_ABSOLUTE).struct.unnest()
    rest = pl.col("path")
    path = parts.select(pl.when(rest.str.starts_with("/")).then(rest).otherwise("/" + rest)).to_series()
    return path.zip_with(~plain.fill_null(False), targets), parts["host"]
