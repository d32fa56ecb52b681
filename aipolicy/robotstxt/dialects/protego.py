"""Protego (0.7), the parser of Scrapy, as its source reads a file.

A product token is bound by the longest name that it begins with; any record but Sitemap and Host ends the
user-agent lines; a byte order mark is part of the first line.
"""

import re
from collections.abc import Iterator
from urllib.parse import quote, unquote_to_bytes

from aipolicy.robotstxt.matching import GroupIndex, RuleSet
from aipolicy.robotstxt.parser import DISALLOW, SITE_WIDE, USER_AGENT, Group, Rule

_DELAYS = frozenset(
    {"crawl-delay", "crawl delay", "request-rate", "request rate", "visit-time", "visit time"}
)
_KNOWN = USER_AGENT | DISALLOW | SITE_WIDE | _DELAYS | {"allow"}
_KEPT = re.compile(r"%(25|2F|2A)", re.IGNORECASE)  # escapes that are not decoded
_KEPT_IN_PATHS = re.compile(r"%(25|2F)", re.IGNORECASE)


class ProtegoFile:
    """A file as protego reads it. Never raises."""

    def __init__(self, body: bytes) -> None:
        groups: list[Group] = []
        tokens: list[str] = []
        rules: list[Rule] = []
        previous = ""
        for number, field, value in _fields(body):
            is_agent = field in USER_AGENT
            if is_agent and previous and previous not in USER_AGENT:
                groups.append(Group(tuple(tokens), tuple(rules)))
                tokens, rules = [], []
            if field not in SITE_WIDE:
                previous = field
            if not value:
                continue
            if is_agent:
                tokens += _names(value)
            elif tokens and (field == "allow" or field in DISALLOW):
                rules += _path_rules(field == "allow", value, number)
        groups.append(Group(tuple(tokens), tuple(rules)))
        self._index = GroupIndex(groups, literally=True, spelling=_path)
        self._order = {name: place for place, name in enumerate(self._index.names)}

    def bound(self, token: str) -> RuleSet:
        return self._index.bound(self._name(token.strip().lower())).rules

    def _name(self, token: str) -> str:
        """Return the longest name found in ``token`` at the beginning of a word; "*" counts one character."""
        found = {"*"} & self._order.keys()
        for start in range(len(token)):
            if start and (token[start - 1].isalnum() or token[start - 1] in "-_"):
                continue
            found |= {token[start:end] for end in range(start + 1, len(token) + 1)} & self._order.keys()
        return max(found, key=lambda name: (len(name), -self._order[name]), default="")


def _fields(body: bytes) -> Iterator[tuple[int, str, str]]:
    number = 1
    for line in body.decode("utf-8", "ignore").splitlines(keepends=True):
        field_and_value = _field(line.partition("#")[0].strip())
        if field_and_value:
            yield number, *field_and_value
        number += line.endswith(("\n", "\r"))  # it splits in more places than others count


def _field(line: str) -> tuple[str, str] | None:
    name, colon, value = line.partition(":")
    name = name.strip().lower()
    if not line or (colon and (name in _KNOWN or not value or value[0].isspace())):
        return (name, value.strip()) if line else None
    words = line.split()
    for count in (1, 2):
        if " ".join(words[:count]).lower() in _KNOWN:
            return " ".join(words[:count]).lower(), " ".join(words[count:])
    return (name, value.strip()) if colon else None


def _names(value: str) -> Iterator[str]:
    name = value.strip().lower()
    yield name
    if "*" in name and name != "*" and name.replace("*", ""):
        yield name.replace("*", "")


def _path_rules(allow: bool, value: str, line: int) -> Iterator[Rule]:
    if "$" in value:  # a dollar is itself, too
        yield from _path_rules(allow, value.replace("$", "%24"), line)
    pattern = _pattern(value)
    if pattern:
        yield Rule(allow, pattern, line)
    if allow and pattern.endswith("/index.html"):
        yield Rule(True, pattern.removesuffix("index.html") + "$", line)


def _pattern(value: str) -> str:
    if value.startswith(("https://", "http://")):
        value = f"/{value}"
    body = value.removesuffix("$")
    return _quoted(body, _KEPT, "/%*=") + value[len(body) :]


def _path(path: str) -> str:
    return _quoted(path, _KEPT_IN_PATHS, "/%=")


def _quoted(text: str, kept: re.Pattern[str], safe: str) -> str:
    """Return ``text`` with every escape decoded but the kept ones, and then all but ``safe`` escaped."""
    pieces = kept.split(text)  # plain, escape, plain ...: each odd one is the digits of a kept escape
    decoded = [
        f"%{piece.upper()}" if place % 2 else unquote_to_bytes(piece).decode("utf-8", "replace")
        for place, piece in enumerate(pieces)
    ]
    return quote("".join(decoded), safe=safe)
