"""Clauses about a robots.txt as a file: its lines, its encoding, its size."""

from aipolicy.conformance.building import one_site
from aipolicy.conformance.clause import Clause, Level
from aipolicy.conformance.fixture import CLOSED
from aipolicy.conformance.verdicts import as_deep, by_pages
from aipolicy.core.validation import MAX_ROBOTS_BYTES

_ALL = b"User-agent: *\n"
_TWO = (CLOSED, "/shut.html")
_COMMENT = b"# " + b"-" * 97 + b"\n"


def _large(filler: bytes) -> bytes:
    """Return a file with a rule that ends with the last byte of 500 KiB, and one after it.

    ``filler``: lines of one length; ``%06d`` in them is their number.
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
        "Names of fields are known in any case.",
        one_site(
            "USER-AGENT: *\ndisallow: /lower.html\nDISALLOW: /upper.html\n",
            forbidden=("/lower.html", "/upper.html"),
        ),
        by_pages,
    ),
    Clause(
        "field-space",
        "2.2",
        Level.MUST,
        "A colon may have white space before it.",
        one_site(f"User-agent: *\nDisallow : {CLOSED}\nDisallow\t:\t/shut.html\n", forbidden=_TWO),
        by_pages,
    ),
    Clause(
        "indented-line",
        "2.2",
        Level.MUST,
        "A line may begin with white space.",
        one_site(f"User-agent: *\n  Disallow: {CLOSED}\n\tDisallow: /shut.html\n", forbidden=_TWO),
        by_pages,
    ),
    Clause(
        "blank-line-after-name",
        "2.2",
        Level.MUST,
        "A group may have an empty line between its name and its rules.",
        one_site(f"User-agent: *\n\nDisallow: {CLOSED}\n", forbidden=(CLOSED,)),
        by_pages,
    ),
    Clause(
        "blank-line-between-rules",
        "2.2",
        Level.MUST,
        "A group may have an empty line between its rules.",
        one_site(f"User-agent: *\nDisallow: {CLOSED}\n\nDisallow: /shut.html\n", forbidden=_TWO),
        by_pages,
    ),
    Clause(
        "comment-line",
        "2.2.3",
        Level.MUST,
        "# begins a comment on a line of its own.",
        one_site(
            f"# A robots.txt\nUser-agent: *\n# Disallow: /open.html\nDisallow: {CLOSED}\n",
            forbidden=(CLOSED,),
            free=("/open.html",),
        ),
        by_pages,
    ),
    Clause(
        "comment-after-value",
        "2.2.3",
        Level.MUST,
        "# begins a comment after a value and a space.",
        one_site(f"User-agent: * # everyone\nDisallow: {CLOSED} # for good\n", forbidden=(CLOSED,)),
        by_pages,
    ),
    Clause(
        "comment-without-space",
        "2.2.3",
        Level.MUST,
        "# begins a comment right after a value.",
        one_site(f"User-agent: *\nDisallow: {CLOSED}#today\n", forbidden=(CLOSED,)),
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
        Level.IMPLIED,
        "The last line counts, also where nothing ends it.",
        one_site(f"User-agent: *\nDisallow: {CLOSED}", forbidden=(CLOSED,)),
        by_pages,
    ),
    Clause(
        "sitemap-record",
        "2.2.4",
        Level.MUST,
        "A Sitemap record ends no group, and no file.",
        one_site(
            f"Sitemap: /first.xml\nUser-agent: *\nSitemap: /second.xml\nDisallow: {CLOSED}\n"
            "Sitemap: /third.xml\nDisallow: /shut.html\n",
            forbidden=_TWO,
        ),
        by_pages,
    ),
    Clause(
        "other-record",
        "2.2.4",
        Level.MUST,
        "A record that it doesn't know ends no group.",
        one_site(
            f"User-agent: *\nFavourite-colour: green\nDisallow: {CLOSED}\nFavourite-food: rice\n"
            "Disallow: /shut.html\n",
            forbidden=_TWO,
        ),
        by_pages,
    ),
    Clause(
        "record-between-names",
        "2.2.4",
        Level.MUST,
        "A record between two names of a group keeps neither from its rules.",
        one_site(
            f"User-agent: TOKEN\nFavourite-colour: green\nUser-agent: OTHER\nDisallow: {CLOSED}\n",
            forbidden=(CLOSED,),
        ),
        by_pages,
        names_it=True,
        requires="shared-group",
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
        "It reads 500 KiB at least, where most of it is comments.",
        one_site(_large(_COMMENT), forbidden=_LARGE),
        as_deep,
    ),
    Clause(
        "size-of-rules",
        "2.5",
        Level.MUST,
        "It reads 500 KiB at least, where all of it is rules.",
        one_site(_large(b"Disallow: /private/folder-%06d/\n"), forbidden=_LARGE),
        as_deep,
    ),
    Clause(
        "bom",
        "\N{EN DASH}",
        Level.CLAIM,
        "It skips a byte order mark before the first line.",
        one_site(b"\xef\xbb\xbf" + _ALL + b"Disallow: /closed.html\n", forbidden=(CLOSED,)),
        by_pages,
        claim="bom",
    ),
)
