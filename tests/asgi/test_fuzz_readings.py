"""Requests for a closed path in every spelling, with every option on and a hostile application.

The only errors are the application's own, and an independent reader of paths confirms that no opt-out is
lost.
"""

import random
import re
from collections.abc import Callable
from urllib.parse import quote, unquote

import pytest
from starlette.types import Message, Receive, Scope, Send

from aipolicy.asgi import AIPolicyMiddleware, DisallowedFetch, PathTenants
from aipolicy.core.policy import PRESETS, SitePolicy
from aipolicy.identity import Verification
from aipolicy.serving.enforcement import EnforceMode
from tests.asgi.apps import lookup
from tests.core.test_path_readings import independent
from tests.identity.address_lists import RANGES, UNLISTED
from tests.sizes import size

REQUESTS = size(full=100_000, ci=3_000)
GPTBOT, CCBOT, BROWSER = b"GPTBot/1.2", b"CCBot/2.0", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0)"
CLOSED = SitePolicy.from_preset("allow", path_preferences={"/art/": PRESETS["no-ai"]})
SITES = lookup(blog=CLOSED, alice=True, bob=SitePolicy.from_preset("allow"))
VERIFICATION = Verification(RANGES, dns=False)


class OwnError(Exception):
    """An error that the application raises."""


def site_of(scope: Scope) -> str | None:
    first = scope["path"].split("/")[1]
    if first == "@broken":
        raise SystemExit(first)
    return f"{first[1:]}.example" if first.startswith("@") else None


async def hook(event: DisallowedFetch) -> None:
    raise SystemExit(event.path)


def some(character: str, chance: random.Random) -> str:
    """Return a spelling of a character in a target."""
    escape = f"%{ord(character):02x}" if ord(character) < 128 else quote(character, errors="replace")
    if chance.random() < 0.5:
        escape = escape.upper()
    return chance.choice([character, escape, escape.replace("%", "%25")])


def written(path: str, chance: random.Random) -> str:
    """Return another spelling of ``path``, which servers and applications read as the same."""
    steps: list[Callable[[str], str]] = [
        lambda text: text.replace("/", chance.choice(["//", "/./", "/x/../", "/x//../", "/.//"]), 1),
        lambda text: text.replace("/", "\\", chance.randrange(1, 3)),
        lambda text: text.replace("/x", chance.choice([";a=1/x", "/x;b", "/../art/x", "/./x"])),
        lambda text: "".join(some(c, chance) if chance.random() < 0.2 else c for c in text),
        lambda text: text.replace("/", chance.choice(["%2f", "%2F", "%252f"]), 1),
        lambda text: chance.choice(["http://blog.example", "HTTP://x:1", "http:\\\\h"]) + text,
        lambda text: text + chance.choice(["/", "/.", "/..", "%00", "?", "%3Fa", "é", "\udcff"]),
        lambda text: text,
    ]
    for _ in range(chance.randrange(4)):
        path = chance.choice(steps)(path)
    return path


NAMES = [
    *(b"TDM-Reservation", b"Tdm-reservation", b"tdm-reservation ", b"Content-Usage", b"content-USAGE"),
    *(b"X-Robots-tag", b"Content-Type", b"content-length", b"ETag", b"Last-Modified", b"Cache-Control"),
    *(b"content-encoding", b"content-range", b"x-odd", b"", b"Link", b"TDM-Policy"),
]
VALUES = [
    *(b"0", b"0, 1", b"1", b"", b"train-ai=y", b"train-ai=y, ai-use=n", b"(;,", b"\xff", b"noindex"),
    *(
        b"text/html",
        b"text/html; charset=utf-8",
        b"image/png",
        b"multipart/byteranges; boundary=x",
        b"9" * 5000,
    ),
    *(b'"v1"', b'W/"v1"', b"*", b"Mon, 23 Nov 2026 00:00:00 GMT", b"no-transform", b"gzip", b"bytes 0-9/20"),
]
ASKED = [b"if-none-match", b"if-modified-since", b"range", b"if-range", b"if-match", b"signature-input", b"x"]
STATED = [None, True, False, "no-ai", "nonsense", 7, b"no-ai", object(), PRESETS["no-training"]]
BODIES = [
    b"",
    b"<!doctype html><head>",
    b"<html><head><title>x</title>",
    b"<p>",
    b"\xff",
    b"<!-- " * 9,
    b"x" * 999,
]


