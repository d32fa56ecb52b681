"""JSON lines: Caddy, nginx with ``escape=json``, Cloudflare Logpush."""

import json
import random
from typing import Any

from tests.accesslog.labelled.forms import Form, iso_time, unicode
from tests.accesslog.labelled.traffic import Request

_BROKEN = (
    b"GPTBot/1.2 was here",
    b'{"request":{"headers":{"User-Agent":["GPTBot/1.2"',
    b'["GPTBot/1.2"]',
    b'"GPTBot/1.2"',
    b'{"User-Agent" "GPTBot/1.2"}',
)


def _dumped(fields: dict[str, Any], rng: random.Random) -> bytes:
    """Return a JSON object in one line, with its fields in any order."""
    names = list(fields)
    if rng.random() < 0.3:
        rng.shuffle(names)
    spaced = rng.random() < 0.3
    separators = (", ", ": ") if spaced else (",", ":")
    ascii_only = rng.random() < 0.3
    ordered = {name: fields[name] for name in names}
    return json.dumps(ordered, separators=separators, ensure_ascii=ascii_only).encode()


def _caddy(request: Request, time: str | None, rng: random.Random) -> bytes:
    headers = {
        "User-Agent": [request.client.user_agent],
        "Referer": [request.referrer.decode()],
        # A trap: another header that ends so, and a value that looks like one.
        "X-User-Agent": ["GPTBot/1.2"],
        "X-Note": ['","User-Agent":["ClaudeBot/1.0"],"x":"'],
        "Accept": ["*/*"],
    }
    if request.client.user_agent == "-":
        del headers["User-Agent"]
    names = list(headers)
    rng.shuffle(names)
    address = request.client.address
    fields = {
        "level": "info",
        "ts": time or request.time.timestamp(),
        "logger": "http.log.access.log0",
        "msg": "handled request",
        "request": {
            "remote_ip": address,
            "remote_port": "41342",
            "client_ip": address,
            "proto": "HTTP/2.0",
            "method": request.method,
            "host": request.host,
            "uri": request.path.decode(),
            "headers": {name: headers[name] for name in names},
            "tls": {"resumed": False, "version": 772, "server_name": request.site},
        },
        "bytes_read": 0,
        "user_id": "",
        "duration": 0.000929675,
        "size": 10900,
        "status": request.status,
        "resp_headers": {"Server": ["Caddy"], "User-Agent": ["ClaudeBot/1.0"]},
    }
    return _dumped(fields, rng)


def _nginx(request: Request, time: str | None, rng: random.Random) -> bytes:
    """Escape like nginx: only what JSON requires; every other byte is copied."""
    line = b" ".join((request.method.encode(), request.path, b"HTTP/1.1"))
    pairs = (
        ("time_iso8601", (time or iso_time(request.time).replace("Z", "+00:00")).encode()),
        ("remote_addr", request.client.address.encode()),
        ("http_host", request.host.encode()),
        ("request", line),
        ("status", str(request.status).encode()),
        ("body_bytes_sent", b"5123"),
        ("http_referer", request.referrer + rng.choice((b"", b"", b"", b"#\xff\xfe"))),
        ("http_user_agent", request.client.user_agent.encode()),
    )
    return b"{" + b",".join(b'"%s":"%s"' % (name.encode(), _escaped(value)) for name, value in pairs) + b"}"


def _escaped(data: bytes) -> bytes:
    known = {
        0x22: b'\\"',
        0x5C: b"\\\\",
        0x08: b"\\b",
        0x0A: b"\\n",
        0x0C: b"\\f",
        0x0D: b"\\r",
        0x09: b"\\t",
    }
    return b"".join(known.get(b) or (bytes([b]) if b >= 32 else b"\\u%04X" % b) for b in data)


def _logpush(request: Request, start: str | int, rng: random.Random) -> bytes:
    fields = {
        "ClientIP": request.client.address,
        "ClientRequestHost": request.host,
        "ClientRequestMethod": request.method,
        "ClientRequestURI": request.path.decode(),
        "ClientRequestReferer": request.referrer.decode(),
        "ClientRequestUserAgent": "" if request.client.user_agent == "-" else request.client.user_agent,
        "EdgeResponseBytes": 69045,
        "EdgeResponseStatus": request.status,
        "EdgeStartTimestamp": start,
        "OriginResponseStatus": 0,
        "RayID": "8c1f0a2b3c4d5e6f",
    }
    return _dumped(fields, rng)


def _cloudflare(request: Request, time: str | None, rng: random.Random) -> bytes:
    return _logpush(request, time or iso_time(request.time), rng)


def _cloudflare_nanoseconds(request: Request, time: str | None, rng: random.Random) -> bytes:
    seconds = int(request.time.timestamp())
    return _logpush(request, time or seconds * 10**9 + request.time.microsecond * 1000, rng)


def _cloudflare_seconds(request: Request, time: str | None, rng: random.Random) -> bytes:
    return _logpush(request, time or int(request.time.timestamp()), rng)


CADDY = Form("caddy", _caddy, fractions=True, carries=unicode, broken=_BROKEN)
CADDY_NAMED = Form("caddy, named", _caddy, ("--format", "CADDY"), carries=unicode, broken=_BROKEN)
NGINX_JSON = Form("nginx with escape=json", _nginx, carries=unicode, broken=_BROKEN)
CLOUDFLARE = Form("cloudflare", _cloudflare, fractions=True, carries=unicode, broken=_BROKEN)
CLOUDFLARE_NANOSECONDS = Form(
    "cloudflare, unixnano", _cloudflare_nanoseconds, fractions=True, carries=unicode, broken=_BROKEN
)
CLOUDFLARE_SECONDS = Form("cloudflare, unix", _cloudflare_seconds, carries=unicode, broken=_BROKEN)
