"""Paths of whole columns."""

import re

import polars as pl


def _spellings(character: str) -> str:
    """A regular expression for an unreserved character, plain or percent-encoded (RFC 9309 §2.2.2)."""
    escape = f"%{ord(character):02x}"
    return f"(?:{re.escape(character)}|{escape}|{escape.upper()})"


_ROBOTS_TXT = "^/" + "".join(map(_spellings, "robots.txt")) + r"(?:\?|$)"


def reads_robots_txt(path: pl.Expr) -> pl.Expr:
    """Whether a path (with its query) is that of robots.txt, however it is encoded: it is always allowed."""
    return path.str.contains(_ROBOTS_TXT)
