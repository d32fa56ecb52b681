"""The formats that servers have names for, and the load balancer's."""

from dataclasses import replace

from aipolicy.accesslog.formats import timestamps
from aipolicy.accesslog.formats.elements import OTHER, Element, Field, Role
from aipolicy.accesslog.formats.pattern import PatternFormat

# "blog.example 192.0.2.1 - - [" and "192.0.2.1 - - - [" are told apart by this alone: an address (or a
# client's name) has a dot or a colon in it, and the name of RFC 1413, that nobody sends any more, has not.
_ADDRESS = Field(Role.ADDRESS, pattern='[^ .:"]*[.:][^ "]*')
_IDENTITY = Field(Role.OTHER, pattern='[^ .:"]+')
_HOST = Field(Role.HOST, pattern='[^ "]*')  # with or without its port; nginx writes nothing for none
_BYTES = Field(Role.OTHER, pattern="[0-9]+|-")
_COMMON: list[Element] = [
    *(_ADDRESS, " ", _IDENTITY, " ", Field(Role.USER), " [", Field(Role.TIME, code=timestamps.CLF), "] "),
    *('"', Field(Role.REQUEST), '" ', Field(Role.STATUS), " ", _BYTES),
]
_COMBINED: list[Element] = [*_COMMON, ' "', OTHER, '" "', Field(Role.USER_AGENT), '"']
_UNQUOTED_TAIL = '(?: [^"]*)?'
# One more quoted field is X-Forwarded-For, as in nginx's own example configuration.
_FORWARDED_TAIL = rf'(?: (?:"(?P<forwarded>(?:[^"\\]|\\.)*)"{_UNQUOTED_TAIL}|[^"]*))?'
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
# Classic load balancers write the same without the type in front, and without several fields at the end.
_BALANCER: list[Element] = [
    *(Field(Role.OTHER, pattern="(?:[a-z][a-z0-9]* )?"), Field(Role.TIME, code="iso"), " ", OTHER, " "),
    *(Field(Role.ADDRESS), ":", Field(Role.OTHER, pattern="[0-9]+"), " ", OTHER, " ", OTHER, " ", OTHER, " "),
    *(OTHER, " ", Field(Role.STATUS), " ", OTHER, " ", OTHER, " ", OTHER, ' "'),
    *(Field(Role.REQUEST), '" "', Field(Role.USER_AGENT), '"'),
]

COMMON = PatternFormat.of("common", _COMMON, tail=_UNQUOTED_TAIL)
VCOMMON = PatternFormat.of("vcommon", [_HOST, " ", *_COMMON], tail=_UNQUOTED_TAIL)
COMBINED = PatternFormat.of("combined", _COMBINED, tail=_FORWARDED_TAIL)
VCOMBINED = PatternFormat.of("vcombined", [_HOST, " ", *_COMBINED], tail=_FORWARDED_TAIL)
# Its requests are absolute: "GET https://blog.example:443/post HTTP/2.0".
ALB = replace(PatternFormat.of("alb", _BALANCER, tail="(?: .*)?"), has_host=True)
