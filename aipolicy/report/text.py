"""Escapes that make untrusted text safe to print on a terminal or a page.

Text stays on one line: controls, terminal escapes and direction marks are written as ``\\x1b`` or
``\\u202e``, and so are combining marks that would pile up over other lines.
"""

import sys
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import groupby

LONGEST = 120
"""Maximum characters of one quotation."""
LONGEST_PASTED = 1000
"""Maximum characters of one line of a fix, which is never cut."""

_MARKS = frozenset({"Mn", "Me"})
_MOST_MARKS = 2  # on one letter; no living script writes more


def printable(text: str, longest: int = sys.maxsize) -> str:
    """Return ``text`` safe to print; past ``longest`` characters it is cut, and its full length is stated."""
    kept = text[:longest]
    safe = _escaped(kept)
    return safe if len(kept) == len(text) else f"{safe}… (cut; {len(text):,} characters in all)"


def shorten(text: str, longest: int = LONGEST) -> str:
    """Return ``text`` safe to print, cut to ``longest`` characters with an ellipsis."""
    return _escaped(text if len(text) <= longest else text[: longest - 1] + "…")


def pasted(text: str) -> str:
    """Return ``text`` for a fix: unchanged, or a NUL, with which a finding shows no fix."""
    return text if len(text) <= LONGEST_PASTED and text.isprintable() else "\0"


def longest_word(texts: Iterable[object], most: int = 40) -> int:
    """Return the width at which no word of ``texts`` breaks, leaving out words longer than ``most``."""
    return max((len(word) for text in texts for word in str(text).split() if len(word) <= most), default=0)


def listed(names: Iterable[str], most: int = 8) -> str:
    """Return a list for a sentence: ``A, B and 3 more``."""
    items = [shorten(name, 60) for name in names]
    if len(items) <= most + 1:
        return ", ".join(items)
    return f"{', '.join(items[:most])} and {len(items) - most} more"


def _escaped(text: str) -> str:
    if not text.isprintable():
        text = "".join(c if c.isprintable() else _escape(c) for c in text)
    return text if text.isascii() else "".join(_without_piles(text))


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # stands for a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _without_piles(text: str) -> Iterator[str]:
    for is_mark, run in groupby(text, lambda c: unicodedata.category(c) in _MARKS):
        letters = "".join(run)
        if is_mark:
            letters = letters[:_MOST_MARKS] + "".join(map(_escape, letters[_MOST_MARKS:]))
        yield letters
