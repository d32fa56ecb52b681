"""nginx's log_format strings: ``$remote_addr - $remote_user [$time_local] "$request" $status ...``.

Source: https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format
"""

import re

from aipolicy.accesslog.formats import timestamps
from aipolicy.accesslog.formats.elements import OTHER, WHOLE, Element, Field, Role

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_LIST = Field(Role.OTHER, pattern='[^ ",]*(?:, [^ ",]+)*')  # one for each server that was asked
_VARIABLES = {
    "remote_addr": Field(Role.ADDRESS),
    "host": Field(Role.HOST),
    "http_host": Field(Role.HOST, 1),
    "server_name": Field(Role.HOST, 2),
    "time_local": Field(Role.TIME, code=timestamps.CLF),
    "time_iso8601": Field(Role.TIME, code="iso"),
    "msec": Field(Role.TIME, code="epoch"),
    "request": Field(Role.REQUEST, 1),
    "request_uri": Field(Role.TARGET, WHOLE),
    **dict.fromkeys(("uri", "document_uri"), Field(Role.TARGET, 2)),
    "is_args": Field(Role.OTHER, pattern=r"\??"),
    **dict.fromkeys(("args", "query_string"), Field(Role.QUERY)),
    "status": Field(Role.STATUS),
    "remote_user": Field(Role.USER),
    "http_user_agent": Field(Role.USER_AGENT),
    "http_x_forwarded_for": Field(Role.FORWARDED),
    **dict.fromkeys(
        ("http_cf_connecting_ip", "http_true_client_ip", "http_x_real_ip"), Field(Role.FORWARDED, 1)
    ),
}


def nginx(text: str) -> list[Element]:
    """The elements of a log_format string."""
    elements: list[Element] = []
    at = 0
    for match in _VARIABLE.finditer(text):
        elements += [text[at : match.start()], _field(match[1] or match[2])]
        at = match.end()
    return [element for element in [*elements, text[at:]] if element]


def _field(variable: str) -> Field:
    if variable.startswith("upstream_"):
        return _LIST
    return _VARIABLES.get(variable, OTHER)
