"""Regular expressions for the lines of a format, compiled from its fields and the text between them.

They need no look-around or backtracking, which Rust's engine doesn't have. A hostile client controls parts of
a line. So the text around a field determines its end: a quoted field ends at a quote that is not escaped, any
other one before the character that follows it. Few lines can then be read in two ways, and a line with a
quote that its server didn't escape is unreadable.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args

from aipolicy.accesslog.formats import timestamps
from aipolicy.errors import LogFormatError


class Role(StrEnum):
    """The use of a field; the value is the name of its regular expression group."""

    HOST = "host"
    ADDRESS = "address"
    FORWARDED = "forwarded"
    REQUEST = "request"
    """The whole request line: method, target and protocol."""
    TARGET = "target"
    QUERY = "query"
    STATUS = "status"
    USER_AGENT = "user_agent"
    TIME = "time"
    USER = "user"
    """The user name that the client sent, which may contain spaces."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a line."""

    role: Role
    rank: int = 0
    """If a column has several fields, the one with the lowest rank is read."""
    code: str = ""
    """The notation of a time (see ``timestamps``)."""
    pattern: str = ""
    """A regular expression for its text, where that is narrower than its role and position imply."""


COMPLETE = 0
"""The rank of a target that includes its query."""
OTHER = Field(Role.OTHER)
Element = str | Field
"""A field, or the text that every line has in that position."""

Variant = Literal["usual", "full", "shape"]
"""One of the regular expressions of ``LinePattern``."""

_METHOD = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110 §5.6.2: a token
_PROTOCOL = r"HTTP/[0-9](?:\.[0-9])?"
REQUEST_LINE = rf"(?s)\A{_METHOD} +(?P<target>.*?) +{_PROTOCOL}\z"
"""Matches a request line by itself; its target may contain spaces."""
_BRACKETED = r'\[[^\] "]*\]'  # an IPv6 literal
# A user's name may contain spaces. But with "-" as a word it is more likely the start of a line that was cut
# off: "192.0.2.1 - - 192.0.2.2 - - [".
_WORD = '(?:[^ "-][^ "]*|-[^ "]+)'
_NAME = f"(?:-|{_WORD}(?: +{_WORD})* *)"
_SPECIAL = frozenset("\\.+*?()|[]{}^$#&-~")


@dataclass(frozen=True, slots=True)
class LinePattern:
    """The regular expressions of a format. Groups are named after roles, and ``time0``, ``time1`` ..."""

    usual: str
    """Matches most lines, several times faster: at each character there is only one way on."""
    full: str
    """Matches every line of the format: spaces in a path or a user's name, any method."""
    shape: str
    """Matches lines with any request and time, and has no groups for these."""
    times: tuple[str, ...]
    """Codes of the times, to be read together."""
    roles: frozenset[Role]


def compile_pattern(elements: Sequence[Element], tail: str = "") -> LinePattern:
    """Compile the elements of a format.

    Args:
        tail: A regular expression for what may follow them.

    Raises:
        LogFormatError: the format lacks the time or the request, or the end of its User-Agent can't be
            determined.
    """
    elements = _merged(elements)
    chosen = _chosen(elements)
    roles = {element.role for element in chosen.values()}
    if not roles & {Role.REQUEST, Role.TARGET}:
        raise LogFormatError('the format has no request; add it in quotes, like "%r" or "$request"')
    times = tuple(field.code for field in chosen.values() if field.role is Role.TIME)
    if not times or not timestamps.is_complete("|".join(times)):
        raise LogFormatError("the format has no time with a date; add it, like %t or [$time_local]")
    if f"(?P<{Role.FORWARDED}>" in tail:
        roles.add(Role.FORWARDED)
    usual, full, shape = (
        rf"(?s)\A{''.join(_patterns(elements, chosen, variant))}{tail}\z" for variant in get_args(Variant)
    )
    return LinePattern(usual, full, shape, times, frozenset(roles))


def _merged(elements: Sequence[Element]) -> list[Element]:
    """Join texts that are next to each other."""
    merged: list[Element] = []
    for element in elements:
        if merged and isinstance(element, str) and isinstance(merged[-1], str):
            merged[-1] += element
        else:
            merged.append(element)
    return merged


def _chosen(elements: Sequence[Element]) -> dict[int, Field]:
    """Return the fields that are read, by their position."""
    best: dict[Role, int] = {}
    fields = {at: element for at, element in enumerate(elements) if isinstance(element, Field)}
    for at, field in fields.items():
        slot = Role.TARGET if field.role is Role.REQUEST else field.role
        if slot not in best or field.rank < fields[best[slot]].rank:
            best[slot] = at
    target = best.get(Role.TARGET)
    if target is None or fields[target].role is Role.REQUEST or fields[target].rank == COMPLETE:
        best.pop(Role.QUERY, None)
    for unwanted in (Role.TIME, Role.USER, Role.OTHER):
        best.pop(unwanted, None)
    return {at: fields[at] for at in sorted([*best.values(), *_times(fields)])}


def _times(fields: dict[int, Field]) -> list[int]:
    """Return the first time that is complete by itself, or else all, which are parts of one."""
    every = [at for at, field in fields.items() if field.role is Role.TIME]
    best = min((fields[at].rank for at in every), default=0)
    times = [at for at in every if fields[at].rank == best]
    for at in times:
        if timestamps.is_complete(fields[at].code) and timestamps.has_offset(fields[at].code):
            return [at]
    return times


