"""No client can change the application's robots.txt that another client reads."""

import asyncio
import contextvars
import ipaddress
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.httpsredirect import HTTPSRedirectMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.asgi.in_process import CLIENT
from aipolicy.core.policy import SitePolicy
from aipolicy.lookup import CachedLookup, LookupStatus
from tests.asgi.apps import lookup, wrapped
from tests.asgi.test_upstream_robots import OTHER, OWN, Changing, reading, start, until, with_clock
from tests.asgi_client import request
from tests.sizes import size

SPELLINGS = [
    "blog.example",
    "BLOG.EXAMPLE",
    "blog.example.",
    "blog.example:8080",
    "Blog.Example.:443",
    "blog.example:",
]


async def own_robots(request: Request) -> Response:
    return PlainTextResponse(OWN)


def blog(**options: Any) -> Starlette:
    return Starlette(routes=[Route("/robots.txt", own_robots)], **options)


class Limiter:
    """A rate limiter that answers 429 to an address after its first request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.seen: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = scope["client"][0] if scope["client"] else None
        if address in self.seen:
            return await PlainTextResponse("slow down", 429)(scope, receive, send)
        if address is not None:
            self.seen.add(address)
        return await self.app(scope, receive, send)


class UserAgents:
    """A middleware that refuses every client but browsers and aipolicy."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not dict(scope["headers"]).get(b"user-agent", b"").startswith((b"Mozilla/", b"aipolicy/")):
            return await PlainTextResponse("no", 403)(scope, receive, send)
        return await self.app(scope, receive, send)


class ForwardedProto:
    """A middleware that redirects to https unless a proxy says that it is used, as in many applications."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        if headers.get(b"x-forwarded-proto") != b"https":
            location = f"https://{headers[b'host'].decode()}{scope['path']}"
            return await RedirectResponse(location)(scope, receive, send)
        return await self.app(scope, receive, send)


class Locked(BaseHTTPMiddleware):
    """A middleware that shows a login page to clients without a cookie, except aipolicy."""

    async def dispatch(self, request: Request, call_next: Callable[..., Any]) -> Response:
        if request.query_params or request.cookies:
            return Response("<h1>Personal</h1>", media_type="Text/HTML", headers={"set-cookie": "a=b"})
        return await call_next(request)  # type: ignore[no-any-return]


class AccessLog(BaseHTTPMiddleware):
    """A middleware that reads the client's address without a check, as in many access logs."""

    async def dispatch(self, request: Request, call_next: Callable[..., Any]) -> Response:
        response: Response = await call_next(request)
        response.headers["x-log"] = f"{request.client.host}:{request.client.port}"  # type: ignore[union-attr]
        return response


STOCK: dict[str, Callable[[ASGIApp], ASGIApp]] = {
    "TrustedHostMiddleware": lambda app: TrustedHostMiddleware(app, ["blog.example"]),
    "TrustedHostMiddleware for all below": lambda app: TrustedHostMiddleware(app, ["*.example"]),
    "HTTPSRedirectMiddleware": HTTPSRedirectMiddleware,
    "GZipMiddleware": lambda app: GZipMiddleware(app, minimum_size=1),
    "CORSMiddleware": lambda app: CORSMiddleware(
        app, allow_origins=["https://a.example"], allow_credentials=True
    ),
    "SessionMiddleware": lambda app: SessionMiddleware(app, "secret"),
    "a rate limiter": Limiter,
    "an access log": AccessLog,
    "a list of User-Agents": UserAgents,
    "X-Forwarded-Proto": ForwardedProto,
    "cookies and queries": Locked,
    "all": lambda app: TrustedHostMiddleware(
        HTTPSRedirectMiddleware(
            GZipMiddleware(CORSMiddleware(SessionMiddleware(Limiter(app), "secret"), ["*"]), minimum_size=1)
        ),
        ["blog.example"],
    ),
}
CLIENTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "http": {"scheme": "http"},
    "a query": {"query_string": b"logout=1&lang=de"},
    "a cookie": {"headers": [(b"cookie", b"session=x; lang=de")]},
    "an origin": {"headers": [(b"origin", b"https://evil.example")]},
    "gzip": {"headers": [(b"accept-encoding", b"gzip, br"), (b"accept", b"text/html")]},
    "conditions": {"headers": [(b"if-none-match", b'"x"'), (b"range", b"bytes=0-3")]},
    "forwarded": {"headers": [(b"x-forwarded-host", b"evil.example"), (b"x-forwarded-proto", b"http")]},
    "an override": {"headers": [(b"x-http-method-override", b"DELETE"), (b"x-original-url", b"/admin")]},
    "an unknown User-Agent": {"user_agent": "curl/8"},
    "an absolute form": {"path": "http://evil.example/robots.txt"},
    "HEAD": {"method": "HEAD"},
    "a state": {"state": {"user": "eve"}, "session": {"user": "eve"}, "user": "eve", "extensions": {"x": {}}},
}


