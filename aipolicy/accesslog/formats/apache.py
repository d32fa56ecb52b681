r"""Apache's LogFormat strings: ``%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"``.

Source: https://httpd.apache.org/docs/2.4/mod/mod_log_config.html#formats
"""

import re

from aipolicy.accesslog.formats import timestamps
from aipolicy.accesslog.formats.elements import OTHER, Element, Field, Role

_TOKEN = re.compile(r"%(?P<mark>[!0-9,]*[<>]?)(?:\{(?P<name>[^}]*)\})?(?P<letter>\^[A-Za-z]{2}|[A-Za-z%])")
_LETTERS = {
    "a": Field(Role.ADDRESS),
    "h": Field(Role.ADDRESS, 1),
    "V": Field(Role.HOST),
    "v": Field(Role.HOST, 2),
    "r": Field(Role.REQUEST, 1),
    "U": Field(Role.TARGET, 2),
    "q": Field(Role.QUERY),
    "u": Field(Role.USER),
}
_HEADERS = {
    "user-agent": Field(Role.USER_AGENT),
    "host": Field(Role.HOST, 1),
    "x-forwarded-for": Field(Role.FORWARDED),
    **dict.fromkeys(("cf-connecting-ip", "true-client-ip", "x-real-ip"), Field(Role.FORWARDED, 1)),
}
_UNITS = {
    **dict.fromkeys(("sec", "msec", "usec"), "epoch"),
    "msec_frac": "%3f",
    "usec_frac": "%6f",
}


def apache(text: str) -> list[Element]:
    """The elements of a LogFormat string. Raises LogFormatError for times that aren't read here."""
    elements: list[Element] = []
    at = 0
    for match in _TOKEN.finditer(text):
        elements += [text[at : match.start()]] if match.start() > at else []
        elements += _field(**match.groupdict())
        at = match.end()
    return [*elements, text[at:]] if at < len(text) else elements


def _field(mark: str, name: str | None, letter: str) -> list[Element]:
    if letter == "%":
        return ["%"]
    if letter == "t":
        return _time(name or "")
    if letter == "s":
        return [Field(Role.STATUS, 0 if mark.endswith(">") else 1)]
    if letter == "i":
        return [_HEADERS.get((name or "").lower(), OTHER)]
    return [OTHER if name is not None else _LETTERS.get(letter, OTHER)]


def _time(name: str) -> list[Element]:
    if not name:
        return ["[", Field(Role.TIME, code=timestamps.CLF), "]"]
    code = name.removeprefix("begin:").removeprefix("end:")
    rank = 1 if name.startswith("end:") else 0
    return [Field(Role.TIME, rank, _UNITS.get(code) or timestamps.expanded(code))]
