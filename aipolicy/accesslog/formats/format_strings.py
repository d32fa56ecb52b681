r"""Format strings of server configurations, in the dialects of nginx, Apache and GoAccess.

nginx: ``$remote_addr - $remote_user [$time_local] "$request" $status ...``,
https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format

Apache: ``%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"``,
https://httpd.apache.org/docs/2.4/mod/mod_log_config.html#formats

GoAccess: ``%v %h %^[%d:%t %^] "%r" %s %b "%R" "%u"``, goaccess(1), CUSTOM LOG/DATE FORMAT. A date followed by
":" has the notation of the Common Log Format, any other date that of ISO 8601. GoAccess ignores the offset of
a time; here it is read from a ``%^`` in its place.
"""

import re
from collections.abc import Callable

from aipolicy.accesslog.formats import timestamps
from aipolicy.accesslog.formats.line_pattern import COMPLETE, OTHER, Element, Field, Role

_CLIENT_HEADERS = ("cf-connecting-ip", "true-client-ip", "x-real-ip")  # one address, not a list

_NGINX = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_NGINX_LIST = Field(Role.OTHER, pattern='[^ ",]*(?:, [^ ",]+)*')  # an entry for each upstream server
_NGINX_VARIABLES = {
    "remote_addr": Field(Role.ADDRESS),
    "host": Field(Role.HOST),
    "http_host": Field(Role.HOST, 1),
    "server_name": Field(Role.HOST, 2),
    "time_local": Field(Role.TIME, code=timestamps.CLF),
    "time_iso8601": Field(Role.TIME, code="iso"),
    "msec": Field(Role.TIME, code="epoch"),
    "request": Field(Role.REQUEST, 1),
    "request_uri": Field(Role.TARGET, COMPLETE),
    **dict.fromkeys(("uri", "document_uri"), Field(Role.TARGET, 2)),
    "is_args": Field(Role.OTHER, pattern=r"\??"),
    **dict.fromkeys(("args", "query_string"), Field(Role.QUERY)),
    "status": Field(Role.STATUS),
    "remote_user": Field(Role.USER),
    "http_user_agent": Field(Role.USER_AGENT),
    "http_x_forwarded_for": Field(Role.FORWARDED),
    **{f"http_{name.replace('-', '_')}": Field(Role.FORWARDED, 1) for name in _CLIENT_HEADERS},
}

_APACHE = re.compile(r"%(?P<mark>[!0-9,]*[<>]?)(?:\{(?P<name>[^}]*)\})?(?P<letter>\^[A-Za-z]{2}|[A-Za-z%])")
_APACHE_LETTERS = {
    "a": Field(Role.ADDRESS),
    "h": Field(Role.ADDRESS, 1),
    "V": Field(Role.HOST),
    "v": Field(Role.HOST, 2),
    "r": Field(Role.REQUEST, 1),
    "U": Field(Role.TARGET, 2),
    "q": Field(Role.QUERY),
    "u": Field(Role.USER),
}
_APACHE_HEADERS = {
    "user-agent": Field(Role.USER_AGENT),
    "host": Field(Role.HOST, 1),
    "x-forwarded-for": Field(Role.FORWARDED),
    **dict.fromkeys(_CLIENT_HEADERS, Field(Role.FORWARDED, 1)),
}
_APACHE_UNITS = {
    **dict.fromkeys(("sec", "msec", "usec"), "epoch"),
    "msec_frac": "%3f",
    "usec_frac": "%6f",
}

_GOACCESS = re.compile(r"%d:%t %\^|%d:%t|%dT%t(?:\.?%\^)?|~h\{[^}]*\}|%.", re.DOTALL)
_GOACCESS_FIELDS = {
    "%d:%t %^": Field(Role.TIME, code=timestamps.CLF),
    "%d:%t": Field(Role.TIME, code=timestamps.CLF.removesuffix(" %z")),
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
_GOACCESS_TAIL = "(?:[ \t].*)?"  # GoAccess ignores the rest of a line

_BRACED = re.compile(r"%[<>!0-9,]*\{[^}]*\}")
# Apache has no %d, no %x, no %^ by itself, and no ~h.
_IS_GOACCESS = re.compile(r"%[dx^~](?!F[BU]|t[io])|~h\{")


def parse_format_string(text: str) -> tuple[list[Element], str] | None:
    r"""Parse a format string; None if it is in no known dialect.

    A string with ``$`` is nginx's, one with ``%d`` or ``%x`` is GoAccess's, and any other one with ``%`` is
    Apache's. It may be copied from a configuration: ``\"`` and ``\t`` are understood.

    Returns:
        The elements, and a regular expression for the rest of a line.

    Raises:
        LogFormatError: a time has an unsupported notation.
    """
    plain = text.replace('\\"', '"').replace("\\t", "\t")
    if re.search(r"\$\{?[a-z]", text):
        return _elements(_NGINX, plain, _nginx_field), ""
    if _IS_GOACCESS.search(_BRACED.sub("", text)):
        return _elements(_GOACCESS, plain, _goaccess_field), _GOACCESS_TAIL
    if "%" in text:
        return _elements(_APACHE, plain, _apache_field), ""
    return None


def _elements(
    token: re.Pattern[str], text: str, fields: Callable[[re.Match[str]], list[Element]]
) -> list[Element]:
    elements: list[Element] = []
    end = 0
    for match in token.finditer(text):
        elements += [text[end : match.start()], *fields(match)]
        end = match.end()
    return [element for element in [*elements, text[end:]] if element]


def _nginx_field(match: re.Match[str]) -> list[Element]:
    variable = match[1] or match[2]
    return [_NGINX_LIST if variable.startswith("upstream_") else _NGINX_VARIABLES.get(variable, OTHER)]


def _apache_field(match: re.Match[str]) -> list[Element]:
    mark, name, letter = match["mark"], match["name"], match["letter"]
    if letter == "%":
        return ["%"]
    if letter == "t":
        return _apache_time(name or "")
    if letter == "s":
        return [Field(Role.STATUS, 0 if mark.endswith(">") else 1)]
    if letter == "i":
        return [_APACHE_HEADERS.get((name or "").lower(), OTHER)]
    return [OTHER if name is not None else _APACHE_LETTERS.get(letter, OTHER)]


def _apache_time(name: str) -> list[Element]:
    if not name:
        return ["[", Field(Role.TIME, code=timestamps.CLF), "]"]
    code = name.removeprefix("begin:").removeprefix("end:")
    rank = 1 if name.startswith("end:") else 0
    return [Field(Role.TIME, rank, _APACHE_UNITS.get(code) or timestamps.expanded(code))]


def _goaccess_field(match: re.Match[str]) -> list[Element]:
    sign = match[0]
    if sign == "%%":
        return ["%"]
    return [Field(Role.FORWARDED) if sign.startswith("~h") else _GOACCESS_FIELDS.get(sign, OTHER)]
