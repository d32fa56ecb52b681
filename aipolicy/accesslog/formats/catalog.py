"""Every named log format, and the parser for ``--format``."""

from collections.abc import Mapping
from dataclasses import replace

from aipolicy.accesslog.formats import timestamps
from aipolicy.accesslog.formats.field_list_format import FieldListFormat
from aipolicy.accesslog.formats.format_strings import parse_format_string
from aipolicy.accesslog.formats.json_format import FieldMap, JsonFormat
from aipolicy.accesslog.formats.line_pattern import OTHER, Element, Field, Role
from aipolicy.accesslog.formats.log_format import LogFormat
from aipolicy.accesslog.formats.pattern_format import PatternFormat
from aipolicy.errors import LogFormatError
from aipolicy.report.text import shorten

# To tell "blog.example 192.0.2.1 - - [" from "192.0.2.1 - - - [": an address (or a client's host name)
# contains a dot or a colon; the identity of RFC 1413, which no client sends any more, doesn't.
_ADDRESS = Field(Role.ADDRESS, pattern='[^ .:"]*[.:][^ "]*')
_IDENTITY = Field(Role.OTHER, pattern='[^ .:"]+')
_HOST = Field(Role.HOST, pattern='[^ "]*')  # with or without its port; nginx writes nothing if there is none
_BYTES = Field(Role.OTHER, pattern="[0-9]+|-")
_COMMON: list[Element] = [
    *(_ADDRESS, " ", _IDENTITY, " ", Field(Role.USER), " [", Field(Role.TIME, code=timestamps.CLF), "] "),
    *('"', Field(Role.REQUEST), '" ', Field(Role.STATUS), " ", _BYTES),
]
_COMBINED: list[Element] = [*_COMMON, ' "', OTHER, '" "', Field(Role.USER_AGENT), '"']
_UNQUOTED_TAIL = '(?: [^"]*)?'
# One more quoted field is X-Forwarded-For, as in nginx's example configuration.
_FORWARDED_TAIL = rf'(?: (?:"(?P<forwarded>(?:[^"\\]|\\.)*)"{_UNQUOTED_TAIL}|[^"]*))?'
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
# Classic load balancers leave out the type at the start and several fields at the end.
_LOAD_BALANCER: list[Element] = [
    *(Field(Role.OTHER, pattern="(?:[a-z][a-z0-9]* )?"), Field(Role.TIME, code="iso"), " ", OTHER, " "),
    *(Field(Role.ADDRESS), ":", Field(Role.OTHER, pattern="[0-9]+"), " ", OTHER, " ", OTHER, " ", OTHER, " "),
    *(OTHER, " ", Field(Role.STATUS), " ", OTHER, " ", OTHER, " ", OTHER, ' "'),
    *(Field(Role.REQUEST), '" "', Field(Role.USER_AGENT), '"'),
]

# https://caddyserver.com/docs/logging; before version 2.5 the address had its port.
# client_ip takes the server's trusted_proxies into account; without them it is the peer's address.
_CADDY: FieldMap = {
    "host": ("request/host",),
    "address": ("request/client_ip", "request/remote_ip", "request/remote_addr"),
    "forwarded": ("request/headers/X-Forwarded-For[]",),
    "message": ("msg",),
    "time": ("ts",),
    "target": ("request/uri",),
    "status": ("status",),
    "user_agent": ("request/headers/User-Agent[]",),
}
# https://developers.cloudflare.com/logs/logpush/logpush-job/datasets/zone/http_requests/
_CLOUDFLARE: FieldMap = {
    "host": ("ClientRequestHost",),
    "address": ("ClientIP",),
    "forwarded": ("RequestHeaders/x-forwarded-for",),
    "time": ("EdgeStartTimestamp",),
    "target": ("ClientRequestURI", "ClientRequestPath"),
    "status": ("EdgeResponseStatus",),
    "user_agent": ("ClientRequestUserAgent",),
}
# With escape=json the administrator chooses every key: the names of variables, and others that are common.
# https://nginx.org/en/docs/varindex.html
_NGINX: FieldMap = {
    "host": ("host", "http_host", "server_name", "vhost", "domain"),
    "address": ("remote_addr", "client_ip", "remote_ip", "clientip", "client", "ip"),
    "forwarded": (
        "http_x_forwarded_for",
        "x_forwarded_for",
        "xff",
        "http_cf_connecting_ip",
        "http_x_real_ip",
    ),
    "time": ("time_iso8601", "msec", "time_local", "@timestamp", "timestamp", "time", "ts"),
    "target": ("request_uri",),
    "request": ("request",),
    "uri": ("uri", "url", "path"),
    "query": ("args", "query_string"),
    "status": ("status", "status_code", "response"),
    "user_agent": ("http_user_agent", "user_agent", "agent", "useragent"),
}

FORMATS: Mapping[str, LogFormat] = {
    log_format.name: log_format
    for log_format in (
        PatternFormat.of("combined", _COMBINED, tail=_FORWARDED_TAIL),
        PatternFormat.of("vcombined", [_HOST, " ", *_COMBINED], tail=_FORWARDED_TAIL),
        PatternFormat.of("common", _COMMON, tail=_UNQUOTED_TAIL),
        PatternFormat.of("vcommon", [_HOST, " ", *_COMMON], tail=_UNQUOTED_TAIL),
        JsonFormat.of("json:caddy", _CADDY),
        JsonFormat.of("json:cloudflare", _CLOUDFLARE),
        JsonFormat.of("json:nginx", _NGINX),
        FieldListFormat("w3c"),
        FieldListFormat("cloudfront"),
        # Its requests are absolute: "GET https://blog.example:443/post HTTP/2.0".
        replace(PatternFormat.of("alb", _LOAD_BALANCER, tail="(?: .*)?"), has_host=True),
    )
}
"""Every named format, in the order in which they are tried."""

_ALIASES = {
    "caddy": "json:caddy",
    "cloudflare": "json:cloudflare",
    "nginx": "json:nginx",
    "iis": "w3c",
    **dict.fromkeys(("awsalb", "awselb", "elb"), "alb"),
}
JSON_EXAMPLE = (
    "a line with nginx's variables in place of the values "
    '(\'{"time":"$time_iso8601","ip":"$remote_addr","url":"$request_uri","status":$status,'
    '"agent":"$http_user_agent"}\')'
)


def parse_format(text: str) -> LogFormat:
    """Return the format with a name (in any case, GoAccess's names too), or compile a format string.

    Raises:
        LogFormatError: the name is unknown, or the string has no time or no request.
    """
    text = text.strip()
    name = text.lower()
    if name in FORMATS or name in _ALIASES:
        return FORMATS[_ALIASES.get(name, name)]
    parsed = parse_format_string(text)
    if parsed is None:
        raise LogFormatError(f"{shorten(text)!r} is not a log format; {format_advice()}")
    elements, tail = parsed
    return PatternFormat.of("custom", elements, tail=tail)


def format_advice(line: str = "") -> str:
    """Return the advice for a log of an unknown format. ``line``: one of its lines."""
    advice = f"give --format a name ({', '.join(FORMATS)}) or the format string of the server's configuration"
    return f"{advice}, or {JSON_EXAMPLE}" if line.lstrip().startswith("{") else advice
