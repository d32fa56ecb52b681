"""The lines of a block that may be a crawler's: all others are left alone from here on.

Columnar, and before anything is taken apart: most lines of most logs are not a crawler's.
"""

import io
import re
from collections.abc import Iterable

import polars as pl

from aipolicy.accesslog.unlisted_crawlers import LINES
from aipolicy.core.crawlers import CRAWLERS

_SPACE = r"(?:[ +]|%(?:25)?20)"  # as formats without spaces write it
_MOST_NAMES = 20_000
_ANY_LINE = "."


def token_pattern(names: Iterable[str] = ()) -> str:
    """Return a regular expression that matches lines with the token of a crawler, in any case.

    Of any crawler of the table, and of those that policies name besides (``names``).
    """
    tokens = dict.fromkeys([*(crawler.product_token for crawler in CRAWLERS), *names])
    if len(tokens) > _MOST_NAMES:
        return _ANY_LINE
    return "(?i)" + "|".join(_SPACE.join(map(re.escape, token.split(" "))) for token in tokens)


def line_pattern(names: Iterable[str] = ()) -> str:
    """Return a regular expression that matches those lines, and every self-declared crawler's."""
    tokens = token_pattern(names)
    return tokens if tokens == _ANY_LINE else f"{tokens}|{LINES}"


def holds(text: pl.Series, pattern: str) -> pl.Series:
    """Tell for each line if it matches."""
    # In one chunk: for each, the automaton is built anew, which takes as long as two thousand lines.
    return text.rechunk().str.contains(pattern)


def candidates(block: bytes, pattern: str) -> tuple[int, pl.DataFrame]:
    """Return the number of lines of a block (as ``blocks`` gives them), and those that match ``pattern``.

    These as ``line`` (their number in the block, from 1) and ``text`` (Binary, without the line's end).
    """
    try:
        lines = pl.read_lines(io.BytesIO(block), name="text")["text"]
        raw = lines
    except pl.exceptions.ComputeError:  # not UTF-8 everywhere
        octets = block.removesuffix(b"\n").split(b"\n")
        raw = pl.Series("text", [line.removesuffix(b"\r") for line in octets], dtype=pl.Binary)
        lines = as_text(raw)
    held = holds(lines, pattern).arg_true()
    kept = pl.DataFrame([held.cast(pl.Int64).alias("line"), raw.gather(held).cast(pl.Binary)])
    return len(lines) - 1, kept  # the block begins with the end of a line


def as_text(raw: pl.Series) -> pl.Series:
    """Octets as text, with replacement characters for those that are not UTF-8."""
    try:
        return raw.cast(pl.String)
    except pl.exceptions.ComputeError:
        return pl.Series(raw.name, [octets.decode("utf-8", "replace") for octets in raw], dtype=pl.String)