def _patterns(elements: Sequence[Element], chosen: dict[int, Field], variant: Variant) -> Iterator[str]:
    times = 0
    for at, element in enumerate(elements):
        if isinstance(element, str):
            yield _escaped(element)
            continue
        pattern = _Context.of(elements, at).pattern(element, variant, at in chosen)
        any_time = variant == "shape" and element.role is Role.TIME
        if any_time or at not in chosen or element.role is Role.REQUEST:
            yield pattern
        elif element.role is Role.TIME:
            yield f"(?P<time{times}>{pattern})"
            times += 1
        else:
            yield f"(?P<{element.role}>{pattern})"


def _escaped(text: str) -> str:
    """Return a regular expression for exactly ``text``, also within a character class."""
    return "".join(f"\\{character}" if character in _SPECIAL else character for character in text)


@dataclass(frozen=True, slots=True)
class _Context:
    """The text around a field, from which its regular expression follows."""

    quote: str
    """The quote around it, or empty."""
    next: str
    """The text after it: empty before another field, and at the end."""
    stop: str
    """The character that ends it: the first of the text after it, else the last of the text before it."""
    last: bool
    quotes: bool
    """True if the format uses quotes at all, so that nothing outside them may contain one."""

    @classmethod
    def of(cls, elements: Sequence[Element], at: int) -> "_Context":
        previous = elements[at - 1] if at else ""
        following = elements[at + 1] if at + 1 < len(elements) else ""
        left, right = (element if isinstance(element, str) else "" for element in (previous, following))
        quote = right[:1] if right[:1] in ('"', "'") and left[-1:] == right[:1] else ""
        quotes = any('"' in element for element in elements if isinstance(element, str))
        return cls(quote, right, right[:1] or left[-1:], at + 1 == len(elements), quotes)

    def pattern(self, field: Field, variant: Variant, chosen: bool) -> str:
        """Return the regular expression of ``field``; a request line that is read has a group ``target``."""
        role = field.role
        if role is Role.REQUEST:
            return self._request(variant, chosen)
        if role is Role.TIME:
            time = field.pattern or timestamps.pattern(field.code)
            return (variant != "shape" and time) or f"{self._unit}+"
        if field.pattern:
            return f"(?:{field.pattern})"
        if role is Role.STATUS:
            return "[0-9]{3}"
        if self.quote:
            return f"{self._unit}*"
        if role is Role.USER_AGENT:
            if self.next.startswith(" "):
                raise LogFormatError(
                    "the User-Agent contains spaces; write it in quotes, or as the last field of the format"
                )
            return ".*" if self.last else f"{self._unit}*"
        if self._before_bracket(role):
            stops = '"[ ' if self.next[0] == " " else '"['
            if variant == "usual":
                return f"[^{_escaped(stops)}]*"
            return _NAME if role is Role.USER else '[^"]*?'
        return self._unquoted(role, variant)

    def _unquoted(self, role: Role, variant: Variant) -> str:
        if role is Role.HOST:
            if not self.next and not self.last:
                return '[^ "/]*'  # its path follows immediately
            return f"(?:{_BRACKETED}|{self._word}*)" if self.stop == ":" else f"{self._word}*"
        if role is Role.ADDRESS:
            if self.stop == ":":
                # In "2001:db8::1:443" the port follows the last colon, as in "192.0.2.1:443".
                return r"[0-9]+\.[0-9.]+" if variant == "usual" else '[^ "]+'
            return f"{self._word}+"
        if role is Role.FORWARDED:
            entry = f"[^,{_escaped(self._stops)}]+"
            return f"{entry}(?:, *{entry})*"
        if role is Role.OTHER and self.last:
            return f"{self._word}*(?: [0-9.,:-]+)*"
        return f"{self._word if role in (Role.TARGET, Role.QUERY) or not self.next else self._unit}*"

    def _request(self, variant: Variant, chosen: bool) -> str:
        spaced = self._unit if self.quote or self.stop != " " else '[^"]'
        if variant == "shape" or not chosen:
            return f"{spaced}*" if self.quote else f"{spaced}*?"
        if variant == "usual":
            word = rf"(?:[^ {self.quote}\\]|\\.)" if self.quote else self._word
            return rf"[A-Za-z]+ (?P<target>{word}+) {_PROTOCOL}"
        return rf"{_METHOD} +(?P<target>{spaced}*?) +{_PROTOCOL}"

    def _before_bracket(self, role: Role) -> bool:
        """Return True if a text with spaces ends at an opening bracket: ``$remote_user [``, ``%^[``."""
        if self.next.startswith("["):
            return role in (Role.USER, Role.OTHER)
        return self.next.startswith(" [") and role is Role.USER

    @property
    def _stops(self) -> str:
        return "".join(dict.fromkeys(f'{self.stop} "'))

    @property
    def _word(self) -> str:
        """One character of a text without spaces."""
        return f"[^{_escaped(self._stops)}]"

    @property
    def _unit(self) -> str:
        """One character of any text that is possible here."""
        if self.quote:
            return rf"(?:[^{self.quote}\\]|\\.)"
        quote = '"' if self.quotes and self.stop != "\t" else ""
        return f"[^{_escaped(self.stop)}{quote}]" if self.stop or quote else "."
