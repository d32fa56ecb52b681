"""The lines of a block that hold a crawler's product token: all others are left alone from here on.

Columnar, and before anything is taken apart: most lines of most logs are not a crawler's.
"""

import io
import re

import polars as pl

from aipolicy.core.crawlers import CrawlerTable, from_table

_SPACE = r"(?:[ +]|%(?:25)?20)"  # as formats without spaces write it


@from_table
def _tokens(table: CrawlerTable) -> str:
    """Return the pattern of all product tokens."""
    tokens = (crawler.product_token.split(" ") for crawler in table.crawlers)
    return "(?i)" + "|".join(_SPACE.join(map(re.escape, words)) for words in tokens)


def holds_token(text: pl.Series) -> pl.Series:
    """Whether each line has the token of any crawler anywhere in it, in any case."""
    # In one chunk: for each, the automaton is built anew, which takes as long as two thousand lines.
    return text.rechunk().str.contains(_tokens())


def candidates(block: bytes) -> tuple[int, pl.DataFrame]:
    """How many lines a block (as ``blocks`` gives them) has; and those with a token.

    These as ``line`` (their number in the block, from 1) and ``text`` (Binary, without the line's end).
    """
    try:
        lines = pl.read_lines(io.BytesIO(block), name="text")["text"]
        raw = lines
    except pl.exceptions.ComputeError:  # not UTF-8 everywhere
        octets = block.removesuffix(b"\n").split(b"\n")
        raw = pl.Series("text", [line.removesuffix(b"\r") for line in octets], dtype=pl.Binary)
        lines = as_text(raw)
    held = holds_token(lines).arg_true()
    kept = pl.DataFrame([held.cast(pl.Int64).alias("line"), raw.gather(held).cast(pl.Binary)])
    return len(lines) - 1, kept  # the block begins with the end of a line


def as_text(raw: pl.Series) -> pl.Series:
    """Octets as text, with replacement characters for those that are not UTF-8."""
    try:
        return raw.cast(pl.String)
    except pl.exceptions.ComputeError:
        return pl.Series(raw.name, [octets.decode("utf-8", "replace") for octets in raw], dtype=pl.String)
