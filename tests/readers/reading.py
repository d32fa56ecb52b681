"""A robots.txt as RFC 9309 reads it: just enough to say exactly when a known limit of a reader is met."""

import re
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

_FILES = 32  # parsed files kept


@dataclass
class Group:
    tokens: list[str] = field(default_factory=list)  # lower case, `*` among them
    rules: list[tuple[bool, str]] = field(default_factory=list)
    other: list[tuple[str, int]] = field(
        default_factory=list
    )  # other records, and how many tokens precede them
    gap: bool = False  # a blank line inside


@lru_cache(_FILES)
def lines_of(robots_txt: bytes) -> tuple[str, ...]:
    text = robots_txt.decode("utf-8", "replace").removeprefix("\ufeff")
    return tuple(re.split(r"\r\n|\r|\n", text))


def records_of(robots_txt: bytes) -> Iterator[tuple[str, str] | None]:
    """Each record as (field, value); a blank line as None."""
    for line in lines_of(robots_txt):
        name, colon, value = line.partition("#")[0].partition(":")
        if not line:
            yield None
        elif colon:
            yield name.strip().lower(), value.strip()


@lru_cache(_FILES)
def groups_of(robots_txt: bytes) -> tuple[Group, ...]:
    groups: list[Group] = []
    blank = False
    for record in records_of(robots_txt):
        if record is None:
            blank = True
            continue
        name, value = record
        if name == "user-agent":
            if not groups or groups[-1].rules:
                groups.append(Group())
            else:
                groups[-1].gap |= blank
            groups[-1].tokens.append(value.lower())
        elif not groups:
            continue
        elif name in ("allow", "disallow"):
            groups[-1].gap |= blank
            groups[-1].rules.append((name == "allow", value))
        elif not groups[-1].rules:
            groups[-1].other.append((name, len(groups[-1].tokens)))
            continue  # a blank line before it still counts for what comes next
        else:
            continue
        blank = False
    return tuple(groups)


def binding_groups(robots_txt: bytes, token: str) -> list[Group]:
    """The groups that RFC 9309 section 2.2.1 combines for this token."""
    groups = groups_of(robots_txt)
    named = [group for group in groups if token.lower() in group.tokens]
    return named or [group for group in groups if "*" in group.tokens]


def rules_for(robots_txt: bytes, token: str) -> list[tuple[bool, str]]:
    return [rule for group in binding_groups(robots_txt, token) for rule in group.rules]


def tokens_of(robots_txt: bytes) -> list[str]:
    return [token for group in groups_of(robots_txt) for token in group.tokens]


ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})|([^\x00-\x7f]+)")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")


@lru_cache(4096)
def canonical(text: str) -> str:
    """One spelling: unreserved characters plain, bytes outside ASCII escaped, hexadecimal in capitals."""

    def spell(match: re.Match[str]) -> str:
        if match[2]:
            return urllib.parse.quote(match[2])
        char = chr(int(match[1], 16))
        return char if _UNRESERVED.fullmatch(char) else match[0].upper()

    return ESCAPE.sub(spell, text)


@lru_cache(4096)
def compiled(pattern: str) -> re.Pattern[str]:
    anchored = pattern.endswith("$")
    body = ".*".join(re.escape(part) for part in pattern.removesuffix("$").split("*"))
    return re.compile(body + (r"\Z" if anchored else ""), re.DOTALL)


def path_matches(pattern: str, path: str) -> bool:
    return bool(pattern) and compiled(canonical(pattern)).match(canonical(path)) is not None


def is_wild(pattern: str) -> bool:
    return "*" in pattern or pattern.endswith("$")


def verdict(rules: list[tuple[bool, str]], path: str, length: Callable[[str], int]) -> bool:
    """RFC 9309 section 2.2.2: the longest match decides, and Allow when two are equal."""
    matching = ((length(pattern), allow) for allow, pattern in rules if path_matches(pattern, path))
    return max(matching, default=(0, True))[1]


def byte_count(pattern: str) -> int:
    return len(canonical(pattern))


_CUT = re.compile(r"[A-Za-z_-]*")


def cut(token: str) -> str:
    match = _CUT.match(token)
    return match[0] if match else ""


def is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
