"""A robots.txt engine with one fault on request, written from RFC 9309 alone.

A fault has the name of the clause that it breaks, or a name of its own if no clause covers it.
"""

import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field

_BOM = b"\xef\xbb\xbf"
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_PLAIN = {"User-agent": "user-agent", "Disallow": "disallow", "Allow": "allow", "Sitemap": "sitemap"}
_LINE_ENDS = {"crlf": r"\n|\r(?!\n)", "cr": r"\r\n|\n"}
_FEW = 1000
_COMMENTS = {"comment-after-value": r"(?<![ \t])#.*", "comment-without-space": r" #.*|^#.*"}


def _quoted(match: re.Match[str]) -> str:
    return urllib.parse.quote(match[0])


@dataclass
class Group:
    names: list[str] = field(default_factory=list)
    rules: list[tuple[bool, str]] = field(default_factory=list)
    closed: bool = False  # no more names


@dataclass(frozen=True)
class Engine:
    """A robots.txt parser and matcher."""

    fault: str = ""

    def allowed(self, robots_txt: bytes, token: str, path: str) -> bool:
        everything, *groups = self._groups(robots_txt)
        groups = self._binding(groups, self._folded(token))
        rules = [rule for group in groups for rule in group.rules]
        if self.fault == "ungrouped-rules":
            rules += everything.rules
        if self.fault == "ten-rules":
            rules = rules[:10]
        if self.fault == "query":
            path = path.partition("?")[0]
        matching = [(allow, pattern) for allow, pattern in rules if self._matches(pattern, path)]
        if not matching:
            return True
        best = min if self.fault == "longest-match" else max
        lengths = [len(re.sub(r"[^\x00-\x7f]", _quoted, pattern)) for _, pattern in matching]
        length = best(lengths)
        equals = [allow for (allow, _), each in zip(matching, lengths, strict=True) if each == length]
        return all(equals) if self.fault == "ties" else any(equals)

    def _binding(self, groups: list[Group], token: str) -> list[Group]:
        if self.fault in ("many-groups", "five-groups"):
            groups = groups[:5]
        named = [group for group in groups if self._names(group, token)]
        everyone = [group for group in groups if "*" in group.names]
        ruled = [group for group in named if group.rules]
        if self.fault == "empty-group":
            named = ruled
        if self.fault == "own-group" and ruled and everyone:
            return [next(group for group in groups if group in named or group in everyone)]
        if self.fault == "merged-groups":
            named = named[:1]
        if self.fault == "star-group" and not named and len(groups) == 2:
            return []
        return named or everyone

    def _names(self, group: Group, token: str) -> bool:
        names = [self._folded(name) for name in group.names]
        if self.fault == "shared-group":
            names = names[:1]
        if self.fault == "whole-token-shorter":
            return any(name != "*" and token.startswith(name) for name in names)
        if self.fault == "whole-token-longer":
            return any(name.startswith(token) for name in names)
        return token in names

    def _folded(self, token: str) -> str:
        return token if self.fault == "token-case" else token.lower()

    def _groups(self, robots_txt: bytes) -> Iterator[Group]:
        """Return a group for the rules before the first name, and all groups."""
        group = Group(closed=True)
        yield group
        last = ""
        for name, value in self._records(robots_txt):
            is_rule = name in ("allow", "disallow")
            if self.fault == "other-record" and is_rule and last not in ("", "user-agent", "sitemap", "rule"):
                last = "rule"
                continue
            if name == "user-agent":
                if group.closed:
                    group = Group()
                    yield group
                group.names.append(value)
            elif is_rule:
                group.closed = True
                if value or (self.fault == "empty-rule" and name == "disallow"):
                    group.rules.append((name == "allow", value or "/"))
            elif name == "sitemap" and self.fault == "sitemap-record":
                return
            elif name:
                group.closed = group.closed or self.fault == "record-between-names"
            elif (self.fault, last) in {
                ("blank-line-after-name", "user-agent"),
                ("blank-line-between-rules", "rule"),
            }:
                group = Group(closed=True)
            last = "rule" if is_rule else name

    def _records(self, robots_txt: bytes) -> Iterator[tuple[str, str]]:
        """Yield the field and value of each record; two empty strings for an empty line."""
        for line in self._lines(robots_txt):
            shown = line.removeprefix("# ") if self.fault == "comment-line" else line
            content = re.sub(_COMMENTS.get(self.fault, "#.*"), "", shown)
            content = content if self.fault == "indented-line" else content.lstrip(" \t")
            name, colon, value = content.partition(":")
            if not colon or not name:
                if content and self.fault == "parsing-errors":
                    return
                if not line:
                    yield "", ""
                continue
            name = name if self.fault == "field-space" else name.rstrip(" \t")
            name = name if self.fault == "field-case" else name.lower()
            yield _PLAIN.get(name, name), value.strip(" \t")

    def _lines(self, robots_txt: bytes) -> list[str]:
        if self.fault == "four-kib":
            robots_txt = robots_txt[:4096]
        if self.fault != "bom":
            robots_txt = robots_txt.removeprefix(_BOM)
        lines = re.split(_LINE_ENDS.get(self.fault, r"\r\n|\r|\n"), robots_txt.decode("utf-8", "replace"))
        if self.fault in ("size", "size-of-rules"):
            kinds = [line.startswith("#") == (self.fault == "size") for line in lines]
            lines = lines if sum(kinds) < _FEW else lines[: _FEW // 2]
        return lines[:-1] if self.fault == "no-last-newline" else lines

    def _matches(self, pattern: str, path: str) -> bool:
        if self.fault == "unicode-encoded" and pattern.count("%") > 3:
            return False
        pattern = self._spelt(pattern, raw="unicode-rule", encoded="encoded-letter-rule")
        path = self._spelt(path, raw="unicode-link", encoded="encoded-letter-link")
        if self.fault == "path-case":
            pattern, path = pattern.lower(), path.lower()
        anchored = pattern.endswith("$") and self.fault != "anchor"
        body = pattern.removesuffix("$") if anchored else pattern
        parts = [body] if self.fault == "wildcard" else body.split("*")
        expression = ".*".join(map(re.escape, parts)) + (r"\Z" if anchored else "")
        return re.match(expression, path, re.DOTALL) is not None

    def _spelt(self, text: str, *, raw: str, encoded: str) -> str:
        if self.fault != raw:
            text = re.sub(r"[^\x00-\x7f]", _quoted, text)
        return re.sub(
            r"%([0-9A-Fa-f]{2})", lambda escape: self._unescaped(escape, self.fault == encoded), text
        )

    def _unescaped(self, escape: re.Match[str], keeps: bool) -> str:
        char = chr(int(escape[1], 16))
        if char == "/" and self.fault == "encoded-slash-apart":
            return char
        if _UNRESERVED.match(char) and not keeps:
            return char
        return escape[0] if self.fault == "hex-case" else escape[0].upper()
