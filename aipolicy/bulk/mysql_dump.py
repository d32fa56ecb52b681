"""The rows of some tables in the SQL text of a MySQL or MariaDB dump.

Only ``INSERT`` (and ``REPLACE``) and the column names of ``CREATE TABLE`` are read; all else is passed over.
Literals are those of MySQL's manual (String Literals, Number Literals, Hexadecimal Literals).
"""

import re
from collections.abc import Callable, Iterable, Iterator

from aipolicy.bulk.sql_lexer import SQLText
from aipolicy.errors import AIPolicyError

Record = dict[str, str | None]
"""A row by column name, in lower case; numbers as they are written, NULL as None."""

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
_DULL = re.compile(r"(?:[^'\"`;#/-]|-(?!-\s)|/(?!\*))++")  # of a statement that is passed over
_ANY = re.compile(r"[^;]", re.DOTALL)
# How tokens of any length begin.
_COMMENT_OPENS, _NAME_OPENS, _STRING_OPENS = (
    re.compile(r"/\*"),
    re.compile("`"),
    re.compile(r"(?:_\w++\s*+|[nN])?['\"]"),
)
_ESCAPE = re.compile(r"\\(.)|''|\"\"", re.DOTALL)
# MySQL's manual, table "Special Character Escape Sequences"; behind any other the backslash is ignored.
_ESCAPED = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}


def read_records(pieces: Iterable[str], wanted: Callable[[str], bool]) -> Iterator[tuple[str, int, Record]]:
    """Table, number of the row in its table (from 1) and row, for each row of the tables ``wanted``.

    ``pieces`` may be cut anywhere. Memory is that of the longest value. Raises AIPolicyError, with the line.
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
        _to_the_end(text)


def _inserted(text: SQLText, table: str, columns: dict[str, list[str]]) -> Iterator[Record]:
    _skip_space(text)
    names = columns.get(table) or None
    if text.take(_OPEN):
        names = _names(text)
        _skip_space(text)
    if names is None:
        fix = "dump the tables with their CREATE TABLE, or with --complete-insert"
        raise AIPolicyError(f"line {text.line}: nothing says what the columns of {table!r} are: {fix}")
    _need(text, _VALUES, "VALUES")
    while True:
        _need(text, _OPEN, "'('")
        values = _values(text)
        if len(values) != len(names):
            count = f"{len(values)} values for {len(names)} columns"
            raise AIPolicyError(f"line {text.line}: a row of {table!r} has {count}: is the dump whole?")
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
        _need(text, _COMMA, "',' or ')'")


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

    def one(match: re.Match[str]) -> str:
        if match[1] is not None:
            return _ESCAPED.get(match[1], match[1])
        return quote if match[0] == quote * 2 else match[0]

    return _ESCAPE.sub(one, inner)


def _names(text: SQLText) -> list[str]:
    """A list of columns, up to its closing parenthesis."""
    names = []
    while True:
        _skip_space(text)
        names.append(_identifier(text).lower())
        _skip_space(text)
        if text.take(_CLOSE):
            return names
        _need(text, _COMMA, "',' or ')'")


def _created_columns(text: SQLText) -> list[str]:
    """The columns of a CREATE TABLE: mysqldump writes each on a line, its name in backquotes."""
    _need(text, _OPEN, "'('")
    names: list[str] = []
    while True:
        _skip_space(text)
        if not text.peek("`"):
            return names  # keys and the rest
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
    """The name of a table, without its database."""
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


def _to_the_end(text: SQLText) -> None:
    """Pass over the rest of a statement."""
    while not text.at_end() and not text.take(_END):
        _skip_space(text)
        known = text.drop(_DULL) or text.take(_STRING, opening=_STRING_OPENS)
        if not (known or text.take(_QUOTED_NAME, opening=_NAME_OPENS) or text.peek(";") or text.at_end()):
            raise _unreadable(text, "the end of a statement")


def _skip_space(text: SQLText) -> None:
    while text.take(_SPACE, opening=_COMMENT_OPENS):
        pass


def _need(text: SQLText, pattern: re.Pattern[str], what: str) -> None:
    _skip_space(text)
    if not text.take(pattern):
        raise _unreadable(text, what)


def _unreadable(text: SQLText, what: str) -> AIPolicyError:
    found = repr(text.next(20)) if not text.at_end() else "the file ends"
    return AIPolicyError(f"line {text.line}: where {what} should be, there is {found}: is the dump whole?")
