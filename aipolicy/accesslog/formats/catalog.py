"""A format by its name or its format string."""

import re
from collections.abc import Mapping

from aipolicy.accesslog.formats import json_fields, presets
from aipolicy.accesslog.formats.apache import apache
from aipolicy.accesslog.formats.base import LogFormat
from aipolicy.accesslog.formats.field_list import FieldListFormat
from aipolicy.accesslog.formats.goaccess import TAIL, goaccess
from aipolicy.accesslog.formats.json_format import JsonFormat
from aipolicy.accesslog.formats.nginx import nginx
from aipolicy.accesslog.formats.pattern import PatternFormat
from aipolicy.errors import LogFormatError
from aipolicy.report.text import shown

FORMATS: Mapping[str, LogFormat] = {
    one.name: one
    for one in (
        presets.COMBINED,
        presets.VCOMBINED,
        presets.COMMON,
        presets.VCOMMON,
        JsonFormat.of("json:caddy", json_fields.CADDY),
        JsonFormat.of("json:cloudflare", json_fields.CLOUDFLARE),
        JsonFormat.of("json:nginx", json_fields.NGINX),
        FieldListFormat("w3c"),
        FieldListFormat("cloudfront"),
        presets.ALB,
    )
}
"""Every format that has a name, in the order in which they are tried."""

_ALIASES = {
    "caddy": "json:caddy",
    "cloudflare": "json:cloudflare",
    "nginx": "json:nginx",
    "iis": "w3c",
    **dict.fromkeys(("awsalb", "awselb", "elb"), "alb"),
}
_BRACED = re.compile(r"%[<>!0-9,]*\{[^}]*\}")
# Apache has no %d, no %x, no %^ by itself, and no ~h.
_GOACCESS = re.compile(r"%[dx^~](?!F[BU]|t[io])|~h\{")
OF_JSON = (
    "one of its lines with nginx's variables in place of the values "
    '(\'{"time":"$time_iso8601","ip":"$remote_addr","url":"$request_uri","status":$status,'
    '"agent":"$http_user_agent"}\')'
)
_FIX = "give --format a name ({names}) or the format string of the server's configuration"


def named(text: str) -> LogFormat:
    r"""The format called ``text`` (in any case, GoAccess's names too), or a format string.

    A string with ``$`` is nginx's, one with ``%d`` or ``%x`` is GoAccess's, and any other one with ``%`` is
    Apache's. It may be copied as it stands in a configuration: ``\"`` and ``\t`` are understood.

    Raises LogFormatError for an unknown name, and a string without a time or a request.
    """
    text = text.strip()
    name = text.lower()
    if name in FORMATS or name in _ALIASES:
        return FORMATS[_ALIASES.get(name, name)]
    if re.search(r"\$\{?[a-z]", text):
        elements, tail = nginx(_plain(text)), ""
    elif _GOACCESS.search(_BRACED.sub("", text)):
        elements, tail = goaccess(_plain(text)), TAIL
    elif "%" in text:
        elements, tail = apache(_plain(text)), ""
    else:
        raise LogFormatError(f"{shown(text)!r} is no log format: {fix()}")
    return PatternFormat.of("custom", elements, tail=tail)


def fix(line: str = "") -> str:
    """Return the advice for a log of an unknown format, of which ``line`` is one line."""
    advice = _FIX.format(names=", ".join(FORMATS))
    return f"{advice}, or {OF_JSON}" if line.lstrip().startswith("{") else advice


def _plain(text: str) -> str:
    return text.replace('\\"', '"').replace("\\t", "\t")
