"""A reader of the rows of some tables in the SQL text of a MySQL or MariaDB dump.

It reads ``INSERT`` (and ``REPLACE``) and the column names of ``CREATE TABLE``, and skips all else. Literals
are those of MySQL's manual (String Literals, Number Literals, Hexadecimal Literals).
"""

import re
from collections.abc import Callable, Iterable, Iterator

from aipolicy.errors import AIPolicyError

Record = dict[str, str | None]
"""The values of a row by lower-case column name; numbers as text, NULL as None."""

_LONGEST = 64 * 1024 * 1024  # characters of one token: a longer one is a quote that is never closed
_LOOKAHEAD = 256  # characters in the window where a token begins: keywords and numbers are never cut

_SPACE = re.compile(r"(?:\s++|--(?=[\s])[^\n]*+\n?|#[^\n]*+\n?|/\*(?:[^*]++|\*(?!/))*+\*/)++")
_IDENTIFIER = r"(?:`(?:[^`]|``)++`|[\w$]++)"
_NAME = re.compile(_IDENTIFIER)
_INSERT = re.compile(r"(?:INSERT|REPLACE)\b(?:\s++(?:LOW_PRIORITY|DELAYED|IGNORE|INTO))*+\s++", re.I)
_CREATE = re.compile(r"CREATE\s++TABLE\s++(?:IF\s++NOT\s++EXISTS\s++)?", re.I)
_VALUES = re.compile(r"VALUES?\b", re.I)
_DOT, _OPEN, _CLOSE, _COMMA, _END = (re.compile(re.escape(sign)) for sign in ".(),;")
_STRING = re.compile(
    r"(?:_\w++\s*+|[nN](?='))?('(?:[^'\\]++|\\.|'')*+'|\"(?:[^\"\\]++|\\.|\"\")*+\")", re.DOTALL
)
_HEX = re.compile(r"(?:_\w++\s*+)?(?:0x([0-9A-Fa-f]++)|[xX]'([0-9A-Fa-f]*+)')")
_PLAIN = re.compile(r"[-+]?(?:[\d.]++[eE][-+]\d++|[\w.]++)")
_QUOTED_NAME = re.compile(r"`[^`]*+`")
_SKIPPED = re.compile(r"(?:[^'\"`;#/-]|-(?!-\s)|/(?!\*))++")  # in a statement that is skipped
_ANY = re.compile(r"[^;]", re.DOTALL)
# The beginnings of tokens of any length.
_COMMENT_OPENS, _NAME_OPENS, _STRING_OPENS = (
    re.compile(r"/\*"),
    re.compile("`"),
    re.compile(r"(?:_\w++\s*+|[nN])?['\"]"),
)
_ESCAPE = re.compile(r"\\(.)|''|\"\"", re.DOTALL)
# MySQL's manual, table "Special Character Escape Sequences"; the backslash is ignored before any other.
_ESCAPED = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}


class SQLText:
    """A window over a text that arrives in pieces.

    ``take`` reads more where a token may be cut.
    """

    def __init__(self, pieces: Iterable[str]) -> None:
        self._pieces = iter(pieces)
        self._window = ""
        self._at = 0
        self._ended = False
        self.line = 1

    def take(
        self, pattern: re.Pattern[str], *, opening: re.Pattern[str] | None = None
    ) -> re.Match[str] | None:
        """Match ``pattern`` at this position and move past it; return None if it doesn't match.

        Args:
            opening: Beginning of a token of any length. If it matches and ``pattern`` doesn't, the end of the
                token has not been read yet.
        """
        while True:
            if len(self._window) - self._at < _LOOKAHEAD and not self._ended:
                self._read_more()
            match = pattern.match(self._window, self._at)
            if match is None:
                cut = opening is not None and opening.match(self._window, self._at) is not None
            else:
                cut = match.end() == len(self._window)  # the token may be longer
            if not cut or self._ended:
                break
            self._read_more()
        if match is not None:
            self._move(match.end())
        return match

    def drop(self, pattern: re.Pattern[str]) -> bool:
        """Skip text that matches ``pattern``, which may also match a part of it; return True if any did."""
        self.next(_LOOKAHEAD)
        match = pattern.match(self._window, self._at)
        if match is None:
            return False
        self._move(match.end())
        return True

    def peek(self, sign: str) -> bool:
        """Return True if the next character is ``sign``."""
        return self.next(1) == sign

    def next(self, count: int) -> str:
        """Return the next characters without moving."""
        while len(self._window) - self._at < count and not self._ended:
            self._read_more()
        return self._window[self._at : self._at + count]

    def at_end(self) -> bool:
        """Return True at the end of the text."""
        return not self.next(1)

    def _move(self, to: int) -> None:
        self.line += self._window.count("\n", self._at, to)
        self._at = to

    def _read_more(self) -> None:
        """Drop the text that was read, and at least double the rest: a long token is rarely scanned again."""
        left = self._window[self._at :]
        if len(left) > _LONGEST:
            fix = "check that the dump is complete"
            raise AIPolicyError(f"line {self.line}: a quote or comment begins here and never ends: {fix}")
        pieces, size = [left], 0
        while size <= len(left):
            piece = next(self._pieces, None)
            if piece is None:
                self._ended = True
                break
            pieces.append(piece)
            size += len(piece)
        self._window, self._at = "".join(pieces), 0


