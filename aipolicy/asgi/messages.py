"""Conversions between ASGI's scopes and messages and the values of ``aipolicy.serving``."""

from starlette.types import Message, Receive, Scope, Send

from aipolicy.serving.exchange import Request, Response


def request_of(scope: Scope) -> Request:
    """Return the request of an HTTP or WebSocket scope."""
    client = scope.get("client")
    return Request(
        method=scope.get("method", "GET"),
        path=scope["path"],
        raw_path=scope.get("raw_path") or b"",
        root_path=scope.get("root_path") or "",
        query=scope.get("query_string") or b"",
        headers=scope["headers"],
        scheme=scope.get("scheme", "http"),
        client=client[0] if client else None,
    )


async def respond(send: Send, response: Response, scope: Scope) -> None:
    """Send a response to an HTTP request."""
    body = b"" if scope["method"] == "HEAD" else response.body
    await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
    await send({"type": "http.response.body", "body": body})


async def refuse_handshake(send: Send, response: Response, scope: Scope) -> None:
    """Refuse a WebSocket handshake, with the response if the server supports that."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        return await send({"type": "websocket.close", "code": 1008})  # before it is accepted: 403
    status, headers, body = response
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    return await send({"type": "websocket.http.response.body", "body": body})


class PeekedRequest:
    """A request whose messages can be read ahead; the application still receives all of them."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []

    async def peek(self) -> Message:
        """Read a message ahead."""
        message = await self._receive()
        self._messages.append(message)
        return message

    async def receive(self) -> Message:
        """Return the next message of the request."""
        return self._messages.pop(0) if self._messages else await self._receive()