@pytest.mark.parametrize("stock", STOCK)
async def test_with_stock_parts_the_first_client_decides_nothing(stock: str) -> None:
    for spelling in SPELLINGS:
        for client in CLIENTS.values():
            app = wrapped(STOCK[stock](blog()))
            options = {"path": "/robots.txt"} | client
            first = await request(app, host=spelling, **options)
            response = await request(app, "/robots.txt", "blog.example")
            assert "/drafts/" in response.text, (spelling, client)
            assert "User-agent: GPTBot" in response.text
            assert (first.status, first.headers) == (200, response.headers)
            assert first.body == (b"" if options.get("method") == "HEAD" else response.body)


async def test_the_application_is_asked_in_one_form_whatever_request_came() -> None:
    scopes = []
    for spelling in SPELLINGS:
        for client in CLIENTS.values():
            own = Changing(PlainTextResponse(OWN))
            await request(wrapped(own), host=spelling, **({"path": "/robots.txt"} | client))
            scopes += own.scopes
    assert len(scopes) == len(SPELLINGS) * len(CLIENTS)
    assert all(scope == scopes[0] for scope in scopes)
    headers = dict(scopes[0]["headers"])
    assert headers.pop(b"user-agent").startswith(b"aipolicy/")
    assert headers == {
        b"host": b"blog.example",
        b"accept": b"*/*",
        b"accept-encoding": b"identity",
        b"x-forwarded-proto": b"https",
    }
    assert (scopes[0]["method"], scopes[0]["scheme"], scopes[0]["path"]) == ("GET", "https", "/robots.txt")
    assert scopes[0]["query_string"] == b""


async def test_the_address_that_asks_is_one_that_no_application_trusts() -> None:
    own = Changing(PlainTextResponse(OWN))
    await request(wrapped(own), "/robots.txt")
    address = ipaddress.ip_address(own.scopes[0]["client"][0])
    assert not address.is_loopback
    assert not address.is_private


async def test_the_scheme_is_the_sites_and_never_a_clients() -> None:
    own = Changing(PlainTextResponse(OWN))
    app = AIPolicyMiddleware(own, lookup(), site_scheme="http")
    await request(app, "/robots.txt", scheme="https")
    assert (own.scopes[0]["scheme"], own.scopes[0]["server"]) == ("http", ("blog.example", 80))
    app = AIPolicyMiddleware(HTTPSRedirectMiddleware(blog()), lookup(), site_scheme="http")
    assert "/drafts/" in (await request(app, "/robots.txt")).text  # the redirect is followed


async def test_the_header_that_names_the_site_names_it_to_the_application_too() -> None:
    own = Changing(PlainTextResponse(OWN))
    app = AIPolicyMiddleware(own, lookup(), host_header="X-Forwarded-Host")
    response = await request(
        app, "/robots.txt", "inner:8000", headers=[(b"x-forwarded-host", b"BLOG.example")]
    )
    headers = own.scopes[0]["headers"]
    assert [value for name, value in headers if name in (b"host", b"x-forwarded-host")] == [
        b"blog.example"
    ] * 2
    # Caches that tell sites apart by Host alone must not mix them.
    assert response.one("vary") == "x-forwarded-host"


