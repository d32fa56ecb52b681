"""What servers do to a header before they write it into a line, undone; and control characters kept out."""

import re
from collections.abc import Callable
from urllib.parse import unquote

import polars as pl

# nginx writes \x22, Apache \" and \\, and JSON \" and \\ (and \/, which nobody has to).
_ESCAPES = re.compile(r'(?:\\x[0-9A-Fa-f]{2})+|\\["\\/]')
_CONTROL = r"[\x00-\x1f\x7f]"
_NO_UTF_8 = re.compile("[\udc80-\udcff]")


def unescaped(values: pl.Series) -> pl.Series:
    r"""Without the escapes of nginx and Apache: ``\x22`` is ``"``, and ``\\`` is a backslash.

    Octets that aren't UTF-8 come out percent-encoded: a path means the same then (RFC 9309 §2.2.2).
    """
    return _changed(values, r"\\", lambda text: _ESCAPES.sub(_unescape, text))


def percent_decoded(values: pl.Series) -> pl.Series:
    """As CloudFront encodes a User-Agent: once or, as ``%2520``, twice."""
    return _changed(values, "%", _percent_decode)


def harmless(values: pl.Series) -> pl.Series:
    r"""With control characters written as ``\x0a``: nothing from a log may end a line elsewhere."""
    return _changed(values, _CONTROL, lambda text: re.sub(_CONTROL, _written, text))


def _changed(values: pl.Series, where: str, change: Callable[[str], str]) -> pl.Series:
    """``change`` made once for each distinct text that matches ``where``."""
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
    return _NO_UTF_8.sub(lambda octet: f"%{ord(octet[0]) - 0xDC00:02X}", decoded)


def _percent_decode(text: str) -> str:
    once = unquote(text)
    return unquote(once) if "%20" in once and " " not in once else once


def _written(match: re.Match[str]) -> str:
    return rf"\x{ord(match[0]):02x}"
