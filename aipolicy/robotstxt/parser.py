"""robots.txt as RFC 9309 has it: read any file, keep every line, write one that all parsers read alike.

Reading is as lenient as Google's parser (typing errors, a missing colon); writing is strict.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from aipolicy.core.paths import WHITE_SPACE, normalise, octets

BEGIN, END = "# BEGIN aipolicy", "# END aipolicy"
"""What stands around our lines in a merged file."""

# RFC 9309 §2.2 NL; str.splitlines() would also split at U+2028 and others.
_NEWLINE = re.compile(r"\r\n|\r|\n")
_WORDS = re.compile(r"[^ \t]+")
_IDENTIFIER = re.compile(r"[A-Za-z_-]+")
# Names of fields, in lower case, with the slips that Google's parser forgives.
USER_AGENT = frozenset({"user-agent", "useragent", "user agent"})
DISALLOW = frozenset({"disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw"})
_RULES = DISALLOW | {"allow"}
SITEMAP = frozenset({"sitemap", "sitemaps", "site-map"})
# They speak of the whole site wherever they stand, and neither open nor close a group.
SITE_WIDE = SITEMAP | {"host"}
KNOWN = USER_AGENT | _RULES | SITE_WIDE
# Google's parser takes any field that begins so for the real one ("Disallow-AI: /" blocks everything).
_READ_BY_PREFIX = tuple(USER_AGENT | _RULES | SITEMAP)


@dataclass(frozen=True, slots=True)
class Rule:
    """One ``Allow`` or ``Disallow``: a normalised path pattern, and its line (0: written by us)."""

    allow: bool
    pattern: str
    line: int = 0
    comment: str = ""

    def __str__(self) -> str:
        return _line("Allow" if self.allow else "Disallow", self.pattern, self.comment)

    @property
    def effective(self) -> bool:
        """Whether it can match at all: an empty pattern matches nothing, nor does one like ``private``."""
        return self.pattern.startswith(("/", "*"))


@dataclass(frozen=True, slots=True)
class Record:
    """Any other line ("other records", RFC 9309 §2.2.4); a comment line has no name, nor a number."""

    name: str
    value: str
    line: int = 0
    comment: str = ""

    def __str__(self) -> str:
        return _line(self.name, self.value, self.comment) if self.name else f"#{self.value}"

    def named(self, name: str) -> bool:
        """Field names are case-insensitive."""
        return self.name.lower() == name.lower()

    @property
    def read_differently(self) -> bool:
        """Whether parsers disagree on what this line is."""
        return self.name.lower().startswith(_READ_BY_PREFIX)


@dataclass(frozen=True, slots=True)
class Group:
    """Product tokens and what holds for them. ``leading``: the comment lines above it."""

    tokens: tuple[str, ...]
    records: tuple[Rule | Record, ...] = ()
    leading: tuple[Record, ...] = ()

    @property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(record for record in self.records if isinstance(record, Rule))

    @property
    def blocks_everything(self) -> bool:
        """Whether nothing may be fetched at all."""
        rules = self.rules
        return any(r.pattern in ("/", "/*", "*") and not r.allow for r in rules) and not any(
            r.allow and r.effective for r in rules
        )

    def lines(self) -> Iterator[str]:
        yield from map(str, self.leading)
        yield from (f"User-agent: {token}" for token in self.tokens)
        yield from map(str, self.records)


@dataclass(frozen=True, slots=True)
class RobotsTxt:
    """A file. ``preamble``: what stands before the first group; ``site_wide``: Sitemap and Host lines."""

    groups: tuple[Group, ...] = ()
    preamble: tuple[Rule | Record, ...] = ()
    site_wide: tuple[Record, ...] = ()

    def __str__(self) -> str:
        parts = [list(map(str, self.preamble)), *(list(group.lines()) for group in self.groups)]
        parts.append(list(map(str, self.site_wide)))
        return "\n".join("\n".join(part) + "\n" for part in parts if part)

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Read a file. Never raises: what can't be read is kept as a record that says nothing."""
        reader = _Reader()
        for number, line in enumerate(lines_of(text), 1):
            reader.read(number, line)
        return cls(*reader.result())


def read_together(groups: Iterable[Group]) -> list[Group]:
    """A group without a rule goes on in the next: other records don't end a group (§2.2.4)."""
    together: list[Group] = []
    tokens: list[str] = []
    records: list[Rule | Record] = []
    leading: list[Record] = []
    for group in groups:
        tokens += group.tokens
        records += group.records
        leading += group.leading
        if group.rules:
            together.append(Group(tuple(tokens), tuple(records), tuple(leading)))
            tokens, records, leading = [], [], []
    return [*together, Group(tuple(tokens), tuple(records), tuple(leading))] if tokens else together


def without_ours(text: str) -> str:
    """``text`` without our lines and markers; a marker without its partner is taken out alone.

    Of the blank lines before and after a part that was all ours, one goes with it.
    """
    kept: list[str] = []
    opened: int | None = None  # where in kept the last unclosed block begins
    after_ours = False
    lines = lines_of(text)
    for line in lines:
        bare = line.replace("\ufeff", "").strip(WHITE_SPACE)
        if bare == BEGIN:
            opened = len(kept)
        elif bare == END:
            if opened is not None:
                del kept[opened:]
            opened, after_ours = None, opened is not None and not any(kept[-1:])
            continue
        elif not (after_ours and not line):
            kept.append(line)
        after_ours = False
    return text if len(kept) == len(lines) else "\n".join(kept)


