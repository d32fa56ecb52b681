"""Connections to an application as a server makes them, with every message recorded."""

import asyncio
from collections.abc import Mapping

import httpx
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.asgi_client import Response, http_scope

_OF_THE_CLOCK = frozenset({b"date", b"expires"})  # differ from one second to the next, whoever answers


async def exchange(
    app: ASGIApp,
    path: str,
    host: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Make a request. Errors of the application are suppressed, as servers do."""
    messages: list[Message] = []

    async def recorded(scope: Scope, receive: Receive, send: Send) -> None:
        async def recording(message: Message) -> None:
            messages.append(message)
            await send(message)

        await app(scope, receive, recording)

    transport = httpx.ASGITransport(recorded, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
        await client.request(method, path, headers=headers)
    starts = [message for message in messages if message["type"] == "http.response.start"]
    assert len(starts) == 1, messages
    lower = [(name.lower(), value) for name, value in starts[0]["headers"]]  # Django sends capitals
    body = b"".join(m.get("body", b"") for m in messages if m["type"] == "http.response.body")
    return Response(starts[0]["status"], lower, body, messages)


def raw(response: Response) -> list[tuple[bytes, bytes]]:
    """Return the headers as sent, without those that depend on the clock."""
    start = next(message for message in response.messages if message["type"] == "http.response.start")
    return [(name, b"" if name.lower() in _OF_THE_CLOCK else value) for name, value in start["headers"]]


def chunks(response: Response) -> list[bytes]:
    """Return the chunks of the body in the order sent."""
    bodies = (m.get("body", b"") for m in response.messages if m["type"] == "http.response.body")
    return [body for body in bodies if body]


async def connection(app: ASGIApp, kind: str, host: str, *received: Message) -> list[Message]:
    """Return the application's messages in a WebSocket or lifespan connection."""
    waiting, sent, closed = list(received), [], asyncio.Event()

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await closed.wait()
        return {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"] == "websocket.close":
            closed.set()

    scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
    if kind == "websocket":
        scope = http_scope("/echo", host, scheme="ws", subprotocols=[]) | {"type": "websocket"}
        del scope["method"]
    async with asyncio.timeout(5):
        await app(scope, receive, send)
    return sent
