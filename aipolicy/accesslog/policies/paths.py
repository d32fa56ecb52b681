"""Find the paths of policy files (robots.txt, ai.txt, /.well-known/) in a column."""

import re
from urllib.parse import unquote

import polars as pl

ROBOTS_TXT = "robots.txt"
POLICY_FILE = "policy file"

_FILES = {"robots.txt": ROBOTS_TXT, "ai.txt": POLICY_FILE}
_FOLDER = ".well-known"


def _spellings(text: str) -> str:
    """Return a regular expression for ``text``, each character plain or percent-encoded."""
    return "".join(f"(?:{re.escape(c)}|(?i:%{ord(c):02x}))" for c in text)


# Only paths with the name of a policy file in some spelling need be parsed.
_MAYBE = "|".join(map(_spellings, (*_FILES, _FOLDER)))


def policy_reads(paths: pl.Series) -> pl.Series:
    """Return ``ROBOTS_TXT``, ``POLICY_FILE`` (``/ai.txt``, ``/.well-known/*``) or null for each path.

    In any spelling that a server may take for it: ``//robots.txt``, ``/./robots.txt``, ``/%72obots.txt``,
    ``/a/../ai.txt``. Paths may have a query.
    """
    maybe = paths.filter(paths.str.contains(_MAYBE).fill_null(False)).unique()
    kinds = {path: kind for path in maybe if (kind := _kind(path)) is not None}
    if not kinds:
        return pl.Series(paths.name, [None] * len(paths), dtype=pl.String)
    return paths.replace_strict(
        list(kinds), pl.Series(kinds.values(), dtype=pl.String), default=None, return_dtype=pl.String
    )


def reads_policy(path: pl.Expr) -> pl.Expr:
    """Return True for a path (with its query) of a policy file in any spelling: it may always be fetched."""
    return path.map_batches(lambda paths: policy_reads(paths).is_not_null(), return_dtype=pl.Boolean)


def reads_robots_txt(path: pl.Expr) -> pl.Expr:
    """Return True for a path (with its query) of robots.txt in any spelling."""
    return path.map_batches(
        lambda paths: (policy_reads(paths) == ROBOTS_TXT).fill_null(False), return_dtype=pl.Boolean
    )


def _kind(path: str) -> str | None:
    segments: list[str] = []
    parts = unquote(path.partition("?")[0].partition("#")[0]).split("/")
    for segment in parts:
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    if len(segments) == 1 and parts[-1] == segments[0]:  # "/robots.txt/" is another path
        return _FILES.get(segments[0])
    return POLICY_FILE if segments[:1] == [_FOLDER] else None
