"""The time the middleware adds to a request, called directly: ratios to named peers, measured in one run.

    pip install -e '.[bench]' && python benchmarks/middleware.py

Each round calls every variant in turn, so that a slow moment of the machine affects all of them. The added
cost is a variant's time minus that of the bare application in the same round; the median over the rounds is
printed.
"""

from __future__ import annotations  # else each call makes the annotations of a nested function anew

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable

from asgi_correlation_id import CorrelationIdMiddleware
from secure import CustomHeader, Secure
from secure.middleware import SecureASGIMiddleware
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.core.policy import SitePolicy
from aipolicy.lookup import CachedLookup
from aipolicy.serving.enforcement import EnforceMode

HOST = "blog.example"
HEADERS = [
    (b"x-robots-tag", b"noai, noimageai"),
    (b"content-usage", b"train-ai=n"),
    (b"tdm-reservation", b"1"),
]
BROWSER = b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
REQUEST = [(b"host", HOST.encode()), (b"user-agent", BROWSER)]
REQUEST += [(b"x-request-%d" % number, b"value") for number in range(10)]
ANSWER = [(b"x-answer-%d" % number, b"value") for number in range(9)]


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    # A new list each time: some of the peers append to the application's own.
    await send({"type": "http.response.start", "status": 200, "headers": [*ANSWER]})
    await send({"type": "http.response.body", "body": b"x" * 560})


class PassThrough:
    """Middleware that only wraps ``send``: the minimum cost of access to a response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        def send_on(message: Message) -> Awaitable[None]:
            return send(message)

        await self.app(scope, receive, send_on)


class ConstantHeaders:
    """Middleware that adds three constant headers to every response: the floor."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        def send_with_headers(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message = dict(message, headers=[*message["headers"], *HEADERS])
            return send(message)

        await self.app(scope, receive, send_with_headers)


class UsualWay(BaseHTTPMiddleware):
    """Middleware that adds these headers with Starlette's BaseHTTPMiddleware."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers.update({name.decode(): value.decode() for name, value in HEADERS})
        return response


async def warm(policy: SitePolicy, enforce: EnforceMode = "off") -> AIPolicyMiddleware:
    lookup = CachedLookup(lambda host: policy, ttl=3600)
    await lookup.find(HOST.encode())
    return AIPolicyMiddleware(bare, lookup, enforce=enforce)


def scope_of(path: str) -> Scope:
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": REQUEST,
    }


async def seconds(app: ASGIApp, scope: Scope, calls: int) -> float:
    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        pass

    started = time.thread_time()
    for _ in range(calls):
        await app(dict(scope), receive, send)
    return (time.thread_time() - started) / calls


async def measured(apps: dict[str, ASGIApp], path: str, rounds: int, calls: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in apps}
    for _ in range(rounds):
        for name, app in apps.items():
            slow = isinstance(app, UsualWay)
            times[name].append(await seconds(app, scope_of(path), calls // 20 if slow else calls))
    return times


def added(times: dict[str, list[float]], name: str) -> float:
    return statistics.median(its - floor for its, floor in zip(times[name], times["bare"], strict=True))


async def main(rounds: int, calls: int) -> None:
    secure = Secure(custom=[CustomHeader(name.decode(), value.decode()) for name, value in HEADERS])
    page: dict[str, ASGIApp] = {
        "bare": bare,
        "pass-through": PassThrough(bare),
        "constant headers": ConstantHeaders(bare),
        "aipolicy, opted out": await warm(SitePolicy.from_preset("no-training")),
        "aipolicy, nothing to add": await warm(SitePolicy.from_preset("unset")),
        "aipolicy, enforcing": await warm(SitePolicy.from_preset("no-training"), "declared"),
        "secure, three headers": SecureASGIMiddleware(bare, secure=secure),  # type: ignore[dict-item]
        "asgi-correlation-id": CorrelationIdMiddleware(bare),
        "BaseHTTPMiddleware": UsualWay(bare),
    }
    times = await measured(page, "/post/1", rounds, calls)
    ours, nothing = added(times, "aipolicy, opted out"), added(times, "aipolicy, nothing to add")
    for name in page:
        call, cost = statistics.median(times[name]) * 1e9, added(times, name) * 1e9
        print(f"{name:26} {call:9,.0f} ns a call, adds {cost:9,.0f}")
    ratio = ours / added(times, "constant headers")
    print(f"opted out, added cost to that of constant headers: {ratio:.3f}x")
    targets = {
        "secure, three headers": "0.35",
        "asgi-correlation-id": "0.25",
        "BaseHTTPMiddleware": "0.025",
    }
    for name, target in targets.items():
        print(f"opted out, added cost to that of {name}: {ours / added(times, name):.3f}x (target {target})")
    more = added(times, "aipolicy, enforcing") - ours
    print(f"enforce on, for a browser: {more * 1e9:,.0f} ns more (target 1,500)")
    ratio = nothing / added(times, "pass-through")
    print(f"nothing to add, added cost to that of a pass-through: {ratio:.2f}x (target 1.4)")

    async def endpoint(request: Request) -> Response:
        return PlainTextResponse(body)

    middleware = await warm(
        SitePolicy.from_preset("no-training", robots_base="User-agent: *\nDisallow: /drafts/\n")
    )
    body = middleware.lookup.peek(HOST.encode()).robots.body.decode()  # type: ignore[union-attr]
    route = Starlette(routes=[Route("/robots.txt", endpoint)])
    files = await measured(
        {"bare": bare, "ours": middleware, "route": route}, "/robots.txt", rounds, calls // 4
    )
    ratio = statistics.median(a / b for a, b in zip(files["ours"], files["route"], strict=True))
    print(f"/robots.txt from cache, to a Starlette PlainTextResponse route: {ratio:.3f}x (target 0.25)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--calls", type=int, default=10_000)
    options = parser.parse_args()
    asyncio.run(main(options.rounds, options.calls))
