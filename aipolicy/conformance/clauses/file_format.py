"""Clauses about the format of a robots.txt: lines, encoding and size."""

from aipolicy.conformance.clause import Clause, Level
from aipolicy.conformance.fixture import CLOSED, single_site
from aipolicy.conformance.verdicts import judge_large_file, judge_pages
from aipolicy.core.validation import MAX_ROBOTS_BYTES

_ALL = b"User-agent: *\n"
_TWO = (CLOSED, "/shut.html")
_COMMENT = b"# " + b"-" * 97 + b"\n"


def _large(filler: bytes) -> bytes:
    """Return a file with a rule whose last byte is the last of 500 KiB, and one more rule.

    Args:
        filler: A line that is repeated; ``%06d`` in it is replaced by its number.
    """
    head, before, after = (
        _ALL + b"Disallow: /early.html\n",
        b"Disallow: /before.html\n",
        b"Disallow: /after.html\n",
    )
    length = len(filler % 0 if b"%" in filler else filler)
    count, room = divmod(MAX_ROBOTS_BYTES - len(head) - len(before), length)
    lines = (filler % number if b"%" in filler else filler for number in range(count))
    rest = b"#" * (room - 1) + b"\n" if room else b""
    return head + b"".join(lines) + rest + before + after


_LARGE = ("/early.html", "/before.html")

FILE_CLAUSES = (
    Clause(
        "field-case",
        "2.2",
        Level.MUST,
        "Field names are case-insensitive.",
        single_site(
            "USER-AGENT: *\ndisallow: /lower.html\nDISALLOW: /upper.html\n",
            forbidden=("/lower.html", "/upper.html"),
        ),
        judge_pages,
    ),
    Clause(
        "field-space",
        "2.2",
        Level.MUST,
        "White space before the colon is allowed.",
        single_site(f"User-agent: *\nDisallow : {CLOSED}\nDisallow\t:\t/shut.html\n", forbidden=_TWO),
        judge_pages,
    ),
    Clause(
        "indented-line",
        "2.2",
        Level.MUST,
        "White space at the start of a line is allowed.",
        single_site(f"User-agent: *\n  Disallow: {CLOSED}\n\tDisallow: /shut.html\n", forbidden=_TWO),
        judge_pages,
    ),
    Clause(
        "blank-line-after-name",
        "2.2",
        Level.MUST,
        "An empty line after User-agent does not end the group.",
        single_site(f"User-agent: *\n\nDisallow: {CLOSED}\n", forbidden=(CLOSED,)),
        judge_pages,
    ),
    Clause(
        "blank-line-between-rules",
        "2.2",
        Level.MUST,
        "An empty line between rules does not end the group.",
        single_site(f"User-agent: *\nDisallow: {CLOSED}\n\nDisallow: /shut.html\n", forbidden=_TWO),
        judge_pages,
    ),
    Clause(
        "comment-line",
        "2.2.3",
        Level.MUST,
        "A line that begins with # is a comment.",
        single_site(
            f"# A robots.txt\nUser-agent: *\n# Disallow: /open.html\nDisallow: {CLOSED}\n",
            forbidden=(CLOSED,),
            allowed=("/open.html",),
        ),
        judge_pages,
    ),
    Clause(
        "comment-after-value",
        "2.2.3",
        Level.MUST,
        "A # after a value and a space begins a comment.",
        single_site(f"User-agent: * # everyone\nDisallow: {CLOSED} # for good\n", forbidden=(CLOSED,)),
        judge_pages,
    ),
    Clause(
        "comment-without-space",
        "2.2.3",
        Level.MUST,
        "A # directly after a value begins a comment.",
        single_site(f"User-agent: *\nDisallow: {CLOSED}#today\n", forbidden=(CLOSED,)),
        judge_pages,
    ),
    Clause(
        "crlf",
        "2.2",
        Level.MUST,
        "Lines can end with CR LF.",
        single_site(b"User-agent: *\r\nDisallow: /closed.html\r\nDisallow: /shut.html\r\n", forbidden=_TWO),
        judge_pages,
    ),
    Clause(
        "cr",
        "2.2",
        Level.MUST,
        "Lines can end with CR alone.",
        single_site(b"User-agent: *\rDisallow: /closed.html\rDisallow: /shut.html\r", forbidden=_TWO),
        judge_pages,
    ),
    Clause(
        "no-last-newline",
        "2.3.1.5",
        Level.IMPLIED,
        "The last line counts even if it has no line end.",
        single_site(f"User-agent: *\nDisallow: {CLOSED}", forbidden=(CLOSED,)),
        judge_pages,
    ),
    Clause(
        "sitemap-record",
        "2.2.4",
        Level.MUST,
        "A Sitemap record ends neither the group nor the file.",
        single_site(
            f"Sitemap: /first.xml\nUser-agent: *\nSitemap: /second.xml\nDisallow: {CLOSED}\n"
            "Sitemap: /third.xml\nDisallow: /shut.html\n",
            forbidden=_TWO,
        ),
        judge_pages,
    ),
    Clause(
        "other-record",
        "2.2.4",
        Level.MUST,
        "An unknown record does not end a group.",
        single_site(
            f"User-agent: *\nFavourite-colour: green\nDisallow: {CLOSED}\nFavourite-food: rice\n"
            "Disallow: /shut.html\n",
            forbidden=_TWO,
        ),
        judge_pages,
    ),
    Clause(
        "record-between-names",
        "2.2.4",
        Level.MUST,
        "A record between two User-agent lines does not split the group.",
        single_site(
            f"User-agent: TOKEN\nFavourite-colour: green\nUser-agent: OTHER\nDisallow: {CLOSED}\n",
            forbidden=(CLOSED,),
        ),
        judge_pages,
        needs_token=True,
        requires="shared-group",
    ),
    Clause(
        "parsing-errors",
        "2.3.1.5",
        Level.MUST,
        "It continues after a line that it can't parse.",
        single_site(
            b"<!doctype html>\n" + _ALL + b"Disallow: /closed.html\nthis line says nothing\n: :\n"
            b"Disallow: /shut.html\n",
            forbidden=_TWO,
        ),
        judge_pages,
    ),
    Clause(
        "size",
        "2.5",
        Level.MUST,
        "It reads at least 500 KiB of mostly comments.",
        single_site(_large(_COMMENT), forbidden=_LARGE),
        judge_large_file,
    ),
    Clause(
        "size-of-rules",
        "2.5",
        Level.MUST,
        "It reads at least 500 KiB of rules.",
        single_site(_large(b"Disallow: /private/folder-%06d/\n"), forbidden=_LARGE),
        judge_large_file,
    ),
    Clause(
        "bom",
        "\N{EN DASH}",
        Level.CLAIM,
        "It ignores a byte order mark at the start of the file.",
        single_site(b"\xef\xbb\xbf" + _ALL + b"Disallow: /closed.html\n", forbidden=(CLOSED,)),
        judge_pages,
        claim="bom",
    ),
)
