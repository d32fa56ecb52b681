"""Known limits: how the file itself is read."""

import re
from collections.abc import Callable

from tests.readers.adapters import FAST, GOOGLE, GPY, JWM, OLD, PROTEGO, SPY, STDLIB
from tests.readers.limit import Limit
from tests.readers.reading import is_utf8, lines_of

_NEARLY = re.compile("user[- ]?agent|allow|diss?all?ow|dia(sl|sll)ow|disallaw", re.IGNORECASE)


def _nearly_a_record(robots_txt: bytes, _token: str, _path: str) -> bool:
    for line in lines_of(robots_txt):
        text = line.partition("#")[0].strip()
        name, colon, _ = text.partition(":")
        exact = colon and name.strip().lower() in ("user-agent", "allow", "disallow")
        if not exact and _NEARLY.match(text):
            return True
    return False


def _bare_word(robots_txt: bytes, _token: str, _path: str) -> bool:
    return any(re.fullmatch(r"[^:\s]+", line.partition("#")[0].strip()) for line in lines_of(robots_txt))


def _long_line(robots_txt: bytes, _token: str, _path: str) -> bool:
    return any(len(line.encode()) > GOOGLE_LINE_LIMIT for line in lines_of(robots_txt))


def _file_has(expression: bytes) -> Callable[[bytes, str, str], bool]:
    return lambda robots_txt, _token, _path: re.search(expression, robots_txt) is not None


#: Octets of a line that Google's parser keeps: eight times the longest URL it knows, less one.
GOOGLE_LINE_LIMIT = 2083 * 8 - 1

FILE_LIMITS = (
    # How the file is read
    Limit(
        "almost-records",
        GOOGLE | PROTEGO | SPY,
        "slips are read as meant (`Disalow:`, `Useragent:`, no colon), and so are longer names "
        "(`Disallow-AI:`)",
        "RFC 9309 section 2.2 names the records; section 2.2.4 allows leniency",
        _nearly_a_record,
    ),
    Limit(
        "bare-word",
        GPY,
        "a line of one word raises TypeError",
        "a slip in the port; RFC 9309 section 2.3.1.1: each line is parsed, others are ignored",
        _bare_word,
    ),
    Limit(
        "line-length",
        GOOGLE,
        f"a line is cut after {GOOGLE_LINE_LIMIT} bytes",
        "RFC 9309 section 2.5 limits the file, not the line",
        _long_line,
    ),
    Limit(
        "unicode-line-ends",
        PROTEGO | STDLIB,
        "U+000B, U+000C, U+001C to U+001E, U+0085, U+2028 and U+2029 end a line, in comments too",
        "RFC 9309 section 2.2: EOL is CR, LF or CRLF",
        _file_has(rb"[\x0b\x0c\x1c-\x1e]|\xc2\x85|\xe2\x80[\xa8\xa9]"),
    ),
    Limit(
        "lone-cr",
        SPY,
        "CR alone doesn't end a line",
        "RFC 9309 section 2.2: EOL is CR, LF or CRLF",
        _file_has(rb"\r(?!\n)"),
    ),
    Limit(
        "byte-order-mark",
        PROTEGO | STDLIB,
        "a byte order mark spoils the first line",
        "not in RFC 9309; Google's parser skips it",
        _file_has(rb"\A\xef\xbb\xbf"),
    ),
    Limit(
        "file-not-utf-8",
        FAST | GPY | PROTEGO | SPY | OLD,
        "bytes that aren't UTF-8 are replaced (fast-robotstxt, gpyrobotstxt) or dropped (protego), "
        "free the whole site (robotspy), or raise UnicodeDecodeError (old standard library)",
        "RFC 9309 section 2.3: the file is UTF-8",
        lambda robots_txt, _token, _path: not is_utf8(robots_txt),
    ),
    Limit(
        "nul",
        JWM,
        "a value ends at NUL",
        "RFC 9309 section 2.2 has no control characters in values",
        _file_has(rb"\x00"),
    ),
)
