"""Google's open-source parser, as its source (google/robotstxt, April 2026) reads a file.

It cuts a product token at the first character outside ``[A-Za-z_-]``, takes a longer field name for the one
that it begins with (``Disallow-AI``), and goes on in the next group where one has no rule.
"""

import re
from collections.abc import Iterator

from aipolicy.robotstxt.lines import GOOGLE_LINE_OCTETS
from aipolicy.robotstxt.parser import DISALLOW, USER_AGENT
from aipolicy.robotstxt.rule_index import LongestMatches, PathRule, RuleSet

_ALLOW = "allow"
_TOKEN = re.compile(r"[A-Za-z_-]*")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}|[^\x00-\x7f]")
_SPACE = " \t\n\r\v\f"
_WORDS = re.compile(r"[^ \t]+")
_INDEX = "/index.htm"


def read(octets: bytes) -> "GoogleReading":
    """Read a file. Never raises."""
    return GoogleReading(octets)


class GoogleReading:
    def __init__(self, octets: bytes) -> None:
        self._matches = LongestMatches()
        tokens: dict[str, None] = {}
        rules: list[PathRule] | None = None  # of the group, once it has one
        for number, field, value in _fields(octets):
            if field == "user-agent":
                if rules is not None:
                    tokens, rules = {}, None
                token = _token(value)
                self._matches.add(token)
                tokens[token] = None
            elif tokens:
                if rules is None:
                    rules = self._matches.group(tokens)
                rules += _path_rules(field == _ALLOW, value, number)

    def bound(self, token: str) -> RuleSet:
        return self._matches.of(token.lower() if token.lower() in self._matches else "*")


def _fields(octets: bytes) -> Iterator[tuple[int, str, str]]:
    """Number, field and value of every line that means something: user-agent, allow or disallow."""
    for skipped in b"\xef\xbb\xbf":  # also of a partial byte order mark
        if octets[:1] != bytes([skipped]):
            break
        octets = octets[1:]
    for number, line in enumerate(re.split(rb"\r\n|\r|\n", octets), 1):
        text = line[:GOOGLE_LINE_OCTETS].decode("utf-8", "surrogateescape").partition("#")[0].strip(_SPACE)
        name, colon, value = text.partition(":")
        if not colon:
            words = _WORDS.findall(text)
            if len(words) != 2:
                continue
            name, value = words
        field = _field(name.strip(_SPACE).lower())
        if field:
            yield number, field, value.strip(_SPACE)


def _field(name: str) -> str:
    if name.startswith(tuple(USER_AGENT)):
        return "user-agent"
    if name.startswith(_ALLOW):
        return _ALLOW
    return "disallow" if name.startswith(tuple(DISALLOW)) else ""


def _token(value: str) -> str:
    if value[:1] == "*" and (len(value) == 1 or value[1] in _SPACE):
        return "*"
    match = _TOKEN.match(value)
    return match[0].lower() if match else ""


def _path_rules(allow: bool, value: str, line: int) -> Iterator[PathRule]:
    pattern = _ESCAPE.sub(_escaped, value)
    yield PathRule(allow, pattern, line)
    folder, slash, page = pattern.rpartition("/")
    if allow and slash and f"/{page}".startswith(_INDEX):
        yield PathRule(True, f"{folder}/$", line)  # /index.html allowed: its folder is, too


def _escaped(match: re.Match[str]) -> str:
    if match[0].startswith("%"):
        return match[0].upper()
    return "".join(f"%{octet:02X}" for octet in match[0].encode("utf-8", "surrogateescape"))
