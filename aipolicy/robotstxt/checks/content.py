"""Checks of the file as bytes: its size, its encoding, and its type."""

import re
from collections.abc import Iterator

from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.report.text import pasted, shorten
from aipolicy.robotstxt.dialects.google import MAX_LINE
from aipolicy.robotstxt.findings import Finding, Severity, finding
from aipolicy.robotstxt.parsed_file import ParsedFile

_HTML = re.compile(r"<(!doctype html|html|head|body|meta|script|title)\b", re.IGNORECASE)
_ODD_LINE_END = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


def check(file: ParsedFile) -> Iterator[Finding]:
    if _is_binary(file):
        yield finding(
            "not-utf-8",
            [1],
            "the file is not UTF-8 text: it looks like UTF-16 or a binary file",
            "crawlers find no rule in it, so every crawler may fetch everything; save it as plain UTF-8 text",
            severity=Severity.ERROR,
        )
        return
    if is_html(file):
        yield finding(
            "html-page",
            [1],
            f"the file is a web page: it begins with {_beginning(file)!r}",
            "crawlers find no rule in it, so every crawler may fetch everything; serve plain text instead",
        )
    elif not file.groups:
        yield finding(
            "says-nothing",
            [],
            "the file has no User-agent line",
            "every crawler may fetch everything",
            fix="User-agent: *\nAllow: /",
            edits={len(file.lines) + 1: "User-agent: *\nAllow: /"},
        )
    yield from _size(file)
    yield from _encoding(file)
    for line in file.lines:
        if len(line.text) > MAX_LINE // 4:
            size = len(line.text.encode("utf-8", "surrogateescape"))
            if size > MAX_LINE:
                yield finding(
                    "line-too-long",
                    [line.number],
                    f"the line has {size} bytes",
                    f"Google's parser reads {MAX_LINE} bytes of a line, so a path cut there matches "
                    "more pages; shorten it",
                )


def _beginning(file: ParsedFile) -> str:
    return next((shorten(line.text, 40) for line in file.lines if line.text), "")


def is_not_robots_txt(file: ParsedFile) -> bool:
    """Return True if the file is a web page or binary, so that its lines needn't be checked."""
    return is_html(file) or _is_binary(file)


def _is_binary(file: ParsedFile) -> bool:
    return file.body.startswith((b"\xff\xfe", b"\xfe\xff")) or file.body[:200].count(0) > 5


def is_html(file: ParsedFile) -> bool:
    """Return True if it is a web page instead."""
    return not file.groups and bool(_HTML.search(file.body[:4000].decode("latin-1")))


def _size(file: ParsedFile) -> Iterator[Finding]:
    if len(file.body) > MAX_ROBOTS_BYTES:
        last = file.lines[-1].number
        yield finding(
            "file-too-large",
            [last],
            f"the file is larger than {MAX_ROBOTS_BYTES} bytes (500 KiB)",
            f"Google's parser and others ignore everything from line {last} on (RFC 9309 §2.5); "
            "shorten the file",
        )


def _encoding(file: ParsedFile) -> Iterator[Finding]:
    if file.body.startswith(b"\xef\xbb\xbf"):
        first = file.lines[0]
        yield finding(
            "byte-order-mark",
            [1],
            "the file begins with a byte order mark (EF BB BF)",
            f"protego and Python's parsers ignore line 1, {shorten(first.text)!r}; "
            "save the file without the mark"
            if first.text
            else "protego and Python's parsers ignore line 1, which is empty",
            fix=pasted(first.text),
            severity=None if first.text else Severity.NOTE,
        )
    for number, line_bytes in enumerate(re.split(rb"\r\n|\r|\n", file.body[:MAX_ROBOTS_BYTES]), 1):
        if line_bytes.isascii() and not _ODD_LINE_END.search(line_bytes.decode("ascii")):
            continue
        try:
            text = line_bytes.decode("utf-8")
        except UnicodeDecodeError as error:
            yield finding(
                "not-utf-8",
                [number],
                f"byte {line_bytes[error.start]:02X} is not valid UTF-8 here",
                "Python's parser up to 3.12 fails on the whole file, others drop or replace the byte; "
                "save it as UTF-8",
                fix=pasted(line_bytes.decode("latin-1")),
            )
            continue
        odd = _ODD_LINE_END.search(text)
        if odd:
            yield finding(
                "odd-line-end",
                [number],
                f"the line contains the character U+{ord(odd[0]):04X}",
                f"protego and Python's parsers start a new line there: {shorten(text[odd.end() :], 60)!r}; "
                "remove it",
            )
