"""The robots.txt parser and its values, after RFC 9309.

``read_lines`` is the only lexer: it splits a file into lines, each with its kind and the number of its group.
``RobotsTxt.parse`` builds groups and rules from these lines; the linter checks the lines themselves. Reading
is as lenient as Google's parser (typing errors, a missing colon); writing is strict.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Self

from aipolicy.core.paths import WHITE_SPACE, normalise, to_bytes

BEGIN, END = "# BEGIN aipolicy", "# END aipolicy"
"""The comment lines around our lines in a merged file."""

# RFC 9309 §2.2 NL; str.splitlines() would also split at U+2028 and others.
_NEWLINE = re.compile(r"\r\n|\r|\n")
_WORDS = re.compile(r"[^ \t]+")
_IDENTIFIER = re.compile(r"[A-Za-z_-]+")
# Field names in lower case, with the typing errors that Google's parser forgives.
USER_AGENT = frozenset({"user-agent", "useragent", "user agent"})
DISALLOW = frozenset({"disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw"})
SITEMAP = frozenset({"sitemap", "sitemaps", "site-map"})
# These lines apply to the whole site wherever they are, and neither begin nor end a group.
SITE_WIDE = SITEMAP | {"host"}


class LineKind(Enum):
    """The kind of a line, to a lenient parser."""

    AGENT = "user-agent"
    ALLOW = "allow"
    DISALLOW = "disallow"
    SITE_WIDE = "site-wide"
    OTHER = "other"
    UNREADABLE = "unreadable"
    BLANK = "blank"  # or a comment alone


_KINDS = (
    dict.fromkeys(USER_AGENT, LineKind.AGENT)
    | dict.fromkeys(DISALLOW, LineKind.DISALLOW)
    | dict.fromkeys(SITE_WIDE, LineKind.SITE_WIDE)
    | {"allow": LineKind.ALLOW}
)
_RULES = (LineKind.DISALLOW, LineKind.ALLOW)
_IN_HEADER = (LineKind.AGENT, LineKind.SITE_WIDE, LineKind.UNREADABLE, LineKind.BLANK)
KNOWN = frozenset(_KINDS)
# Google's parser takes any field that begins so for the real one ("Disallow-AI: /" blocks everything).
_READ_BY_PREFIX = tuple(KNOWN - {"host"})


class Line(NamedTuple):
    """A line of a file.

    Attributes:
        number: The line number, from 1.
        group: The number of its group, from 1; 0 before the first User-agent line.
        raw: The whole line as written.
        text: The same without its comment and surrounding white space.
        comment: The text after ``#``; None if there is none.
        name: The field name as written; empty if the line isn't a record.
        value: The field value.
        has_colon: False for a record like ``Disallow /x``.
    """

    number: int
    kind: LineKind
    group: int
    raw: str
    text: str
    comment: str | None
    name: str
    value: str
    has_colon: bool

    @property
    def is_rule(self) -> bool:
        return self.kind in _RULES

    def named(self, name: str) -> bool:
        """Return True if the field has that name, in any case."""
        return self.name.lower() == name.lower()


def read_lines(text: str | bytes) -> Iterator[Line]:
    """Yield the lines of a file. Never raises."""
    group, in_header = 0, False
    agent, other = LineKind.AGENT, LineKind.OTHER  # a file may have 250,000 lines
    for number, raw in enumerate(lines_of(text), 1):
        content, sharp, comment = raw.partition("#")
        content = content.strip(WHITE_SPACE)
        name, colon, value = content.partition(":")
        name = name.rstrip(WHITE_SPACE)
        if colon and name:
            kind = _KINDS.get(name.lower(), other)
        else:
            kind = LineKind.UNREADABLE if content else LineKind.BLANK
            words = _WORDS.findall(content)
            name = value = ""
            if len(words) == 2 and words[0].lower() in KNOWN:  # Google accepts "Disallow /x"
                (name, value), colon = words, ""
                kind = _KINDS[name.lower()]
        if kind is agent:
            group += not in_header
            in_header = True
        elif in_header:
            in_header = kind in _IN_HEADER
        value = value.lstrip(WHITE_SPACE)
        yield Line(number, kind, group, raw, content, comment if sharp else None, name, value, bool(colon))


def lines_of(text: str | bytes) -> list[str]:
    """Return the lines of a file, without byte order marks before the first. Never raises."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    # All of the marks: else a written file would begin with one, and be read differently.
    return _NEWLINE.split(text.lstrip("\ufeff"))


@dataclass(frozen=True, slots=True)
class Rule:
    """An ``Allow`` or ``Disallow`` with its normalised path pattern and line (0: written by us)."""

    allow: bool
    pattern: str
    line: int = 0
    comment: str = ""

    def __str__(self) -> str:
        return _line("Allow" if self.allow else "Disallow", self.pattern, self.comment)

    @property
    def effective(self) -> bool:
        """True if it can match anything; an empty pattern can't, nor one like ``private``."""
        return self.pattern.startswith(("/", "*"))


@dataclass(frozen=True, slots=True)
class Record:
    """Any other line ("other records", RFC 9309 §2.2.4); a comment line has neither name nor number."""

    name: str
    value: str
    line: int = 0
    comment: str = ""

    def __str__(self) -> str:
        return _line(self.name, self.value, self.comment) if self.name else f"#{self.value}"

    def named(self, name: str) -> bool:
        """Return True if the field has that name, in any case."""
        return self.name.lower() == name.lower()

    @property
    def read_differently(self) -> bool:
        """True if parsers disagree on the kind of this line."""
        return self.name.lower().startswith(_READ_BY_PREFIX)


