"""GoAccess's format strings: ``%v %h %^[%d:%t %^] "%r" %s %b "%R" "%u"``.

Source: goaccess(1), CUSTOM LOG/DATE FORMAT. Date and time formats are told from the string: a date with ":"
behind it is that of the Common Log Format, any other one ISO 8601's. GoAccess ignores the offset of a time;
here it is read, where ``%^`` stands for it.
"""

import re

from aipolicy.accesslog.formats import timestamps
from aipolicy.accesslog.formats.elements import OTHER, Element, Field, Role

_TOKEN = re.compile(r"%d:%t %\^|%d:%t|%dT%t(?:\.?%\^)?|~h\{[^}]*\}|%.", re.DOTALL)
_NAIVE_CLF = timestamps.CLF.removesuffix(" %z")
_FIELDS = {
    "%d:%t %^": Field(Role.TIME, code=timestamps.CLF),
    "%d:%t": Field(Role.TIME, code=_NAIVE_CLF),
    "%dT%t": Field(Role.TIME, code="%Y-%m-%dT%H:%M:%S%.f"),
    **dict.fromkeys(("%dT%t%^", "%dT%t.%^"), Field(Role.TIME, code="iso")),
    "%d": Field(Role.TIME, code="%Y-%m-%d"),
    "%t": Field(Role.TIME, code="%H:%M:%S%.f"),
    "%x": Field(Role.TIME, code="any"),
    "%h": Field(Role.ADDRESS),
    "%v": Field(Role.HOST),
    "%r": Field(Role.REQUEST, 1),
    "%U": Field(Role.TARGET, 2),
    "%q": Field(Role.QUERY),
    "%s": Field(Role.STATUS),
    "%e": Field(Role.USER),
    "%u": Field(Role.USER_AGENT),
    "%~": Field(Role.OTHER, pattern="[ \t]*"),
}
TAIL = "(?:[ \t].*)?"
"""GoAccess doesn't look at what follows."""


def goaccess(text: str) -> list[Element]:
    """The elements of a GoAccess string."""
    elements: list[Element] = []
    at = 0
    for match in _TOKEN.finditer(text):
        elements += [text[at : match.start()], _field(match[0])]
        at = match.end()
    return [element for element in [*elements, text[at:]] if element]


def _field(sign: str) -> Element:
    if sign == "%%":
        return "%"
    return Field(Role.FORWARDED) if sign.startswith("~h") else _FIELDS.get(sign, OTHER)
