"""A request and a response as values, independent of the protocol."""

from collections.abc import Iterable
from typing import NamedTuple

from aipolicy.signals.header_field import Header


class Request(NamedTuple):
    """A request as the server passes it to the application.

    Attributes:
        method: ``"GET"`` also for the handshake of a WebSocket.
        path: The decoded path, as the application sees it.
        raw_path: The path as the client sent it; empty if the server doesn't keep it.
        root_path: The path at which the application is mounted.
        query: The query without its ``?``.
        headers: Pairs of lower-case name and value.
        scheme: ``"http"``, ``"https"``, ``"ws"`` or ``"wss"``.
        client: The client's address, if the server knows it.
    """

    method: str
    path: str
    raw_path: bytes
    root_path: str
    query: bytes
    headers: Iterable[Header]
    scheme: str
    client: str | None

    @property
    def target(self) -> tuple[str, bytes, str, bytes]:
        """The parts from which ``RequestTarget`` is made."""
        return self.path, self.raw_path, self.root_path, self.query


class Response(NamedTuple):
    """A complete response. The body is not sent if the request's method is HEAD."""

    status: int
    headers: list[Header]
    body: bytes = b""
