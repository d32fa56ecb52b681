"""Google's open-source parser, as its source (google/robotstxt, April 2026) reads a file.

It cuts a product token at the first character outside ``[A-Za-z_-]``, reads a longer field name as the one
that it begins with (``Disallow-AI``), and joins a group without a rule to the next.
"""

import re
from collections.abc import Iterator

from aipolicy.robotstxt.matching import GroupIndex, RuleSet
from aipolicy.robotstxt.parser import DISALLOW, USER_AGENT, Group, Rule

MAX_LINE = 2083 * 8 - 1
"""Bytes of a line that Google's parser keeps."""

_ALLOW = "allow"
_TOKEN = re.compile(r"[A-Za-z_-]*")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}|[^\x00-\x7f]")
_SPACE = " \t\n\r\v\f"
_WORDS = re.compile(r"[^ \t]+")
_INDEX = "/index.htm"


class GoogleFile:
    """A file as Google's parser reads it. Never raises."""

    def __init__(self, body: bytes) -> None:
        groups: list[Group] = []
        tokens: list[str] = []
        rules: list[Rule] = []
        for number, field, value in _fields(body):
            if field == "user-agent":
                if rules:
                    groups.append(Group(tuple(tokens), tuple(rules)))
                    tokens, rules = [], []
                tokens.append(_token(value))
            elif tokens:
                rules += _path_rules(field == _ALLOW, value, number)
        self._index = GroupIndex([*groups, Group(tuple(tokens), tuple(rules))], literally=True)

    def bound(self, token: str) -> RuleSet:
        return self._index.bound(token).rules


def _fields(body: bytes) -> Iterator[tuple[int, str, str]]:
    """Yield number, field and value of each user-agent, allow or disallow line."""
    for skipped in b"\xef\xbb\xbf":  # also of a partial byte order mark
        if body[:1] != bytes([skipped]):
            break
        body = body[1:]
    for number, line in enumerate(re.split(rb"\r\n|\r|\n", body), 1):
        text = line[:MAX_LINE].decode("utf-8", "surrogateescape").partition("#")[0].strip(_SPACE)
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


def _path_rules(allow: bool, value: str, line: int) -> Iterator[Rule]:
    pattern = _ESCAPE.sub(_escaped, value)
    yield Rule(allow, pattern, line)
    folder, slash, page = pattern.rpartition("/")
    if allow and slash and f"/{page}".startswith(_INDEX):
        yield Rule(True, f"{folder}/$", line)  # /index.html allowed: its folder is, too


def _escaped(match: re.Match[str]) -> str:
    if match[0].startswith("%"):
        return match[0].upper()
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogateescape"))
