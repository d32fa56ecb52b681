"""Common, Combined and vhost logs of nginx and Apache, custom strings of both and of GoAccess."""

import random
from collections.abc import Callable

from tests.accesslog.labelled.forms import Form, apache_escaped, clf_time, iso_time, nginx_escaped
from tests.accesslog.labelled.traffic import Request

_ZONES = (0, 0, 120, -450)
_BROKEN = (
    b'192.0.2.1 - - [32/Oct/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "GPTBot/1.2"',
    b'192.0.2.1 - - [01/Oct/2026:25:61:61 +0000] "GET / HTTP/1.1" 200 5 "-" "GPTBot/1.2"',
    b'192.0.2.1 - - [yesterday] "GET / HTTP/1.1" 200 5 "-" "GPTBot/1.2"',
    b'192.0.2.1 - - [01/Oct/2026:10:00:00 +0000] "GET / HTTP/1.1 GPTBot/1.2',
)
_Escape = Callable[[str | bytes], str]


def _request_line(request: Request, escape: _Escape, rng: random.Random, *, absolute: bool = False) -> str:
    target = request.path
    if absolute and rng.random() < 0.05:  # RFC 9112 §3.2.2
        target = b"http://" + request.host.encode() + target
    protocol = rng.choice((b"HTTP/1.1", b"HTTP/1.1", b"HTTP/2.0", b"HTTP/1.0"))
    return escape(b" ".join((request.method.encode(), target, protocol)))


def _combined(
    request: Request, time: str | None, rng: random.Random, escape: _Escape, host: str = ""
) -> bytes:
    stamp = time or clf_time(request.time, rng.choice(_ZONES))
    user = rng.choice(("-", "-", "-", "frank"))
    line = _request_line(request, escape, rng, absolute=bool(host))
    size = rng.choice(("-", "0", "5123"))
    tail = f'"{escape(request.referrer)}" "{escape(request.client.user_agent)}"'
    return (
        f'{host}{request.client.address} - {user} [{stamp}] "{line}" {request.status} {size} {tail}'.encode()
    )


def _nginx(request: Request, time: str | None, rng: random.Random) -> bytes:
    return _combined(request, time, rng, nginx_escaped)


def _apache(request: Request, time: str | None, rng: random.Random) -> bytes:
    return _combined(request, time, rng, apache_escaped)


def _nginx_vhost(request: Request, time: str | None, rng: random.Random) -> bytes:
    return _combined(request, time, rng, nginx_escaped, f"{request.host} ")


def _apache_vhost(request: Request, time: str | None, rng: random.Random) -> bytes:
    host = request.host if ":" in request.host else f"{request.host}:443"
    return _combined(request, time, rng, apache_escaped, f"{host} ")


def _common(request: Request, time: str | None, rng: random.Random) -> bytes:
    stamp = time or clf_time(request.time, rng.choice(_ZONES))
    line = _request_line(request, apache_escaped, rng)
    return f'{request.client.address} - - [{stamp}] "{line}" {request.status} 512'.encode()


def _apache_own(request: Request, time: str | None, rng: random.Random) -> bytes:
    stamp = time or clf_time(request.time, rng.choice(_ZONES))
    line = _request_line(request, apache_escaped, rng)
    agent, referrer = apache_escaped(request.client.user_agent), apache_escaped(request.referrer)
    start = f'"{agent}" [{stamp}] {request.status} "{line}"'
    return f'{start} {request.host} {request.client.address} "{referrer}"'.encode()


def _nginx_own(request: Request, time: str | None, rng: random.Random) -> bytes:
    stamp = time or iso_time(request.time)
    line = _request_line(request, nginx_escaped, rng)
    agent = nginx_escaped(request.client.user_agent)
    return f"{stamp}|{request.host}|{request.client.address}|{request.status}|{line}|{agent}".encode()


def _goaccess_own(request: Request, time: str | None, rng: random.Random) -> bytes:
    stamp = time or clf_time(request.time)  # GoAccess's string skips the zone
    line = _request_line(request, nginx_escaped, rng)
    agent, referrer = nginx_escaped(request.client.user_agent), nginx_escaped(request.referrer)
    start = f"{request.host} {request.client.address} 0.003 [{stamp}]"
    return f'{start} "{line}" {request.status} 99 "{referrer}" "{agent}" -'.encode()


def _without_bars(request: Request) -> bool:
    return b"|" not in request.path and "|" not in request.client.user_agent


COMBINED = Form("combined", _nginx, hosts=False, broken=(*Form("", _nginx).broken, *_BROKEN))
COMBINED_APACHE = Form("combined of Apache", _apache, hosts=False, broken=COMBINED.broken)
COMBINED_NAMED = Form(
    "combined, named", _nginx, ("--format", "COMBINED"), hosts=False, broken=COMBINED.broken
)
VCOMBINED = Form("vcombined", _nginx_vhost, broken=tuple(b"s0.example " + line for line in COMBINED.broken))
VCOMBINED_APACHE = Form("vcombined of Apache", _apache_vhost, broken=VCOMBINED.broken)
VCOMBINED_NAMED = Form(
    "vcombined, named", _apache_vhost, ("--format", "VCOMBINED"), broken=VCOMBINED_APACHE.broken
)
COMMON = Form("common", _common, hosts=False, agents=False)
APACHE_OWN = Form(
    "own string of Apache",
    _apache_own,
    ("--format", r'"%{User-Agent}i" %t %>s "%r" %v %h "%{Referer}i"'),
)
NGINX_OWN = Form(
    "own string of nginx",
    _nginx_own,
    ("--format", "$time_iso8601|$http_host|$remote_addr|$status|$request|$http_user_agent"),
    carries=_without_bars,
)
GOACCESS_OWN = Form(
    "own string of GoAccess", _goaccess_own, ("--format", '%v %h %T [%d:%t %^] "%r" %s %b "%R" "%u" %^')
)