def product_token(value: str) -> str:
    """The product token of a User-agent line's value: a version behind it is no part of it.

    Google's parser reads ``GPTBot/1.2`` and ``GPTBot*`` as GPTBot and ``* x`` as ``*``; others don't, so the
    plain form is what we understand and write.
    """
    token = value.split("/", 1)[0].strip(WHITE_SPACE)
    if token.startswith(("* ", "*\t")):
        return "*"
    return token if token == "*" else token.rstrip("*").rstrip(WHITE_SPACE)  # noqa: S105 (no password)


def truncated(token: str) -> str:
    """``token`` as Google-style parsers cut it: at the first character outside RFC 9309's grammar."""
    match = _IDENTIFIER.match(token)
    return match[0] if match else token


class _Reader:
    """The state between two lines."""

    def __init__(self) -> None:
        self.groups: list[Group] = []  # all but the last one
        self.tokens: list[str] | None = None  # of the last one; None before the first
        self.records: list[Rule | Record] = []
        self.leading: list[Record] = []
        self.preamble: list[Rule | Record] = []
        self.site_wide: list[Record] = []
        self.comments: list[Record] = []  # not yet known whose they are
        # Equal comments are one object: a file may have 250,000, and Python's garbage collector, which stops
        # all threads, visits every object.
        self.equal: dict[str, Record] = {}
        self.named: set[str] = set()  # by the last group, in lower case
        self.in_header = False

    def read(self, number: int, line: str) -> None:
        content, sharp, comment = line.partition("#")
        field, value = _field(content)
        if not field:
            self._comment(content.strip(WHITE_SPACE), comment if sharp else None)
        elif field in USER_AGENT:
            self._user_agent(product_token(_printable(value)))
        elif field in SITE_WIDE:
            name = "Sitemap" if field in SITEMAP else "Host"
            self.site_wide += [
                *self._taken_comments(),
                Record(name, _printable(value), number, _printable(comment)),
            ]
        else:
            records = self.preamble if self.tokens is None else self.records
            records += [*self._taken_comments(), _record(field, content, value, number, _printable(comment))]
            self.in_header = False

    def _comment(self, content: str, comment: str | None) -> None:
        if content:  # all in one line: the comment alone might be one of our markers
            comment = f" unreadable: {content}" + ("" if comment is None else f" #{comment}")
        if comment is not None:
            record = self.equal.get(comment)
            if record is None:
                record = self.equal[comment] = Record("", _printable(comment))
            self.comments.append(record)

    def _user_agent(self, token: str) -> None:
        if self.tokens is None or not self.in_header:
            self._end_group()
            self.tokens = []
            self.named.clear()
            self.in_header = True
        self.leading += self._taken_comments()
        if token and token.lower() not in self.named:
            self.named.add(token.lower())
            self.tokens.append(token)

    def _end_group(self) -> None:
        if self.tokens is not None:
            self.groups.append(Group(tuple(self.tokens), tuple(self.records), tuple(self.leading)))
            self.records, self.leading = [], []

    def _taken_comments(self) -> list[Record]:
        taken, self.comments = self.comments, []
        return taken

    def result(self) -> tuple[tuple[Group, ...], tuple[Rule | Record, ...], tuple[Record, ...]]:
        self._end_group()
        if not (self.groups or self.site_wide):
            return (), (*self.preamble, *self.comments), ()
        return tuple(self.groups), tuple(self.preamble), (*self.site_wide, *self.comments)


def lines_of(text: str | bytes) -> list[str]:
    """The lines of a file, without byte order marks before the first. Never raises."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    return _NEWLINE.split(text.lstrip("\ufeff"))  # more than one, and a second reading would see another file


def _field(content: str) -> tuple[str, str]:
    """Name (lower case) and value of a line; no name where it isn't one."""
    name, colon, value = content.partition(":")
    if colon and name.strip(WHITE_SPACE):
        return name.strip(WHITE_SPACE).lower(), value.strip(WHITE_SPACE)
    words = _WORDS.findall(content)
    if len(words) == 2 and words[0].lower() in KNOWN:  # Google accepts "Disallow /x"
        return words[0].lower(), words[1]
    return "", ""


def _record(field: str, content: str, value: str, number: int, comment: str) -> Rule | Record:
    if field in _RULES:
        pattern = normalise(value) if value.startswith(("/", "*")) else _printable(value)
        return Rule(field not in DISALLOW, pattern, number, comment)
    name = content.partition(":")[0].strip(WHITE_SPACE)
    return Record(_printable(name), _printable(value), number, comment)


def _line(name: str, value: str, comment: str) -> str:
    return f"{name}: {value}".rstrip(WHITE_SPACE) + (f" #{comment}" if comment else "")


def _printable(text: str) -> str:
    """``text`` on one line for every parser: some split at U+0085 or U+2028, others choke on controls."""
    text = text.rstrip(WHITE_SPACE)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\t" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return "".join(f"%{octet:02X}" for octet in octets(character))
