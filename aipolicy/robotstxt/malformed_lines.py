"""Lines that an editor, a form or copying damaged, so that parsers misread them."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from aipolicy.core.crawlers import crawler_named
from aipolicy.core.paths import WHITE_SPACE
from aipolicy.robotstxt.parser import Line, LineKind, read_lines
from aipolicy.robotstxt.product_tokens import is_header

_MAX_LENGTH = 2000  # characters: longer lines are not checked
_DEPTH = 4  # nested faults of one line that are corrected

# Nearly all lines are a name and a value of one word, without a sign of the faults below.
_PLAIN = re.compile(r"[A-Za-z-]+:[ \t]*[^ \t,;|\\<:\"'`\u0080-\U0010ffff]*")
_TAG = re.compile(
    r"</?(?:br|p|div|span|pre|code|ul|ol|li|b|i|strong|em|font|html|head|body|blockquote|td|tr|table)\b[^<>]*>",
    re.IGNORECASE,
)
_NAMES = r"user[- ]?agent|disallow|allow|sitemap|crawl-delay|content-signal|content-usage"
_SPELT = "User-agent|User-Agent|Disallow|Allow|Sitemap|Crawl-delay|Content-Signal|Content-Usage"
_GAP = r"(?<![ \t])[ \t]"  # from its first character: a long one is looked at once
# A further record on the line: after a separator, after a line end that was written as two characters, or
# directly, where its capital letter shows it.
_NEXT = re.compile(
    rf"(?:{_GAP}*+[,;|][ \t]*+|{_GAP}++|(?:\\r)?\\n[ \t]*+)(?=(?i:{_NAMES})[ \t]*+:)"
    rf"|(?<=[^ \t])(?=(?:{_SPELT}):)|(?:\\r)?\\n"
)
_QUOTES = "\"'`\u2018\u2019\u201c\u201d\u201e\u201a\u00ab\u00bb\u2039\u203a"
_BETWEEN_TOKENS = re.compile(rf"{_GAP}*+[,;|][ \t]*+")
_BETWEEN_PATHS = re.compile(rf"{_GAP}*+[,;|][ \t]*+(?=/)|{_GAP}++(?=/)")
_WORDS = re.compile(r"[^ \t]+")
# Invisible characters: white space that robots.txt doesn't know, and characters without a width.
_INVISIBLE_SPACE = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_NO_WIDTH = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")


@dataclass(frozen=True, slots=True)
class MalformedLine:
    """A damaged line: the kind of finding, its effect, and the lines that were probably meant."""

    kind: str
    found: str
    effect: str
    meant: tuple[str, ...]


def malformed(line: Line) -> MalformedLine | None:
    """Return the damage of ``line``, or None if it is well formed."""
    if line.kind is LineKind.BLANK or len(line.text) > _MAX_LENGTH or _PLAIN.fullmatch(line.text):
        return None
    for fault in _FAULTS:
        pieces = fault.meant(line.text)
        if pieces is not None:
            meant = tuple(m for piece in pieces for m in _corrected(piece, _DEPTH)) or (f"# {line.text}",)
            return MalformedLine(fault.kind, fault.found, fault.effect, meant)
    return None


def _corrected(text: str, depth: int) -> list[str]:
    for fault in _FAULTS if depth else ():
        pieces = fault.meant(text)
        if pieces is not None:
            return [meant for piece in pieces for meant in _corrected(piece, depth - 1)]
    name = next(read_lines(text)).name
    return [text if re.fullmatch(r"[A-Za-z][A-Za-z -]*", name) else f"# {text}"]


def _without_tags(text: str) -> list[str] | None:
    if not _TAG.search(text):
        return None
    return [piece for piece in (part.strip(WHITE_SPACE) for part in _TAG.split(text)) if piece]


def _without_invisible(text: str) -> list[str] | None:
    visible = _INVISIBLE_SPACE.sub(" ", _NO_WIDTH.sub("", text))
    if visible == text:
        return None
    name, colon, value = visible.strip(WHITE_SPACE).partition(":")
    return [f"{name.strip(WHITE_SPACE)}{colon} {value.strip(WHITE_SPACE)}".strip(WHITE_SPACE)]


def _apart(text: str) -> list[str] | None:
    if not re.match(rf"(?i:{_NAMES})[ \t]*:", text):
        return None
    pieces = [piece.strip(WHITE_SPACE) for piece in _NEXT.split(text)]
    pieces = [piece for piece in pieces if piece]
    return pieces if len(pieces) > 1 or pieces != [text] else None


def _record(text: str) -> tuple[str, str, bool]:
    """Return name and value of a User-agent line or a rule (for other lines an empty name)."""
    line = next(read_lines(text))
    is_agent = line.kind is LineKind.AGENT
    return line.name if line.has_colon and (is_agent or line.is_rule) else "", line.value, is_agent


def _unquoted(text: str) -> list[str] | None:
    name, value, is_agent = _record(text)
    if not name or not value or not (value[0] in _QUOTES or (is_agent and value[-1] in _QUOTES)):
        return None
    return [f"{name}: {value.strip(_QUOTES + WHITE_SPACE)}"]


def _one_token_a_line(text: str) -> list[str] | None:
    name, value, is_agent = _record(text)
    if not name or not is_agent or crawler_named(value) or is_header(value):
        return None
    tokens = [token for token in _BETWEEN_TOKENS.split(value) if token]
    words = _WORDS.findall(value)
    if len(tokens) < 2 and len(words) > 1 and all(crawler_named(word) or word == "*" for word in words):
        tokens = words
    if len(tokens) < 2 and tokens == [value]:
        return None
    return [f"{name}: {token}" for token in dict.fromkeys(tokens)] or None


def _one_path_a_line(text: str) -> list[str] | None:
    name, value, is_agent = _record(text)
    if not name or is_agent or not value.startswith("/"):
        return None
    paths = _BETWEEN_PATHS.split(value)
    return [f"{name}: {path}" for path in dict.fromkeys(paths)] if len(paths) > 1 else None


@dataclass(frozen=True, slots=True)
class _Fault:
    kind: str
    found: str
    effect: str
    meant: Callable[[str], list[str] | None]


_FAULTS = (
    _Fault(
        "html-tags",
        "the line has HTML tags",
        "parsers read the tags and what follows as part of the value; remove them",
        _without_tags,
    ),
    _Fault(
        "invisible-character",
        "the line has an invisible character",
        "parsers read it as part of the name or the value (RFC 9309 §2.2); remove it",
        _without_invisible,
    ),
    _Fault(
        "joined-records",
        "the line has several fields",
        "parsers read all but the first as part of its value; write one per line",
        _apart,
    ),
    _Fault(
        "quoted-value",
        "the value has quotation marks",
        "parsers read them as part of the value, which matches nothing; remove them",
        _unquoted,
    ),
    _Fault(
        "several-tokens",
        "the User-agent line has several product tokens",
        "parsers read one long name that no crawler has, or only the first name; write one per line",
        _one_token_a_line,
    ),
    _Fault(
        "several-paths",
        "the rule has several paths",
        "parsers read one long path that matches nothing; write one rule per path",
        _one_path_a_line,
    ),
)