async def test_context_variables_of_a_request_do_not_reach_the_application() -> None:
    tenant = contextvars.ContextVar("tenant", default="")

    async def own(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(f"User-agent: *\nDisallow: /{tenant.get()}/\n")(scope, receive, send)

    app = wrapped(own)
    tenant.set("eve")
    assert "/eve/" not in (await request(app, "/robots.txt")).text


async def test_what_the_application_made_at_its_start_reaches_it() -> None:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        yield {"rules": OWN}

    async def from_state(request: Request) -> Response:
        assert request.app is inner
        return PlainTextResponse(request.state.rules)

    inner = Starlette(routes=[Route("/robots.txt", from_state)], lifespan=lifespan)
    inner.add_middleware(AIPolicyMiddleware, lookup=lookup())
    state: dict[str, Any] = {}
    started, ended = asyncio.Event(), asyncio.Event()
    messages: list[Message] = [{"type": "lifespan.startup"}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await ended.wait()
        return {"type": "lifespan.shutdown"}

    async def send(message: Message) -> None:
        assert not message["type"].endswith("failed"), message
        started.set()

    server = asyncio.ensure_future(inner({"type": "lifespan", "asgi": {}, "state": state}, receive, send))
    await started.wait()
    response = await request(inner, "/robots.txt", state={"rules": OTHER, "user": "eve"})
    assert "/drafts/" in response.text
    assert set(state) == {"rules"}
    ended.set()
    await server


@pytest.mark.parametrize("path", ["/robots.txt", "/shop/robots.txt"])
async def test_a_mount_path_that_a_client_chooses_decides_for_nobody_else(path: str) -> None:
    async def own(scope: Scope, receive: Receive, send: Send) -> None:
        text = f"User-agent: *\nDisallow: {scope['root_path']}/drafts/\n"
        await PlainTextResponse(text)(scope, receive, send)

    app = wrapped(own)
    for number in range(50):
        root = "/shop" if path.startswith("/shop") else f"/evil{number}"
        response = await request(app, path, root_path=root)
        assert f"Disallow: {root}/drafts/" in response.text
    assert "Disallow: /drafts/" in (await request(app, "/robots.txt")).text


async def test_below_a_mount_path_it_is_found() -> None:
    outer = Starlette(routes=[Mount("/shop", wrapped(blog()))])
    assert "/drafts/" in (await request(outer, "/shop/robots.txt")).text


class Redirecting:
    """An application that redirects /robots.txt of blog.example to ``target``, and answers OWN there."""

    def __init__(self, target: str, host: bytes = b"blog.example", path: str = "/robots.txt") -> None:
        self.target, self.host, self.path = target, host, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = dict(scope["headers"])[b"host"]
        if (host, scope["path"], scope["scheme"]) == (b"blog.example", "/robots.txt", "https"):
            return await RedirectResponse(self.target, 301)(scope, receive, send)
        found = (host, scope["path"]) == (self.host, self.path)
        return await PlainTextResponse(OWN if found else "no", 200 if found else 404)(scope, receive, send)


@pytest.mark.parametrize(
    ("target", "host", "path"),
    [
        ("/static/robots.txt?v=1", b"blog.example", "/static/robots.txt"),
        ("static/r%C3%B6bots.txt", b"blog.example", "/static/röbots.txt"),
        ("//BLOG.example./r.txt", b"blog.example", "/r.txt"),
        ("https://blog.example:443/r.txt", b"blog.example", "/r.txt"),
        ("http://blog.example/robots.txt", b"blog.example", "/robots.txt"),
        ("http://blog.example:80/r.txt#top", b"blog.example", "/r.txt"),
        ("https://www.blog.example/robots.txt", b"www.blog.example", "/robots.txt"),
        ("https://WWW.blog.example", b"www.blog.example", "/"),
    ],
)
async def test_a_redirect_to_a_host_of_the_same_site_is_followed(target: str, host: bytes, path: str) -> None:
    app = AIPolicyMiddleware(Redirecting(target, host, path), CachedLookup(lambda host: True))
    assert "/drafts/" in (await request(app, "/robots.txt")).text


@pytest.mark.parametrize(
    "target",
    [
        "https://silent.example/robots.txt",  # another policy: another site
        "https://nobody.example/robots.txt",
        "https://blog.example.evil.example/robots.txt",
        "https://blog.example@nobody.example/robots.txt",
        "javascript:alert(1)",
        "https://%/robots.txt",
        "https://blog.example:99999/robots.txt",
    ],
)
async def test_a_redirect_to_elsewhere_is_not_followed(target: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if dict(scope["headers"])[b"host"] == b"blog.example":
            return await PlainTextResponse("", 302, {"location": target})(scope, receive, send)
        return await PlainTextResponse(OTHER)(scope, receive, send)

    response = await request(wrapped(app, silent=False), "/robots.txt")
    assert "/other/" not in response.text
    assert response.one("cache-control") == "public, max-age=60"


def naming_its_host(length: int = 0) -> Changing:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        host = dict(scope["headers"]).get(b"host", b"none").decode()
        text = f"User-agent: *\nDisallow: /{host}/\n" + "#" * length
        await PlainTextResponse(text)(scope, receive, send)

    return Changing(app)


async def test_unknown_hosts_neither_evict_a_sites_copy_nor_are_read_without_bounds() -> None:
    own = naming_its_host(100_000)
    app, clock = with_clock(wrapped(own))
    good = await request(app, "/robots.txt")
    for number in range(3000):
        response = await request(app, "/robots.txt", f"host{number}.example")
        assert response.status == 200
        assert "User-agent: GPTBot" in response.text
    assert len(own.scopes) <= 201
    own.answer = PlainTextResponse("down", 503)
    clock.now += 61
    for _ in range(3):
        assert (await request(app, "/robots.txt")).body == good.body
        await until(lambda: not reading(app))
    clock.now += 1
    tried = len(own.scopes)
    await asyncio.gather(*(request(app, "/robots.txt", f"more{number}.example") for number in range(50)))
    assert len(own.scopes) == tried + 50


async def test_unknown_hosts_are_read_a_few_at_a_time() -> None:
    at_once, most = 0, 0

    async def own(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.001)
        at_once -= 1
        await PlainTextResponse(OWN)(scope, receive, send)

    app = wrapped(own)
    hosts = [f"host{number}.example" for number in range(100)]
    responses = await asyncio.gather(*(request(app, "/robots.txt", host) for host in hosts))
    assert all("/drafts/" in response.text for response in responses)
    assert most <= 16


async def test_an_unknown_host_gets_the_applications_own_answer_where_ours_is_silent() -> None:
    own = naming_its_host()
    app, _ = with_clock(AIPolicyMiddleware(own, CachedLookup(lambda host: None, default="unset")))
    for number in range(300):
        response = await request(app, "/robots.txt", f"host{number}.example")
        assert response.text == f"User-agent: *\nDisallow: /host{number}.example/\n"


async def test_a_site_whose_lookup_fails_keeps_its_copy() -> None:
    own = Changing(PlainTextResponse(OWN))
    sites: Any = {"blog.example": True}
    cached = CachedLookup(lambda host: sites[host], ttl=0.001, max_stale=0)
    app, clock = with_clock(AIPolicyMiddleware(own, cached))
    await request(app, "/robots.txt")
    own.answer = PlainTextResponse("down", 503)
    cached.invalidate_all()
    clock.now += 3600
    assert "/drafts/" in (await request(app, "/robots.txt")).text


def test_under_trio_it_is_read_merged_and_read_again() -> None:
    async def run() -> None:
        own = Changing(PlainTextResponse(OWN))
        app, clock = with_clock(AIPolicyMiddleware(own, Known()))
        assert "/drafts/" in (await request(app, "/robots.txt")).text
        own.answer = PlainTextResponse(OTHER)
        clock.now += 61
        await request(app, "/robots.txt")
        with trio.fail_after(60):
            while "/other/" not in (await request(app, "/robots.txt")).text:
                await trio.sleep(0.001)
        own.answer = RuntimeError("the application's own trouble")
        clock.now += 121
        assert "/other/" in (await request(app, "/robots.txt")).text
        for own_robots in (lambda host: OWN, rules):
            app = AIPolicyMiddleware(own, Known(), own_robots=own_robots)
            assert "/drafts/" in (await request(app, "/robots.txt")).text

    async def rules(host: str) -> bytes:
        await trio.sleep(0)
        return OWN

    trio.run(run)


def test_under_trio_reading_ends_when_nobody_waits_for_it() -> None:
    ended = []

    async def own(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append(scope["path"])

    async def run() -> None:
        with trio.move_on_after(0.05):
            await request(AIPolicyMiddleware(own, Known()), "/robots.txt")
        with trio.fail_after(60):
            while not ended:
                await trio.sleep(0.001)

    trio.run(run)


class Known:
    """A lookup of opted-out sites that needs no event loop."""

    def __init__(self) -> None:
        from aipolicy.rendering import render

        self.default = self.strict_default = render(SitePolicy.from_preset("unset"))
        self._opted_out = render(SitePolicy.from_preset("no-training"))

    def peek(self, host: bytes) -> Any:
        return self._opted_out

    async def find(self, host: bytes) -> Any:
        return self._opted_out

    def invalidate(self, host: str) -> None: ...

    def status(self) -> LookupStatus:
        return LookupStatus(sites=1, maxsize=1)


def hostile(chance: random.Random) -> ASGIApp:
    """Respond as the client wishes, and fail at random."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"")
        ours = host in (b"blog.example", b"silent.example") and (
            scope["scheme"] == "https"
            and scope["client"] == CLIENT
            and not scope["query_string"]
            and set(headers) == {b"host", b"user-agent", b"accept", b"accept-encoding", b"x-forwarded-proto"}
            and not scope["state"]
            and scope["root_path"] == ""
        )
        if ours and chance.random() < 0.5:
            await PlainTextResponse(OWN)(scope, receive, send)
        elif chance.random() < 0.2:
            raise RuntimeError("the application's own trouble")
        elif chance.random() < 0.1:
            await send(start(200))
        elif chance.random() < 0.3:
            await RedirectResponse("https://evil.example/robots.txt")(scope, receive, send)
        elif ours:
            await PlainTextResponse(OTHER, chance.choice([400, 401, 403, 429, 500, 503]))(
                scope, receive, send
            )
        else:
            status = chance.choice([200, 200, 200, 404, 410, 403])
            await PlainTextResponse(OTHER, status, {"set-cookie": "a=b"})(scope, receive, send)

    return app


PATHS = ["/robots.txt", "/robots.txt", "http://evil.example/robots.txt", "/evil/robots.txt"]


@pytest.mark.proof
async def test_no_fuzzed_request_changes_what_another_client_reads() -> None:
    chance = random.Random(12)
    sites = {"blog": True, "silent": False}
    app, clock = with_clock(wrapped(hostile(chance), **sites))
    expected = {
        f"{name}.example": (
            await request(
                wrapped(Changing(PlainTextResponse(OWN)), **sites), "/robots.txt", f"{name}.example"
            )
        ).body
        for name in sites
    }
    for host in expected:  # a first good copy
        for _ in range(1000):
            if (await request(app, "/robots.txt", host)).body == expected[host]:
                break
            clock.now += 61
        else:
            pytest.fail(f"{host} never gets a good copy")
    names = [
        b"cookie",
        b"host",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"accept",
        b"accept-encoding",
        b"range",
    ]
    names += [b"if-none-match", b"x-forwarded-for", b"forwarded", b"user-agent", b"origin", b"content-length"]
    values = [
        b"",
        b"evil.example",
        b"http",
        b"gzip",
        b'"x"',
        b"*",
        b"bytes=0-1",
        b"1",
        b"text/html",
        b"a=b; c",
    ]
    hosts = [
        *SPELLINGS,
        "silent.example",
        "SILENT.example.",
        "evil.example",
        "",
        "blog.example, evil.example",
        "\xff",
    ]
    for number in range(size(full=200_000, ci=20_000)):
        options: dict[str, Any] = {
            "method": chance.choice(["GET", "GET", "GET", "HEAD", "POST"]),
            "scheme": chance.choice(["http", "https", "ftp", ""]),
            "query_string": chance.choice([b"", b"a=b", b"\xff"]),
            "root_path": chance.choice(["", "", "", "/evil", f"/{number}", "/"]),
            "client": chance.choice([None, ("192.0.2.1", 1)]),
            "headers": [(chance.choice(names), chance.choice(values)) for _ in range(chance.randrange(4))],
            "state": chance.choice([{}, {"user": "eve"}]),
            "extensions": chance.choice([{}, {"http.response.pathsend": {}}]),
        }
        path = chance.choice(
            ["/robots.txt", "/robots.txt", "http://evil.example/robots.txt", "/evil/robots.txt"]
        )
        try:
            await request(app, path, chance.choice(hosts).encode("latin-1"), **options)
        except RuntimeError as error:  # where the application answers for itself
            assert "own trouble" in str(error)  # noqa: PT017
        except AssertionError:
            pass  # it began an answer and did not end it
        clock.now += chance.choice([0, 0, 0.1, 1, 61, 130])
        if number % 10 == 0:
            for host, body in expected.items():
                assert (await request(app, "/robots.txt", host)).body == body, options


async def test_scanners_of_hosts_that_the_application_refuses_write_no_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = wrapped(TrustedHostMiddleware(blog(), ["blog.example"]))
    for number in range(10):
        await request(app, "/robots.txt", f"host{number}.example")
    assert caplog.text == ""
    app = wrapped(Changing(PlainTextResponse("down", 503)))
    await request(app, "/robots.txt", "www.platform.example")
    assert "'www.platform.example' can't be read: it answered 503" in caplog.text