async def hostile(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond according to the request's random numbers."""
    chance: random.Random = scope["chance"]
    if scope["type"] == "websocket":
        return await send({"type": "websocket.accept"})
    if chance.random() < 0.5:
        while (await receive()).get("more_body", False):
            pass
    if chance.random() < 0.05:
        raise OwnError
    if chance.random() < 0.5:
        scope.setdefault("state", {})["aipolicy"] = chance.choice(STATED)
    status = chance.choice([200, 200, 200, 206, 206, 204, 301, 304, 404, 416, 500, 503])
    headers = [(chance.choice(NAMES), chance.choice(VALUES)) for _ in range(chance.randrange(6))]
    start: Message = {"type": "http.response.start", "status": status, "headers": headers}
    if chance.random() < 0.1:
        start["headers"] = chance.choice([None, (), iter(headers), [[*header] for header in headers]])
    await send(start)
    if chance.random() < 0.05:
        raise OwnError
    for _ in range(chance.randrange(4)):
        await send({"type": "http.response.body", "body": chance.choice(BODIES), "more_body": True})
    if chance.random() < 0.01:
        for _ in range(20):
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
    return await send({"type": "http.response.body", "body": b""})


def request_of(chance: random.Random) -> Scope:
    sent = written(chance.choice(["/art/x", "/art/x", "/@alice/x", "/@bob/x", "/@broken/x", "/x"]), chance)
    if chance.random() < 0.05:
        sent = chance.choice(
            ["*", "", "/robots.txt", "//ai.txt", "/" + chance.randbytes(9).decode("latin-1")]
        )
    path = unquote(sent, errors=chance.choice(["surrogateescape", "replace"])) + chance.choice(
        [""] * 99 + ["\ud800"]
    )
    headers = [(chance.choice(ASKED), chance.choice(VALUES)) for _ in range(chance.randrange(4))]
    scope: Scope = {
        "type": "websocket" if chance.random() < 0.1 else "http",
        "method": chance.choice(["GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "PUT"]),
        "path": path,
        "raw_path": sent.encode("utf-8", "surrogateescape"),
        "query_string": chance.choice([b"", b"", b"a=1", b"\xff", b"?"]),
        "root_path": chance.choice(["", "", "", "/blog", "/art"]),
        "headers": [
            (b"host", b"blog.example"),
            (b"user-agent", chance.choice([GPTBOT, CCBOT, BROWSER])),
            *headers,
        ],
        "client": (UNLISTED, 1),
        "extensions": chance.choice(
            [None, {}, {"http.response.pathsend": {}, "websocket.http.response": {}}]
        ),
        "state": chance.choice([None, {}, {"seen": 1}]),
        "chance": chance,
        "sent": sent,
    }
    for name in ("raw_path", "query_string", "root_path", "client", "extensions", "state"):
        if chance.random() < 0.1:
            del scope[name]
    if scope["type"] == "websocket":
        del scope["method"]
    return scope


def is_closed(scope: Scope, folder: str) -> bool:
    """Return True if some chain of ordinary steps makes a path in ``folder`` of what was sent."""
    sent = scope["sent"] if "raw_path" in scope else quote(scope["path"], errors="replace")
    path = re.sub(r"^https?:([/\\]{2}[^/\\]*)?", "", sent, flags=re.IGNORECASE)
    return any(made.startswith(folder) for made in independent("/" + path.removeprefix("/")))


@pytest.mark.proof
@pytest.mark.parametrize("enforce", ["declared", "verified", "monitor"])
async def test_whatever_is_asked_and_answered_a_no_is_kept_and_nothing_fails(
    enforce: EnforceMode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("CRITICAL", "aipolicy")
    app = AIPolicyMiddleware(
        hostile,
        SITES,
        merge_own=False,
        enforce=enforce,
        verification=VERIFICATION if enforce == "verified" else None,
        on_event=hook,
        html=True,
        post_preferences=True,
        tenants=PathTenants(site_of, listing="headers"),
    )
    closed = 0
    for seed in range(REQUESTS // 3):
        chance = random.Random(seed)
        scope, messages = request_of(chance), list[Message]()
        body = [b"a", b"b"] if chance.random() < 0.5 else [b""]

        async def receive(body: list[bytes] = body) -> Message:
            if not body:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": body.pop(), "more_body": bool(body)}

        async def send(message: Message, messages: list[Message] = messages) -> None:
            messages.append(message)

        try:
            await app(scope, receive, send)
        except OwnError:
            continue
        is_no = is_closed(scope, "/art/") or is_closed(scope, "/@alice/")
        closed += is_no
        start = messages[0]
        is_refused = start["type"] == "websocket.close" or start.get("status") == 403
        if is_no and enforce != "monitor" and (b"user-agent", BROWSER) not in scope["headers"]:
            assert is_refused, (seed, scope["sent"])
        if "headers" in start and "websocket" not in start["type"]:
            fields = [(name.strip().lower(), value) for name, value in start["headers"]]
            reserved = [value for name, value in fields if name == b"tdm-reservation"]
            if is_no:
                assert reserved == [b"1"], (seed, scope["sent"])
                (usage,) = [value for name, value in fields if name == b"content-usage"]
                assert b"train-ai=n" in usage
        if enforce == "monitor" or (b"user-agent", BROWSER) in scope["headers"]:
            assert start.get("type") != "websocket.close", seed
        starts = [message for message in messages if message["type"].endswith("response.start")]
        assert len(starts) == (scope["type"] == "http" or start["type"].endswith("start")), seed
    assert closed > REQUESTS // 12
