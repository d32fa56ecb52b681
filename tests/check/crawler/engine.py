"""RFC 9309 as a crawler reads it, with one fault on request: written for the tests, from the standard alone.

A fault has the name of the clause that it goes against.
"""

import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

_BOM = b"\xef\xbb\xbf"
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_PLAIN = {"User-agent": "user-agent", "Disallow": "disallow", "Allow": "allow"}
_LINE_ENDS = {"crlf": r"\n|\r(?!\n)", "cr": r"\r\n|\n"}


@dataclass
class Group:
    names: list[str] = field(default_factory=list)
    rules: list[tuple[bool, str]] = field(default_factory=list)
    closed: bool = False  # no more names


@dataclass(frozen=True)
class Engine:
    """May the crawler with this product token fetch this path?"""

    fault: str = ""

    def allowed(self, robots_txt: bytes, token: str, path: str) -> bool:
        groups = self._binding(list(self._groups(robots_txt)), self._folded(token))
        rules = [rule for group in groups for rule in group.rules]
        if self.fault == "query":
            path = path.partition("?")[0]
        matching = [(allow, pattern) for allow, pattern in rules if self._matches(pattern, path)]
        if not matching:
            return True
        best = min if self.fault == "longest-match" else max
        length = best(len(pattern) for _, pattern in matching)
        equals = [allow for allow, pattern in matching if len(pattern) == length]
        return all(equals) if self.fault == "ties" else any(equals)

    def _binding(self, groups: list[Group], token: str) -> list[Group]:
        named = [group for group in groups if self._names(group, token)]
        everyone = [group for group in groups if "*" in group.names]
        if self.fault == "own-group" and named and everyone:
            return [next(group for group in groups if group in named or group in everyone)]
        if self.fault == "merged-groups":
            named = named[:1]
        if not named and self.fault == "star-group":
            return groups[:1]
        return named or everyone

    def _names(self, group: Group, token: str) -> bool:
        names = [self._folded(name) for name in group.names]
        if self.fault == "shared-group":
            names = names[:1]
        if self.fault == "whole-token":
            return any(name != "*" and token.startswith(name) for name in names)
        return token in names

    def _folded(self, token: str) -> str:
        return token if self.fault == "token-case" else token.lower()

    def _groups(self, robots_txt: bytes) -> Iterator[Group]:
        group = Group(closed=True)
        for name, value in self._records(robots_txt):
            if name == "user-agent":
                if group.closed:
                    group = Group()
                    yield group
                group.names.append(value)
            elif name in ("allow", "disallow"):
                group.closed = True
                if value:
                    group.rules.append((name == "allow", value))
            elif name:
                group.closed = group.closed or self.fault == "other-records"
            elif self.fault == "blank-lines":
                group = Group(closed=True)

    def _records(self, robots_txt: bytes) -> Iterator[tuple[str, str]]:
        """Field and value of each line that has them; two empty strings for a line with nothing in it."""
        for line in self._lines(robots_txt):
            content = line.partition(" #" if self.fault == "comments" else "#")[0].strip(" \t")
            name, colon, value = content.partition(":")
            if not colon or not name:
                if content and self.fault == "parsing-errors":
                    return
                if not line:
                    yield "", ""
                continue
            name = name if self.fault == "field-names" else name.strip(" \t").lower()
            yield _PLAIN.get(name, name), value.strip(" \t")

    def _lines(self, robots_txt: bytes) -> list[str]:
        if self.fault == "size":
            robots_txt = robots_txt[: 100 * 1024]
        if self.fault != "bom":
            robots_txt = robots_txt.removeprefix(_BOM)
        lines = re.split(_LINE_ENDS.get(self.fault, r"\r\n|\r|\n"), robots_txt.decode("utf-8", "replace"))
        return lines[:-1] if self.fault == "no-last-newline" else lines

    def _matches(self, pattern: str, path: str) -> bool:
        pattern, path = self._spelt(pattern), self._spelt(path)
        if self.fault == "path-case":
            pattern, path = pattern.lower(), path.lower()
        anchored = pattern.endswith("$") and self.fault != "anchor"
        body = pattern.removesuffix("$") if anchored else pattern
        parts = [body] if self.fault == "wildcard" else body.split("*")
        expression = ".*".join(map(re.escape, parts)) + (r"\Z" if anchored else "")
        return re.match(expression, path, re.DOTALL) is not None

    def _spelt(self, text: str) -> str:
        if self.fault != "encoded-octets":
            text = re.sub(r"[^\x00-\x7f]+", lambda match: urllib.parse.quote(match[0]), text)
        return re.sub(r"%([0-9A-Fa-f]{2})", partial(self._unescaped), text)

    def _unescaped(self, escape: re.Match[str]) -> str:
        char = chr(int(escape[1], 16))
        decoded = _UNRESERVED.match(char) and self.fault != "encoded-letters"
        return char if decoded or (char == "/" and self.fault == "encoded-slash") else escape[0].upper()