def read_records(pieces: Iterable[str], wanted: Callable[[str], bool]) -> Iterator[tuple[str, int, Record]]:
    """Yield the table, row number (from 1) and values of each row of the ``wanted`` tables.

    ``pieces`` may be cut anywhere. It uses as much memory as the longest value. Raises AIPolicyError with the
    line.
    """
    text = SQLText(pieces)
    columns: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    while True:
        _skip_space(text)
        if text.at_end():
            return
        if text.take(_CREATE):
            table = _table(text)
            if wanted(table):
                columns[table] = _created_columns(text)
        elif text.take(_INSERT):
            table = _table(text)
            if wanted(table):
                for record in _inserted(text, table, columns):
                    counts[table] = counts.get(table, 0) + 1
                    yield table, counts[table], record
        _skip_statement(text)


def _inserted(text: SQLText, table: str, columns: dict[str, list[str]]) -> Iterator[Record]:
    _skip_space(text)
    names = columns.get(table) or None
    if text.take(_OPEN):
        names = _names(text)
        _skip_space(text)
    if names is None:
        fix = "dump the tables with their CREATE TABLE, or with --complete-insert"
        raise AIPolicyError(f"line {text.line}: the columns of {table!r} are unknown: {fix}")
    _require(text, _VALUES, "VALUES")
    while True:
        _require(text, _OPEN, "'('")
        values = _values(text)
        if len(values) != len(names):
            count = f"{len(values)} values for {len(names)} columns"
            raise AIPolicyError(
                f"line {text.line}: a row of {table!r} has {count}: check that the dump is complete"
            )
        yield dict(zip(names, values, strict=True))
        _skip_space(text)
        if not text.take(_COMMA):
            return


def _values(text: SQLText) -> list[str | None]:
    values = []
    while True:
        _skip_space(text)
        values.append(_value(text))
        _skip_space(text)
        if text.take(_CLOSE):
            return values
        _require(text, _COMMA, "',' or ')'")


def _value(text: SQLText) -> str | None:
    if match := text.take(_HEX):
        return bytes.fromhex(match[1] or match[2] or "").decode("utf-8", "surrogateescape")
    if match := text.take(_STRING, opening=_STRING_OPENS):
        return _unquoted(match[1])
    if match := text.take(_PLAIN):
        return None if match[0].upper() == "NULL" else match[0]
    raise _unreadable(text, "a value")


def _unquoted(literal: str) -> str:
    inner = literal[1:-1]
    if "\\" not in inner and literal[0] not in inner:
        return inner
    quote = literal[0]

    def unescaped(match: re.Match[str]) -> str:
        if match[1] is not None:
            return _ESCAPED.get(match[1], match[1])
        return quote if match[0] == quote * 2 else match[0]

    return _ESCAPE.sub(unescaped, inner)


def _names(text: SQLText) -> list[str]:
    """Read a list of columns up to its closing parenthesis."""
    names = []
    while True:
        _skip_space(text)
        names.append(_identifier(text).lower())
        _skip_space(text)
        if text.take(_CLOSE):
            return names
        _require(text, _COMMA, "',' or ')'")


def _created_columns(text: SQLText) -> list[str]:
    """Read the columns of a CREATE TABLE: mysqldump writes each on a line, with a name in backquotes."""
    _require(text, _OPEN, "'('")
    names: list[str] = []
    while True:
        _skip_space(text)
        if not text.peek("`"):
            return names  # then come the keys
        names.append(_identifier(text).lower())
        depth = 0
        while not text.at_end():
            _skip_space(text)
            if text.take(_OPEN):
                depth += 1
            elif depth and text.take(_CLOSE):
                depth -= 1
            elif not depth and text.take(_COMMA):
                break
            elif text.peek(")") or text.peek(";"):
                return names
            elif not text.take(_STRING, opening=_STRING_OPENS):
                text.take(_ANY)


def _table(text: SQLText) -> str:
    """Read the name of a table, and drop that of its database."""
    _skip_space(text)
    name = _identifier(text)
    while text.take(_DOT):
        name = _identifier(text)
    return name


def _identifier(text: SQLText) -> str:
    match = text.take(_NAME, opening=_NAME_OPENS)
    if match is None:
        raise _unreadable(text, "a name")
    return match[0][1:-1].replace("``", "`") if match[0].startswith("`") else match[0]


def _skip_statement(text: SQLText) -> None:
    """Skip the rest of a statement."""
    while not text.at_end() and not text.take(_END):
        _skip_space(text)
        known = text.drop(_SKIPPED) or text.take(_STRING, opening=_STRING_OPENS)
        if not (known or text.take(_QUOTED_NAME, opening=_NAME_OPENS) or text.peek(";") or text.at_end()):
            raise _unreadable(text, "the end of a statement")


def _skip_space(text: SQLText) -> None:
    while text.take(_SPACE, opening=_COMMENT_OPENS):
        pass


def _require(text: SQLText, pattern: re.Pattern[str], expected: str) -> None:
    _skip_space(text)
    if not text.take(pattern):
        raise _unreadable(text, expected)


def _unreadable(text: SQLText, expected: str) -> AIPolicyError:
    found = "the end of the file" if text.at_end() else repr(text.next(20))
    fix = "check that the dump is complete"
    return AIPolicyError(f"line {text.line}: expected {expected}, found {found}: {fix}")
