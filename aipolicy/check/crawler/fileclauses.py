"""Clauses about a robots.txt as a file: its lines, its encoding, its size."""

from aipolicy.check.crawler.building import one_site
from aipolicy.check.crawler.clause import Clause, Level
from aipolicy.check.crawler.judging import as_deep, by_pages
from aipolicy.check.crawler.trap import CLOSED
from aipolicy.core.fields import MAX_ROBOTS_BYTES

_ALL = b"User-agent: *\n"
_TWO = (CLOSED, "/shut.html")


def _large() -> bytes:
    """A rule that ends with the last octet of 500 KiB, and one after it."""
    head, before, after = (
        _ALL + b"Disallow: /early.html\n",
        b"Disallow: /before.html\n",
        b"Disallow: /after.html\n",
    )
    filler = b"# " + b"-" * 97 + b"\n"
    room = MAX_ROBOTS_BYTES - len(head) - len(before)
    rest = b"#" * (room % len(filler) - 1) + b"\n" if room % len(filler) else b""
    return head + filler * (room // len(filler)) + rest + before + after


FILE_CLAUSES = (
    Clause(
        "field-names",
        "2.2",
        Level.MUST,
        "Names of fields are known in any case, with white space around them.",
        one_site(
            "USER-AGENT: *\ndisallow: /lower.html\n\tDISALLOW :\t/upper.html\n",
            forbidden=("/lower.html", "/upper.html"),
        ),
        by_pages,
    ),
    Clause(
        "blank-lines",
        "2.2",
        Level.MUST,
        "A group may have empty lines inside.",
        one_site(f"User-agent: *\n\nDisallow: {CLOSED}\n\nDisallow: /shut.html\n", forbidden=_TWO),
        by_pages,
    ),
    Clause(
        "comments",
        "2.2.3",
        Level.MUST,
        "# begins a comment, on a line of its own and behind a value.",
        one_site(
            f"# A robots.txt\nUser-agent: * # everyone\n# Disallow: /open.html\n"
            f"Disallow: {CLOSED} # for good\nDisallow: /shut.html#today\n",
            forbidden=_TWO,
            free=("/open.html",),
        ),
        by_pages,
    ),
    Clause(
        "crlf",
        "2.2",
        Level.MUST,
        "Lines may end with CR LF.",
        one_site(b"User-agent: *\r\nDisallow: /closed.html\r\nDisallow: /shut.html\r\n", forbidden=_TWO),
        by_pages,
    ),
    Clause(
        "cr",
        "2.2",
        Level.MUST,
        "Lines may end with CR alone.",
        one_site(b"User-agent: *\rDisallow: /closed.html\rDisallow: /shut.html\r", forbidden=_TWO),
        by_pages,
    ),
    Clause(
        "no-last-newline",
        "2.3.1.5",
        Level.MUST,
        "The last line counts, also where nothing ends it.",
        one_site(f"User-agent: *\nDisallow: {CLOSED}", forbidden=(CLOSED,)),
        by_pages,
    ),
    Clause(
        "bom",
        "2.3",
        Level.MUST,
        "The file is UTF-8, and may begin with a byte order mark (RFC 3629 §6).",
        one_site(b"\xef\xbb\xbf" + _ALL + b"Disallow: /closed.html\n", forbidden=(CLOSED,)),
        by_pages,
    ),
    Clause(
        "other-records",
        "2.2.4",
        Level.MUST,
        "A record that it doesn't know ends no group.",
        one_site(
            f"User-agent: TOKEN\nContent-Usage: train-ai=n\nUser-agent: OTHER\nDisallow: {CLOSED}\n",
            forbidden=(CLOSED,),
        ),
        by_pages,
        names_it=True,
    ),
    Clause(
        "parsing-errors",
        "2.3.1.5",
        Level.MUST,
        "It goes on behind a line that it can't read.",
        one_site(
            b"<!doctype html>\n" + _ALL + b"Disallow: /closed.html\nthis line says nothing\n: :\n"
            b"Disallow: /shut.html\n",
            forbidden=_TWO,
        ),
        by_pages,
    ),
    Clause(
        "size",
        "2.5",
        Level.MUST,
        "It reads 500 KiB at least.",
        one_site(
            _large(),
            forbidden=(
                "/early.html",
                "/before.html",
            ),
        ),
        as_deep,
    ),
)