@dataclass(frozen=True, slots=True)
class Group:
    """Product tokens and their records. ``leading``: the comment lines above it."""

    tokens: tuple[str, ...]
    records: tuple[Rule | Record, ...] = ()
    leading: tuple[Record, ...] = ()

    @property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(record for record in self.records if isinstance(record, Rule))

    @property
    def blocks_everything(self) -> bool:
        """True if nothing may be fetched at all."""
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
    """A file. ``preamble``: the records before the first group; ``site_wide``: Sitemap and Host lines."""

    groups: tuple[Group, ...] = ()
    preamble: tuple[Rule | Record, ...] = ()
    site_wide: tuple[Record, ...] = ()

    def __str__(self) -> str:
        parts = [list(map(str, self.preamble)), *(list(group.lines()) for group in self.groups)]
        parts.append(list(map(str, self.site_wide)))
        return "\n".join("\n".join(part) + "\n" for part in parts if part)

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Read a file. Never raises: a line that can't be read is kept as a comment."""
        return cls.from_lines(read_lines(text))

    @classmethod
    def from_lines(cls, lines: Iterable[Line]) -> Self:
        """Build the file from its lines."""
        builder = _Builder()
        for line in lines:
            builder.add(line)
        return cls(*builder.result())


def read_together(groups: Iterable[Group]) -> list[Group]:
    """Join each group without a rule to the next: other records don't end a group (§2.2.4)."""
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
    """Return ``text`` without our lines and markers; a marker without its partner is removed alone.

    One of the blank lines around a part that was all ours is removed with it.
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
    """Return the product token of a User-agent line's value, without a version.

    Google's parser reads ``GPTBot/1.2`` and ``GPTBot*`` as GPTBot and ``* x`` as ``*``; others don't, so we
    read all of these and write the plain form.
    """
    token = value.split("/", 1)[0].strip(WHITE_SPACE)
    if token.startswith(("* ", "*\t")):
        return "*"
    return token if token == "*" else token.rstrip("*").rstrip(WHITE_SPACE)  # noqa: S105 (no password)


def truncated(token: str) -> str:
    """Return ``token`` as Google's parser cuts it: at the first character outside RFC 9309's grammar."""
    match = _IDENTIFIER.match(token)
    return match[0] if match else token


class _Builder:
    """Builds groups from lines, one after the other."""

    def __init__(self) -> None:
        self.groups: list[Group] = []  # all but the last one
        self.group = 0  # the number of the last one
        self.tokens: list[str] = []  # of the last one
        self.records: list[Rule | Record] = []
        self.leading: list[Record] = []
        self.preamble: list[Rule | Record] = []
        self.site_wide: list[Record] = []
        self.comments: list[Record] = []  # that belong to the next record, if one follows
        # Equal comments are one object: a file may have 250,000, and Python's garbage collector, which stops
        # all threads, visits every object.
        self.equal: dict[str, Record] = {}
        self.named: set[str] = set()  # by the last group, in lower case

    def add(self, line: Line) -> None:
        kind = line.kind
        if kind in _RULES:
            self._record(_rule(line), line.group)
        elif kind is LineKind.BLANK:
            if line.comment is not None:
                self._comment(line.comment)
        elif kind is LineKind.AGENT:
            self._user_agent(line.group, product_token(_printable(line.value)))
        elif kind is LineKind.OTHER:
            self._record(_record(line), line.group)
        elif kind is LineKind.SITE_WIDE:
            self.site_wide += [*self._take_comments(), _record(line)]
        else:
            # All in one line: the comment alone might be one of our markers.
            behind = "" if line.comment is None else f" #{line.comment}"
            self._comment(f" unreadable: {line.text}{behind}")

    def _record(self, record: Rule | Record, group: int) -> None:
        records = self.records if group else self.preamble
        if self.comments:
            records += self._take_comments()
        records.append(record)

    def _comment(self, comment: str) -> None:
        record = self.equal.get(comment)
        if record is None:
            record = self.equal[comment] = Record("", _printable(comment))
        self.comments.append(record)

    def _user_agent(self, group: int, token: str) -> None:
        if group != self.group:
            self._end_group()
            self.group = group
            self.tokens = []
            self.named.clear()
        self.leading += self._take_comments()
        if token and token.lower() not in self.named:
            self.named.add(token.lower())
            self.tokens.append(token)

    def _end_group(self) -> None:
        if self.group:
            self.groups.append(Group(tuple(self.tokens), tuple(self.records), tuple(self.leading)))
            self.records, self.leading = [], []

    def _take_comments(self) -> list[Record]:
        taken, self.comments = self.comments, []
        return taken

    def result(self) -> tuple[tuple[Group, ...], tuple[Rule | Record, ...], tuple[Record, ...]]:
        self._end_group()
        if not (self.groups or self.site_wide):
            return (), (*self.preamble, *self.comments), ()
        return tuple(self.groups), tuple(self.preamble), (*self.site_wide, *self.comments)


def _rule(line: Line) -> Rule:
    value = line.value
    pattern = normalise(value) if value.startswith(("/", "*")) else _printable(value)
    return Rule(
        line.kind is LineKind.ALLOW, pattern, line.number, _printable(line.comment) if line.comment else ""
    )


def _record(line: Line) -> Record:
    name = _printable(line.name)
    if line.kind is LineKind.SITE_WIDE:
        name = "Sitemap" if line.name.lower() in SITEMAP else "Host"
    return Record(name, _printable(line.value), line.number, _printable(line.comment) if line.comment else "")


def _line(name: str, value: str, comment: str) -> str:
    return f"{name}: {value}".rstrip(WHITE_SPACE) + (f" #{comment}" if comment else "")


def _printable(text: str) -> str:
    """Return ``text`` as one line for every parser. Some split at U+0085 or U+2028, or fail at controls."""
    text = text.rstrip(WHITE_SPACE)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\t" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in to_bytes(character))
