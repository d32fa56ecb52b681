"""The regular expression of one field, from its role and from what stands before and behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from aipolicy.accesslog.formats import timestamps
from aipolicy.accesslog.formats.elements import Element, Field, Role
from aipolicy.errors import LogFormatError

Way = Literal["usual", "full", "shape"]
"""See ``Layout``."""

_METHOD = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110 §5.6.2: a token
_PROTOCOL = r"HTTP/[0-9](?:\.[0-9])?"
REQUEST_LINE = rf"(?s)\A{_METHOD} +(?P<target>.*?) +{_PROTOCOL}\z"
"""A request line by itself; a target may have spaces in it."""
_BRACKETED = r'\[[^\] "]*\]'  # an IPv6 literal
# What a client logged in with may have spaces in it. But with "-" as a word it is more likely what stands
# before a line that was broken off: "192.0.2.1 - - 192.0.2.2 - - [".
_WORD = '(?:[^ "-][^ "]*|-[^ "]+)'
_NAME = f"(?:-|{_WORD}(?: +{_WORD})* *)"
_SPECIAL = frozenset("\\.+*?()|[]{}^$#&-~")


def escaped(text: str) -> str:
    """``text`` as a regular expression that matches just it, also within a class."""
    return "".join(f"\\{character}" if character in _SPECIAL else character for character in text)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a field stands."""

    quote: str
    """The quote around it, or nothing."""
    behind: str
    """The text behind it: empty before another field, and at the end."""
    stop: str
    """The character that it ends before: of the text behind, or at the end of that before it."""
    last: bool
    quotes: bool
    """The format has quotes at all, so nothing outside them may hold one."""

    @classmethod
    def among(cls, elements: Sequence[Element], at: int) -> "Place":
        before = elements[at - 1] if at else ""
        behind = elements[at + 1] if at + 1 < len(elements) else ""
        left, right = (element if isinstance(element, str) else "" for element in (before, behind))
        quote = right[:1] if right[:1] in ('"', "'") and left[-1:] == right[:1] else ""
        quotes = any('"' in element for element in elements if isinstance(element, str))
        return cls(quote, right, right[:1] or left[-1:], at + 1 == len(elements), quotes)

    def pattern(self, field: Field, way: Way, chosen: bool) -> str:
        """The regular expression of ``field``; of a request line with a group ``target`` if it is chosen.

        Raises LogFormatError for a User-Agent whose end can't be told.
        """
        role = field.role
        if role is Role.REQUEST:
            return self._request(way, chosen)
        if role is Role.TIME:
            return (way != "shape" and (field.pattern or timestamps.pattern(field.code))) or f"{self._unit}+"
        if field.pattern:
            return f"(?:{field.pattern})"
        if role is Role.STATUS:
            return "[0-9]{3}"
        if self.quote:
            return f"{self._unit}*"
        if role is Role.USER_AGENT:
            if self.behind.startswith(" "):
                raise LogFormatError(
                    "the User-Agent has spaces in it: write it in quotes, or as the last field"
                )
            return ".*" if self.last else f"{self._unit}*"
        if self._before_bracket(role):
            stops = '"[ ' if self.behind[0] == " " else '"['
            if way == "usual":
                return f"[^{escaped(stops)}]*"
            return _NAME if role is Role.USER else '[^"]*?'
        return self._unquoted(role, way)

    def _unquoted(self, role: Role, way: Way) -> str:
        if role is Role.HOST:
            if not self.behind and not self.last:
                return '[^ "/]*'  # its path stands right behind it
            return f"(?:{_BRACKETED}|{self._word}*)" if self.stop == ":" else f"{self._word}*"
        if role is Role.ADDRESS:
            if self.stop == ":":
                # In "2001:db8::1:443" the port stands behind the last colon, as in "192.0.2.1:443".
                return r"[0-9]+\.[0-9.]+" if way == "usual" else '[^ "]+'
            return f"{self._word}+"
        if role is Role.FORWARDED:
            one = f"[^,{escaped(self._stops)}]+"
            return f"{one}(?:, *{one})*"
        if role is Role.OTHER and self.last:
            return f"{self._word}*(?: [0-9.,:-]+)*"
        return f"{self._word if role in (Role.TARGET, Role.QUERY) or not self.behind else self._unit}*"

    def _request(self, way: Way, chosen: bool) -> str:
        spaced = self._unit if self.quote or self.stop != " " else '[^"]'
        if way == "shape" or not chosen:
            return f"{spaced}*" if self.quote else f"{spaced}*?"
        if way == "usual":
            word = rf"(?:[^ {self.quote}\\]|\\.)" if self.quote else self._word
            return rf"[A-Za-z]+ (?P<target>{word}+) {_PROTOCOL}"
        return rf"{_METHOD} +(?P<target>{spaced}*?) +{_PROTOCOL}"

    def _before_bracket(self, role: Role) -> bool:
        """Whether a text with spaces in it ends where a bracket opens: ``$remote_user [``, ``%^[``."""
        if self.behind.startswith("["):
            return role in (Role.USER, Role.OTHER)
        return self.behind.startswith(" [") and role is Role.USER

    @property
    def _stops(self) -> str:
        return "".join(dict.fromkeys(f'{self.stop} "'))

    @property
    def _word(self) -> str:
        """One character of a text without spaces."""
        return f"[^{escaped(self._stops)}]"

    @property
    def _unit(self) -> str:
        """One character of any text that may stand here."""
        if self.quote:
            return rf"(?:[^{self.quote}\\]|\\.)"
        quote = '"' if self.quotes and self.stop != "\t" else ""
        return f"[^{escaped(self.stop)}{quote}]" if self.stop or quote else "."
