"""The Host header names the site in every spelling; a malformed one is an unknown host."""

from types import SimpleNamespace

import pytest
from starlette.types import Message, Receive, Scope, Send

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.lookup import CachedLookup, LookupStatus
from aipolicy.rendering import Rendering
from tests.asgi.apps import answering, lookup, wrapped
from tests.asgi_client import request


@pytest.mark.parametrize(
    "host",
    [
        "silent.example",
        "SILENT.Example",
        "silent.example:8000",
        "silent.example.",
        "Silent.example.:443",
        "silent.example:",
    ],
)
async def test_one_blog_has_many_spellings(host: str) -> None:
    response = await request(wrapped(answering(), silent=False), host=host)
    assert response.one("content-usage") is None


@pytest.mark.parametrize(
    "host", ["bücher.example".encode(), b"xn--bcher-kva.example", "BÜCHER.example:80".encode()]
)
async def test_an_international_name_is_one_blog_in_both_forms(host: bytes) -> None:
    async def load(name: str) -> bool | None:
        return {"xn--bcher-kva.example": False}.get(name)

    response = await request(AIPolicyMiddleware(answering(), CachedLookup(load)), host=host)
    assert response.one("content-usage") is None


@pytest.mark.parametrize(
    "host",
    [
        None,
        b"",
        b" ",
        b"a b.example",
        b"user@silent.example",
        b"silent.example/x",
        b"silent.example, blog.example",
        b"\xff\xfe.example",
        b"silent..example",
        b"-silent.example",
        b"silent.example:x",
        b"a" * 300,
        b"[::1",
        b"%00",
    ],
)
async def test_a_malformed_host_gets_the_default_policy_and_no_error(host: bytes | None) -> None:
    app = wrapped(answering(), silent=False)
    assert (await request(app, host=host)).one("content-usage") == "train-ai=n"
    assert b"User-agent: GPTBot" in (await request(app, "/robots.txt", host=host)).body


async def test_two_hosts_are_malformed_even_where_they_agree() -> None:
    app = wrapped(answering(), silent=False)
    twice = [(b"host", b"silent.example")]
    assert (await request(app, host="silent.example", headers=twice)).one("content-usage") == "train-ai=n"


async def test_behind_a_proxy_another_header_can_name_the_site() -> None:
    app = AIPolicyMiddleware(answering(), lookup(silent=False), host_header="X-Forwarded-Host")
    forwarded = [(b"x-forwarded-host", b"silent.example")]
    assert (await request(app, host="10.0.0.1", headers=forwarded)).one("content-usage") is None
    assert (await request(app, host="silent.example")).one("content-usage") == "train-ai=n"


async def test_a_lookup_that_breaks_its_promise_costs_the_visitor_nothing() -> None:
    class Broken:
        default = strict_default = lookup().default

        def peek(self, host: bytes) -> Rendering | None:
            raise RuntimeError("broken")

        async def find(self, host: bytes) -> Rendering:
            raise RuntimeError("broken")

        def invalidate(self, host: str) -> None: ...

        def status(self) -> LookupStatus:
            return LookupStatus(sites=1, maxsize=1)

    response = await request(AIPolicyMiddleware(answering(), Broken()))
    assert (response.status, response.one("content-usage")) == (200, "train-ai=n")


@pytest.mark.parametrize(
    ("options", "culprit"),
    [
        ({"max_age": 86400}, "max_age"),
        ({"max_age": -1}, "max_age"),
        ({"lookup": dict}, "lookup"),
        ({"lookup": SimpleNamespace(peek=print)}, "strict_default"),
        ({"app": 1}, "app"),
    ],
)
def test_an_invalid_argument_is_named(options: dict[str, object], culprit: str) -> None:
    arguments: dict[str, object] = {"app": answering(), "lookup": lookup()} | options
    with pytest.raises((TypeError, ValueError), match=culprit):
        AIPolicyMiddleware(**arguments)  # type: ignore[arg-type]


async def test_a_client_that_disconnects_is_the_servers_affair() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.disconnect"
        await send({"type": "http.response.start", "status": 499, "headers": []})

    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    from tests.asgi_client import http_scope

    await wrapped(app)(http_scope(), receive, send)
    assert sent[0]["status"] == 499
