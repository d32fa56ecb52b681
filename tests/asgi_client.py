"""A client that calls an ASGI application directly, and records every message."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Response:
    status: int
    headers: Headers
    body: bytes
    messages: list[Message]

    def all(self, name: str) -> list[str]:
        """Return every value of a header, in the order sent."""
        return [value.decode("latin-1") for key, value in self.headers if key == name.encode()]

    def one(self, name: str) -> str | None:
        """Return the value of a header that must not be there twice."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} is there {len(values)} times: {values}"
        return values[0] if values else None

    @property
    def text(self) -> str:
        return self.body.decode()


def http_scope(
    path: str = "/",
    host: str | bytes | None = "blog.example",
    method: str = "GET",
    headers: Iterable[tuple[bytes, bytes]] = (),
    user_agent: str = "test/1.0",
    **scope: Any,
) -> dict[str, Any]:
    host = host.encode() if isinstance(host, str) else host
    own = [] if host is None else [(b"host", host)]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "surrogatepass"),
        "query_string": b"",
        "root_path": "",
        "headers": [*own, (b"user-agent", user_agent.encode()), *headers],
        "client": ("127.0.0.1", 4321),
        "server": ("127.0.0.1", 8000),
    } | scope


async def request(
    app: ASGIApp, path: str = "/", host: str | bytes | None = "blog.example", **options: Any
) -> Response:
    """Make one request, and return everything that the application sent."""
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    await app(http_scope(path, host, **options), receive, send)
    starts = [m for m in messages if m["type"] == "http.response.start"]
    assert len(starts) == 1, messages
    body = b"".join(m.get("body", b"") for m in messages if m["type"] == "http.response.body")
    return Response(starts[0]["status"], list(starts[0]["headers"]), body, messages)
