"""Text from a log, which its clients wrote, made safe to look at."""

import sys
import unicodedata
from itertools import groupby

from aipolicy.report.text import shown

_MARKS = frozenset({"Mn", "Me"})
_MOST_MARKS = 2  # on one letter; more than any living script writes, they pile up over other lines


def logged(text: str, longest: int = sys.maxsize) -> str:
    """``text`` on one line: controls, escapes and direction marks as ``\\x1b`` or ``\\u202e``.

    Past ``longest`` characters it is cut, and what it had is said.
    """
    kept = text if len(text) <= longest else text[:longest]
    # shown() would cut at its own length: it gets room for all.
    safe = shown(kept, len(kept) + 1)
    if not safe.isascii():
        safe = "".join(_without_piles(safe))
    return safe if kept is text else f"{safe}… (cut; {len(text):,} characters in all)"


def _without_piles(text: str) -> list[str]:
    parts = []
    for is_mark, run in groupby(text, lambda c: unicodedata.category(c) in _MARKS):
        letters = "".join(run)
        if is_mark:
            piled = "".join(f"\\u{ord(c):04x}" for c in letters[_MOST_MARKS:])
            letters = letters[:_MOST_MARKS] + piled
        parts.append(letters)
    return parts
