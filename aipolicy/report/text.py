"""Text from a file that anyone may have written, made safe for a terminal and short enough to read."""

from collections.abc import Iterable

LONGEST = 120
"""Characters of one quotation."""
LONGEST_PASTED = 1000
"""Characters of one line of a fix: a fix is never cut."""


def shown(text: str, longest: int = LONGEST) -> str:
    """``text`` on one line, with controls, terminal escapes and direction marks written as ``\\x1b``."""
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else _escape(c) for c in cut)


def pasted(text: str) -> str:
    """``text`` as it goes into a fix: as it is, or with a NUL, with which a finding shows no fix."""
    return text if len(text) <= LONGEST_PASTED and text.isprintable() else "\0"


def longest_word(texts: Iterable[object], most: int = 40) -> int:
    """Return the width at which no word of ``texts`` breaks; words longer than ``most`` may."""
    return max((len(word) for text in texts for word in str(text).split() if len(word) <= most), default=0)


def listed(names: Iterable[str], most: int = 8) -> str:
    """``A, B and 3 more``."""
    items = [shown(name, 60) for name in names]
    if len(items) <= most + 1:
        return ", ".join(items)
    return f"{', '.join(items[:most])} and {len(items) - most} more"


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # an octet that was no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
