"""Python's ``urllib.robotparser``: the one up to 3.12, and the one rewritten after RFC 9309 (gh-138907).

Python 3.13 and 3.14 have either, depending on their patch level (May 2026).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote, unquote, urlparse, urlunparse

from aipolicy.core.bounded_cache import BoundedCache
from aipolicy.core.patterns import Pattern, is_literal
from aipolicy.robotstxt.matching import RuleSet, Spelling
from aipolicy.robotstxt.parser import Rule

_RULES = ("allow", "disallow")
# It has only one spelling. Most patterns are like this, and need none of the work below.
_PLAIN = re.compile(r"(?!//)[A-Za-z0-9/_.~-]*")
_ENDING = (*_RULES, "crawl-delay", "request-rate")  # what ends the user-agent lines


class _Entry:
    def __init__(self) -> None:
        self.agents: list[str] = []
        self.rules: list[Rule] = []


class OldFile:
    """A file as Python up to 3.12 reads it. Never raises (the real one fails on what isn't UTF-8).

    The first rule that matches decides, in the first group whose name is found anywhere in the token.
    """

    def __init__(self, body: bytes) -> None:
        self._first: dict[str, int] = {}  # name → its first entry
        self._default: int | None = None
        self._entries: list[_Entry] = []
        self._sets: dict[int | None, RuleSet] = {}
        entry, state = _Entry(), ""
        for number, field, value in _fields(body.decode("utf-8", "replace")):
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


class NewFile:
    """A file as patched Pythons read it. Never raises.

    The rule that matches most of the path decides, in the token's own group, else in the first group whose
    name the token contains.
    """

    def __init__(self, body: bytes) -> None:
        self._groups: dict[str, list[_Entry]] = {}
        self._sets: dict[str, RuleSet] = {}
        self._shared: dict[tuple[int, ...], RuleSet] = {}
        self._tables: dict[int, MostMatchedTable] = {}
        entry, state = _Entry(), ""
        for number, field, value in _fields(body.decode("utf-8", "surrogateescape")):
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
                self._shared[which] = MostMatched(map(self._table, entries), _new_path)
            self._sets[name] = self._shared[which]
        return self._sets[name]

    def _table(self, entry: _Entry) -> "MostMatchedTable":
        if id(entry) not in self._tables:
            self._tables[id(entry)] = MostMatchedTable(entry.rules)
        return self._tables[id(entry)]


class FirstMatch(RuleSet):
    """The first rule that matches; ``*`` and ``$`` are ordinary characters."""

    def __init__(self, rules: Sequence[Rule], spelling: Spelling = str) -> None:
        super().__init__(spelling)
        self._rules = rules

    def deciding(self, path: str) -> Rule | None:
        return next((rule for rule in self._rules if path.startswith(rule.pattern)), None)


class MostMatched(RuleSet):
    """The rule that matched the most of the path; on a tie, Allow; then the first.

    Args:
        tables: The rules of each group that binds the crawler.
        spelling: Changes a path to the spelling in which the parser compares it.
    """

    def __init__(self, tables: Iterable["MostMatchedTable"], spelling: Spelling = str) -> None:
        super().__init__(spelling)
        self._tables = tuple(tables)

    def deciding(self, path: str) -> Rule | None:
        best: _Matched | None = None
        for table in self._tables:
            found = table.deciding(path)
            if found is not None and (best is None or found[:2] > best[:2]):
                best = found
        return best[2] if best else None


_Matched = tuple[int, bool, Rule]


class MostMatchedTable:
    """The rules of one group, shared by all rule sets that it is part of."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._literal: dict[str, Rule] = {}
        self._wild: list[tuple[Rule, Pattern]] = []
        self._order: dict[int, int] = {}
        for place, rule in enumerate(rules):
            self._order[id(rule)] = place
            if not is_literal(rule.pattern):
                self._wild.append((rule, Pattern(rule.pattern, literally=True)))
                continue
            held = self._literal.get(rule.pattern)
            if held is None or (rule.allow and not held.allow):
                self._literal[rule.pattern] = rule
        self._lengths = sorted({len(pattern) for pattern in self._literal}, reverse=True)
        self._decided: BoundedCache[str, _Matched | None] = BoundedCache(10_000)

    def deciding(self, path: str) -> _Matched | None:
        """Return the length of the longest match, whether its rule allows, and the rule; or None."""
        try:
            return self._decided[path]
        except KeyError:
            return self._decided.keep(path, self._most(path))

    def _most(self, path: str) -> _Matched | None:
        found: list[_Matched] = []
        literal = (self._literal.get(path[:length]) for length in self._lengths if length <= len(path))
        rule = next((rule for rule in literal if rule is not None), None)
        if rule is not None:
            found.append((len(rule.pattern), rule.allow, rule))
        for rule, pattern in self._wild:
            if pattern.longest in path and (end := pattern.end(path)) >= 0:
                found.append((end, rule.allow, rule))
        return max(found, key=lambda entry: (*entry[:2], -self._order[id(entry[2])]), default=None)


def _common(entries: list[_Entry]) -> list[str]:
    """Return the names that all of the groups have."""
    names = entries[0].agents
    for entry in entries[1:]:
        theirs = set(entry.agents)
        names = [name for name in names if name in theirs]
    return names


def _fields(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield number, field and value of each record; the field of an empty line is "blank"."""
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
    """Return every substring of ``token``, "" among them."""
    return {token[start:end] for start in range(len(token) + 1) for end in range(start, len(token) + 1)}


def _old_rule(allow: bool, value: str, line: int) -> Rule:
    if _is_plain(value):
        return Rule(allow or not value, value, line)
    path = unquote(value)
    return Rule(allow or not path, quote(_reassembled(path)), line)


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


def _new_rule(allow: bool, value: str, line: int) -> Iterator[Rule]:
    if _is_plain(value):
        yield Rule(allow or not value, value, line)
        return
    pattern = re.sub(r"\$[$*]+", "$", re.sub(r"\*\*+", "*", value))
    path, mark, query = pattern.partition("?")
    pattern = re.sub("[^*$]+", _spelt, path) + mark + re.sub("[^=&*$]+", _spelt, query)
    body = pattern.rstrip("$")
    if "$" not in body:  # with a dollar inside, the rule is dropped
        yield Rule(allow or not value, body + ("$" if pattern.endswith("$") else ""), line)


def _new_path(path: str) -> str:
    path, mark, query = path.partition("?")
    return re.sub(".+", _spelt, path, flags=re.DOTALL) + mark + re.sub("[^=&]+", _spelt, query)


def _spelt(match: re.Match[str]) -> str:
    return quote(unquote(match[0], errors="surrogateescape"), errors="surrogateescape")
