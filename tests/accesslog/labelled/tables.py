"""W3C extended logs as IIS writes them, CloudFront, and AWS's ALB."""

import random
from urllib.parse import quote

from tests.accesslog.labelled.forms import Form, iso_time, plain
from tests.accesslog.labelled.traffic import Request

_IIS_FIELDS = (
    b"#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) "
    b"cs(Referer) cs-host sc-status sc-substatus sc-win32-status time-taken"
)
_CLOUDFRONT_FIELDS = (
    b"#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) "
    b"cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol"
)


def _target(request: Request) -> tuple[str, str]:
    stem, question, query = request.path.decode("ascii").partition("?")
    return stem, query if question and query else "-"


def _day_and_time(request: Request, time: str | None) -> tuple[str, str]:
    return (time, time) if time else (f"{request.time:%Y-%m-%d}", f"{request.time:%H:%M:%S}")


def _iis(request: Request, time: str | None, _: random.Random) -> bytes:
    day, clock = _day_and_time(request, time)
    agent = request.client.user_agent.replace(" ", "+")
    head = f"{day} {clock} 10.1.1.1 {request.method} {' '.join(_target(request))} 443 -"
    # The referrer is left out: it may hold anything.
    return f"{head} {request.client.address} {agent} - {request.host} {request.status} 0 0 46".encode()


def _cloudfront(request: Request, time: str | None, _: random.Random) -> bytes:
    day, clock = _day_and_time(request, time)
    stem, query = _target(request)
    agent = quote(request.client.user_agent, safe="()/;:,+=?&@!*$._-")
    fields = (
        *(day, clock, "FRA56-P4", "5123", request.client.address, request.method),
        *("d111111abcdef8.cloudfront.net", stem, str(request.status)),
        quote(request.referrer, safe="/:?=&"),
        *(agent, query, "-", "Miss", "k6WGMNkEzR5BEM_SaF47gjtX9zBDO2m349OY2an0QPEaUum1ZOLrow=="),
        *(request.host, "https"),
    )
    return "\t".join(fields).encode()


def _alb(request: Request, time: str | None, rng: random.Random) -> bytes:
    stamp = (
        time or f"{iso_time(request.time).removesuffix('Z')}{'' if request.time.microsecond else '.000000'}Z"
    )
    scheme, port = rng.choice((("https", "443"), ("http", "80")))
    host, status = request.host.partition(":")[0], str(request.status)
    line = f"{request.method} {scheme}://{host}:{port}{request.path.decode('ascii')} HTTP/1.1"
    fields = (
        *(scheme, stamp, "app/blogs/50dc6c495c0c9188", f"{request.client.address}:2817", "10.0.0.1:80"),
        *("0.000", "0.001", "0.000", status, status, "34", "366"),
        *(f'"{line}"', f'"{request.client.user_agent}"', "ECDHE-RSA-AES128-GCM-SHA256", "TLSv1.2"),
        "arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/blogs/73e2d6bc24d8a067",
        *('"Root=1-58337262-36d228ad5d99923122bbe354"', f'"{host}"'),
        *('"arn:aws:acm:us-east-2:123456789012:certificate/1"', "0", stamp),
        *('"forward"', '"-"', '"-"', '"10.0.0.1:80"', f'"{status}"', '"-"', '"-"'),
    )
    return " ".join(fields).encode()


def _in_words(request: Request) -> bool:
    return plain(request) and b"+" not in request.path


def _unescaped(request: Request) -> bool:
    return plain(request) and not set(b"%<>#{}|^~[]`'") & set(request.path)


def _version_4(request: Request) -> bool:
    return plain(request) and ":" not in request.client.address


W3C = Form(
    "w3c",
    _iis,
    head=(b"#Software: Microsoft Internet Information Services 10.0", b"#Version: 1.0", _IIS_FIELDS),
    carries=_in_words,
    broken=(b"GPTBot/1.2 was here", b"2026-10-01 25:61:61 10.1.1.1 GET / GPTBot/1.2"),
)
W3C_NAMED = Form("w3c, named", _iis, ("--format", "W3C"), head=W3C.head, carries=_in_words, broken=W3C.broken)
CLOUDFRONT = Form(
    "cloudfront",
    _cloudfront,
    head=(b"#Version: 1.0", _CLOUDFRONT_FIELDS),
    carries=_unescaped,
    broken=W3C.broken,
)
ALB = Form("alb", _alb, fractions=True, carries=_version_4)
ALB_NAMED = Form("alb, named", _alb, ("--format", "AWSALB"), fractions=True, carries=_version_4)
