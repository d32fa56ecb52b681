"""Conversion of the texts in a line to the columns that every format returns."""

import re
from collections.abc import Callable
from urllib.parse import unquote

import polars as pl

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
_PLACEHOLDERS = ("", "-")  # for a value that was absent
# RFC 9112 §3.2.2; RFC 3986 §3.2: user information before "@" is not part of the host.
_ABSOLUTE = r"\A[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#]*@)?(?P<host>[^/?#@]+)(?P<path>(?s:.*))\z"
_STATUS = r"\A[0-9]{1,3}\z"

# Enough to tell an address from a host name or a socket; the address parser checks the rest.
_IPV4 = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
_IPV6 = r"[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(?:%[0-9A-Za-z._-]+)?"
_BARE = rf"\A(?:{_IPV4}|{_IPV6})\z"
_WITH_PORT = rf"\A(?:({_IPV4})(?::[0-9]*)?|\[({_IPV6})\](?::[0-9]*)?|({_IPV6}))\z"

# nginx writes \x22, Apache \" and \\, and JSON \" and \\ (and \/, which is optional).
_ESCAPES = re.compile(r'(?:\\x[0-9A-Fa-f]{2})+|\\["\\/]')
_CONTROL = r"[\x00-\x1f\x7f]"
_NOT_UTF_8 = re.compile("[\udc80-\udcff]")


def request_columns(found: pl.DataFrame, *, forwarded: int, has_forwarded: bool) -> pl.DataFrame:
    """Return the table of ``LogFormat.read``.

    Args:
        found: ``fits`` (Boolean: the line has the structure of the format), ``time`` (Int64), and as Strings
            those of host, address, forwarded, target, status and user_agent that the format has.
    """
    if forwarded < 0:
        raise LogFormatError(f"forwarded is {forwarded}; addresses are counted from the right, from 1")
    if forwarded and not has_forwarded:
        raise LogFormatError(
            "the log has no forwarded column; leave out --forwarded, or log X-Forwarded-For and give the "
            "format string that contains it"
        )
    missing = [pl.lit(None, pl.String).alias(name) for name in _TEXTS if name not in found.columns]
    found = found.with_columns(missing).with_columns(
        without_placeholder(pl.col("host", "address", "user_agent"))
    )
    path, host = _split(found["target"])
    address = from_right(found["forwarded"], forwarded) if forwarded else found["address"]
    status = found["status"].str.extract(_STATUS, 0).cast(pl.Int32)
    table = pl.DataFrame(
        {
            "host": escape_controls(found["host"].fill_null(host)),
            "authority": escape_controls(host),
            "address": bare_address(address),
            "time": found["time"],
            "path": escape_controls(path),
            "status": status,
            "user_agent": escape_controls(found["user_agent"]),
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
    """Return the rows of ``number`` unreadable lines."""
    schema = {**SCHEMA, "authority": pl.String()}
    return pl.DataFrame(schema=schema).clear(number).with_columns(ok=pl.lit(False))


def without_placeholder(text: pl.Expr) -> pl.Expr:
    """Return ``text``, or null where it is empty or "-"."""
    return pl.when(~text.is_in(_PLACEHOLDERS)).then(text)


def with_query(target: pl.Expr, query: pl.Expr) -> pl.Expr:
    """Join a path and its query, which may already begin with "?"."""
    found = without_placeholder(query.str.strip_prefix("?"))
    return pl.when(found.is_null()).then(target).otherwise(target + "?" + found)


def _split(targets: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return the paths, and the hosts of absolute targets; null for ``*``, ``a:443`` and the like."""
    plain = targets.str.starts_with("/")
    if plain.all():  # ignores nulls
        return targets, pl.Series([None] * targets.len(), dtype=pl.String)
    parts = targets.str.extract_groups(_ABSOLUTE).struct.unnest()
    rest = pl.col("path")
    path = parts.select(pl.when(rest.str.starts_with("/")).then(rest).otherwise("/" + rest)).to_series()
    return path.zip_with(~plain.fill_null(False), targets), parts["host"]


def bare_address(addresses: pl.Series) -> pl.Series:
    """Remove ports and brackets; null for anything but an IP address. IPv4-mapped ones stay as logged."""
    if addresses.str.contains(_BARE).all():  # ignores nulls
        return addresses
    groups = addresses.str.extract_groups(_WITH_PORT).struct.unnest()
    return groups.select(pl.coalesce(pl.all())).to_series()


def from_right(lists: pl.Series, number: int) -> pl.Series:
    """Return the ``number``-th entry from the right of comma-separated lists; null where there are fewer."""
    return lists.str.split(",").list.get(-number, null_on_oob=True).str.strip_chars()


def unescaped(values: pl.Series) -> pl.Series:
    r"""Undo the escapes of nginx and Apache: ``\x22`` is ``"``, and ``\\`` is a backslash.

    Bytes that aren't UTF-8 are percent-encoded, which leaves the meaning of a path as it is (RFC 9309
    §2.2.2).
    """
    return _changed(values, r"\\", lambda text: _ESCAPES.sub(_unescape, text))


def percent_decoded(values: pl.Series) -> pl.Series:
    """Undo CloudFront's encoding of a User-Agent: once or, as in ``%2520``, twice."""
    return _changed(values, "%", _percent_decode)


def escape_controls(values: pl.Series) -> pl.Series:
    r"""Write control characters as ``\x0a``, so that no text from a log can end a line of a report."""
    return _changed(values, _CONTROL, lambda text: re.sub(_CONTROL, lambda c: rf"\x{ord(c[0]):02x}", text))


def _changed(values: pl.Series, where: str, change: Callable[[str], str]) -> pl.Series:
    """Apply ``change`` once to each distinct text that matches ``where``."""
    matching = values.str.contains(where)
    if not matching.any():
        return values
    old = values.filter(matching).unique()
    new = pl.Series([change(text) for text in old], dtype=pl.String)
    return values.replace_strict(old, new, default=values)


def _unescape(match: re.Match[str]) -> str:
    text = match[0]
    if text[1] != "x":
        return text[1]
    decoded = bytes.fromhex(text.replace("\\x", "")).decode("utf-8", "surrogateescape")
    return _NOT_UTF_8.sub(lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", decoded)


def _percent_decode(text: str) -> str:
    once = unquote(text)
    return unquote(once) if "%20" in once and " " not in once else once
