"""WebSocket handshakes by crawlers are refused like their requests for pages, on real servers."""

import asyncio
import json

import h11
import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from aipolicy.asgi import AIPolicyMiddleware, DisallowedFetch, PathTenants
from aipolicy.asgi.events import Hook
from aipolicy.core.policy import PRESETS, SitePolicy
from aipolicy.serving.enforcement import EnforceMode
from tests.asgi.apps import Recording, lookup
from tests.asgi.servers import Server, on_hypercorn, on_uvicorn
from tests.asgi_client import http_scope

GPTBOT, BROWSER = "GPTBot/1.2", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
POLICY = SitePolicy.from_preset("unset", path_preferences={"/art/": PRESETS["no-ai"]})


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())
    await websocket.close()


def mounted(enforce: EnforceMode = "declared", on_event: Hook | None = None) -> AIPolicyMiddleware:
    app = Starlette(routes=[WebSocketRoute("/{rest:path}", echo)])
    return AIPolicyMiddleware(app, lookup(blog=POLICY), enforce=enforce, on_event=on_event)


SERVERS = [
    pytest.param(on_uvicorn(ws="wsproto"), id="uvicorn with wsproto"),
    pytest.param(on_uvicorn(ws="websockets-sansio"), id="uvicorn with websockets"),
    pytest.param(on_hypercorn, id="hypercorn"),
]


async def handshake(
    port: int, path: str, user_agent: str
) -> tuple[h11.InformationalResponse | h11.Response, bytes]:
    """Request a WebSocket on the wire; return the response, and the body of a refusal."""
    connection = h11.Connection(h11.CLIENT)
    headers = [
        ("Host", "blog.example"),
        ("User-Agent", user_agent),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b""
    found: h11.InformationalResponse | h11.Response | None = None
    try:
        writer.write(connection.send(h11.Request(method="GET", target=path, headers=headers)) or b"")
        async with asyncio.timeout(30):
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(await reader.read(65536))
                elif isinstance(event, h11.InformationalResponse | h11.Response):
                    found = event
                    if event.status_code == 101:
                        return event, b""
                elif isinstance(event, h11.Data):
                    body += event.data
                else:
                    assert found is not None, event
                    return found, body
    finally:
        writer.close()


@pytest.mark.parametrize("served", SERVERS)
async def test_a_crawlers_handshake_is_refused_with_the_problem_and_the_headers(served: Server) -> None:
    async with served(mounted()) as port:
        for path in ("/art/live", "/x/..%2Fart/live"):
            response, body = await handshake(port, path, GPTBOT)
            assert response.status_code == 403
            headers = {bytes(name): bytes(value) for name, value in response.headers}
            assert headers[b"content-type"] == b"application/problem+json"
            assert headers[b"tdm-reservation"] == b"1"
            assert json.loads(body)["crawler"] == "GPTBot"


@pytest.mark.parametrize("served", SERVERS)
async def test_everybody_elses_handshake_is_the_applications(served: Server) -> None:
    async with served(mounted()) as port:
        for path, user_agent in (("/art/live", BROWSER), ("/live", GPTBOT), ("/.well-known/x", GPTBOT)):
            assert (await handshake(port, path, user_agent))[0].status_code == 101


@pytest.mark.parametrize("served", SERVERS)
async def test_where_a_server_can_send_no_response_the_handshake_is_closed(served: Server) -> None:
    app = mounted()

    async def without_extension(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "extensions": None}, receive, send)

    async with served(without_extension) as port:
        assert (await handshake(port, "/art/live", GPTBOT))[0].status_code == 403
        assert (await handshake(port, "/art/live", BROWSER))[0].status_code == 101


async def connect(app: ASGIApp, path: str, user_agent: str, **scope: object) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asked = (
        http_scope(path, user_agent=user_agent, scheme="wss", subprotocols=[]) | {"type": "websocket"} | scope
    )
    del asked["method"]
    await app(asked, receive, send)
    return sent


async def test_monitor_reports_a_handshake_and_refuses_none() -> None:
    events: list[DisallowedFetch] = []

    async def hook(event: DisallowedFetch) -> None:
        events.append(event)

    recording = Recording()
    app = AIPolicyMiddleware(recording, lookup(blog=POLICY), enforce="monitor", on_event=hook)
    assert await connect(app, "/art/live", GPTBOT) == []
    await asyncio.sleep(0)
    assert len(recording.scopes) == 1
    assert [(event.method, event.path, event.refused) for event in events] == [("GET", "/art/live", False)]


async def test_an_impostors_handshake_is_refused_too() -> None:
    from aipolicy.identity import Verification
    from tests.identity.address_lists import RANGES, UNLISTED

    policy = SitePolicy.from_preset("no-ai", licensed=["GPTBot"])
    verification = Verification(RANGES, dns=False)
    app = AIPolicyMiddleware(Recording(), lookup(blog=policy), enforce="verified", verification=verification)
    signed = [(b"signature-input", b"sig1=()"), (b"signature", b"sig1=:AA==:")]
    sent = await connect(
        app,
        "/live",
        GPTBOT,
        client=(UNLISTED, 1),
        headers=[(b"host", b"blog.example"), (b"user-agent", GPTBOT.encode()), *signed],
    )
    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_a_tenants_handshake_is_the_tenants() -> None:
    def site_of(scope: Scope) -> str | None:
        return "alice.example" if scope["path"].startswith("/@alice/") else None

    tenants = PathTenants(site_of, listing="headers")
    app = AIPolicyMiddleware(Recording(), lookup(blog=False, alice=True), tenants=tenants, enforce="declared")
    assert await connect(app, "/live", GPTBOT) == []
    for path in ("/@alice/live", "/x/../@alice/live"):
        assert [message["type"] for message in await connect(app, path, GPTBOT)] == ["websocket.close"]


async def test_a_lookup_that_breaks_its_promise_lets_no_handshake_fail() -> None:
    class Broken:
        default = strict_default = lookup().default

        def peek(self, host: bytes) -> None:
            raise RuntimeError("broken")

        async def find(self, host: bytes) -> None:
            raise RuntimeError("broken")

    app = AIPolicyMiddleware(Recording(), Broken(), enforce="declared")  # type: ignore[arg-type]
    assert await connect(app, "/live", BROWSER) == []
    assert len(await connect(app, "/live", GPTBOT)) == 1
