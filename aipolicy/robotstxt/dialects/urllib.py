"""Python's ``urllib.robotparser``: as it was since 2000, up to 3.12, and as rewritten after RFC 9309.

The rewriting is gh-138907. Which one a 3.13 or 3.14 has depends on its patch level (May 2026).
"""

import re
from collections.abc import Iterator
from urllib.parse import quote, unquote, urlparse, urlunparse

from aipolicy.robotstxt.rule_index import FirstMatch, MostMatched, MostMatchedPart, PathRule, RuleSet

_RULES = ("allow", "disallow")
# Nothing in it is spelt in two ways; most patterns are so, and need none of the work below.
_PLAIN = re.compile(r"(?!//)[A-Za-z0-9/_.~-]*")
_ENDING = (*_RULES, "crawl-delay", "request-rate")  # what ends the user-agent lines


def read_old(octets: bytes) -> "OldReading":
    """Read a file as Python up to 3.12 does. Never raises (the real one can't read what isn't UTF-8)."""
    return OldReading(octets)


def read_new(octets: bytes) -> "NewReading":
    """Read a file as patched Pythons do. Never raises."""
    return NewReading(octets)


class _Entry:
    def __init__(self) -> None:
        self.agents: list[str] = []
        self.rules: list[PathRule] = []


class OldReading:
    """The first rule that matches, in the first group whose name stands anywhere in the token."""

    def __init__(self, octets: bytes) -> None:
        self._first: dict[str, int] = {}  # name → its first entry
        self._default: int | None = None
        self._entries: list[_Entry] = []
        self._sets: dict[int | None, RuleSet] = {}
        entry, state = _Entry(), ""
        for number, field, value in _fields(octets.decode("utf-8", "replace")):
            if field == "blank":
                if state == "rules":
                    self._add(entry)
                if state:
                    entry, state = _Entry(), ""
            elif field == "user-agent":
                if state == "rules":
                    self._add(entry)
                    entry = _Entry()
                entry.agents.append(unquote(value).lower())
                state = "agents"
            elif state and field in _ENDING:
                if field in _RULES:
                    entry.rules.append(_old_rule(field == "allow", value, number))
                state = "rules"
        if state == "rules":
            self._add(entry)

    def _add(self, entry: _Entry) -> None:
        place = len(self._entries)
        self._entries.append(entry)
        if "*" in entry.agents:  # such a group serves "*" alone, and the first one wins
            self._default = place if self._default is None else self._default
            return
        for agent in entry.agents:
            self._first.setdefault(agent, place)

    def bound(self, token: str) -> RuleSet:
        places = [self._first[part] for part in _parts(token.split("/")[0].lower()) if part in self._first]
        place = min(places, default=self._default)
        if place not in self._sets:
            rules = [] if place is None else self._entries[place].rules
            self._sets[place] = FirstMatch(rules, _old_path)
        return self._sets[place]


class NewReading:
    """The rule that matched most, in the token's own group, else in the first whose name it contains."""

    def __init__(self, octets: bytes) -> None:
        self._groups: dict[str, list[_Entry]] = {}
        self._sets: dict[str, RuleSet] = {}
        self._shared: dict[tuple[int, ...], RuleSet] = {}
        self._parts: dict[int, MostMatchedPart] = {}
        entry, state = _Entry(), ""
        for number, field, value in _fields(octets.decode("utf-8", "surrogateescape")):
            if field == "user-agent":
                if state == "rules":
                    self._add(entry)
                    entry = _Entry()
                entry.agents.append(value)
                state = "agents"
            elif state and field in _ENDING:
                if field in _RULES:
                    entry.rules += _new_rule(field == "allow", value, number)
                state = "rules"
        if state:
            self._add(entry)
        self._first: dict[str, int] = {}
        self._names = list(self._groups)
        seen: set[tuple[_Entry, ...]] = set()
        for place, entries in enumerate(self._groups.values()):
            if tuple(entries) not in seen:
                seen.add(tuple(entries))
                for agent in _common(entries):
                    self._first.setdefault(agent.lower(), place)
        self._first.pop("*", None)

    def _add(self, entry: _Entry) -> None:
        for agent in dict.fromkeys(map(str.lower, entry.agents)):
            self._groups.setdefault(agent, []).append(entry)

    def bound(self, token: str) -> RuleSet:
        name = token.lower()
        if name not in self._groups:
            places = [self._first[part] for part in _parts(name.split("/")[0]) if part in self._first]
            name = self._names[min(places)] if places else "*"
        if name not in self._sets:
            entries = self._groups.get(name, [])
            which = tuple(map(id, entries))
            if which not in self._shared:
                self._shared[which] = MostMatched(map(self._part, entries), _new_path)
            self._sets[name] = self._shared[which]
        return self._sets[name]

    def _part(self, entry: "_Entry") -> MostMatchedPart:
        if id(entry) not in self._parts:
            self._parts[id(entry)] = MostMatchedPart(entry.rules)
        return self._parts[id(entry)]


def _common(entries: list[_Entry]) -> list[str]:
    """The names of combined groups: only those that all of them have."""
    names = entries[0].agents
    for entry in entries[1:]:
        theirs = set(entry.agents)
        names = [name for name in names if name in theirs]
    return names


def _fields(text: str) -> Iterator[tuple[int, str, str]]:
    """Number, field and value of each record; of an empty line the field is "blank"."""
    number = 1
    for line in text.splitlines(keepends=True):  # it splits in more places than others count
        content = line.splitlines()[0]
        name, colon, value = content.partition("#")[0].strip().partition(":")
        if not content:
            yield number, "blank", ""
        elif colon:
            yield number, name.strip().lower(), value.strip()
        number += line.endswith(("\n", "\r"))


def _parts(token: str) -> set[str]:
    """Everything that stands somewhere in ``token``, "" among it."""
    return {token[start:end] for start in range(len(token) + 1) for end in range(start, len(token) + 1)}


def _old_rule(allow: bool, value: str, line: int) -> PathRule:
    if _is_plain(value):
        return PathRule(allow or not value, value, line)
    path = unquote(value)
    return PathRule(allow or not path, quote(_reassembled(path)), line)


def _is_plain(value: str) -> bool:
    return _PLAIN.fullmatch(value) is not None


def _reassembled(url: str) -> str:
    try:
        parts = urlparse(url)
        return urlunparse(parts)
    except ValueError:  # the real one raises here, too, and its caller is left without any rules
        return url


def _old_path(path: str) -> str:
    parts = urlparse("https://site.invalid" + unquote(path))
    return quote(urlunparse(("", "", *parts[2:]))) or "/"


def _new_rule(allow: bool, value: str, line: int) -> Iterator[PathRule]:
    if _is_plain(value):
        yield PathRule(allow or not value, value, line)
        return
    pattern = re.sub(r"\$[$*]+", "$", re.sub(r"\*\*+", "*", value))
    path, mark, query = pattern.partition("?")
    pattern = re.sub("[^*$]+", _spelt, path) + mark + re.sub("[^=&*$]+", _spelt, query)
    body = pattern.rstrip("$")
    if "$" not in body:  # with a dollar inside, the rule is dropped
        yield PathRule(allow or not value, body + ("$" if pattern.endswith("$") else ""), line)


def _new_path(path: str) -> str:
    path, mark, query = path.partition("?")
    return re.sub(".+", _spelt, path, flags=re.DOTALL) + mark + re.sub("[^=&]+", _spelt, query)


def _spelt(match: re.Match[str]) -> str:
    return quote(unquote(match[0], errors="surrogateescape"), errors="surrogateescape")
