"""The file as octets: its size, its encoding, and whether it is a robots.txt at all."""

import re
from collections.abc import Iterator

from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.report.text import pasted, shown
from aipolicy.robotstxt.dialects.google import LONGEST_LINE
from aipolicy.robotstxt.findings import Finding, Severity, finding
from aipolicy.robotstxt.parsed_file import ParsedFile

_HTML = re.compile(r"<(!doctype html|html|head|body|meta|script|title)\b", re.IGNORECASE)
_ODD_LINE_END = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


def check(file: ParsedFile) -> Iterator[Finding]:
    if _is_binary(file):
        yield finding(
            "not-utf-8",
            [1],
            "the file is not UTF-8 text: it looks like UTF-16, or is no text at all",
            "no crawler finds a rule in it, and every one may fetch everything",
            severity=Severity.ERROR,
        )
        return
    if is_html(file):
        yield finding(
            "html-page",
            [1],
            f"the file begins with {_beginning(file)!r}",
            "no crawler finds a rule in it, and every one may fetch everything",
        )
    elif not file.groups:
        yield finding(
            "says-nothing",
            [],
            "there is no User-agent line",
            "every crawler may fetch everything",
            fix="User-agent: *\nAllow: /",
            edits={len(file.lines) + 1: "User-agent: *\nAllow: /"},
        )
    yield from _size(file)
    yield from _encoding(file)
    for line in file.lines:
        if len(line.text) > LONGEST_LINE // 4:
            size = len(line.text.encode("utf-8", "surrogateescape"))
            if size > LONGEST_LINE:
                yield finding(
                    "line-too-long",
                    [line.number],
                    f"a line of {size} octets",
                    f"Google's parser cuts it after {LONGEST_LINE}: a longer path pattern matches more",
                )


def _beginning(file: ParsedFile) -> str:
    return next((shown(line.text, 40) for line in file.lines if line.text), "")


def is_something_else(file: ParsedFile) -> bool:
    """Whether it is no robots.txt at all: nothing more need be said of its lines."""
    return is_html(file) or _is_binary(file)


def _is_binary(file: ParsedFile) -> bool:
    return file.octets.startswith((b"\xff\xfe", b"\xfe\xff")) or file.octets[:200].count(0) > 5


def is_html(file: ParsedFile) -> bool:
    """Whether it is a web page instead."""
    return not file.groups and bool(_HTML.search(file.octets[:4000].decode("latin-1")))


def _size(file: ParsedFile) -> Iterator[Finding]:
    if len(file.octets) > MAX_ROBOTS_BYTES:
        last = file.lines[-1].number
        yield finding(
            "file-too-large",
            [last],
            f"the file is larger than {MAX_ROBOTS_BYTES} octets (500 KiB)",
            f"Google's parser, and others, ignore everything from line {last} on (RFC 9309 §2.5)",
        )


def _encoding(file: ParsedFile) -> Iterator[Finding]:
    if file.octets.startswith(b"\xef\xbb\xbf"):
        first = file.lines[0]
        yield finding(
            "byte-order-mark",
            [1],
            "the file begins with a byte order mark (EF BB BF)",
            f"protego and Python's parsers don't recognise line 1: {shown(first.text)!r} is lost to them"
            if first.text
            else "protego and Python's parsers don't recognise line 1; nothing stands there",
            fix=pasted(first.text),
            severity=None if first.text else Severity.NOTE,
        )
    for number, octets in enumerate(re.split(rb"\r\n|\r|\n", file.octets[:MAX_ROBOTS_BYTES]), 1):
        if octets.isascii() and not _ODD_LINE_END.search(octets.decode("ascii")):
            continue
        try:
            text = octets.decode("utf-8")
        except UnicodeDecodeError as error:
            yield finding(
                "not-utf-8",
                [number],
                f"octet {octets[error.start]:02X} is not UTF-8 here",
                "some parsers fail on the whole file (Python's up to 3.12), others drop or replace the octet",
                fix=pasted(octets.decode("latin-1")),
            )
            continue
        odd = _ODD_LINE_END.search(text)
        if odd:
            yield finding(
                "odd-line-end",
                [number],
                f"U+{ord(odd[0]):04X} inside the line",
                f"protego and Python's parsers begin a new line there: {shown(text[odd.end() :], 60)!r}",
            )
