"""A server on loopback that sends the exact bytes of a test."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trustme


class Server:
    """``answers`` maps a request target to an answer; ``requests`` are the heads that came.

    ``silent`` targets are never answered; at ``open`` ones the connection stays open behind the answer.
    """

    def __init__(self, host: str, port: int, scheme: str) -> None:
        self.host = host
        self.port = port
        self.origin = f"{scheme}://{host}:{port}"
        self.answers: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.silent: set[str] = set()
        self.open: set[str] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            writer.close()
            return
        self.requests.append(head)
        target = head.split(" ")[1]
        if target in self.silent:
            await reader.read()  # until the client has enough
        writer.write(self.answers.get(target, b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"))
        if target in self.open:
            await reader.read()
        writer.close()


@asynccontextmanager
async def serving(host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Serve on a free port of ``host`` until the block ends."""
    server: Server

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await server.serve(reader, writer)
        except ConnectionError:
            writer.close()

    listening = await asyncio.start_server(serve, host, 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    server = Server(host, port, "http" if tls is None else "https")
    try:
        yield server
    finally:
        listening.close()


def presenting(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """Return a TLS context for a server with these names, certified by ``authority``."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(tls)
    return tls


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """Return a TLS context for a client that trusts ``authority``."""
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    return tls


@asynccontextmanager
async def localhost(authority: trustme.CA) -> AsyncIterator[Server]:
    """Serve https on loopback, by host name."""
    async with serving("127.0.0.1", presenting(authority, "localhost")) as running:
        running.origin = f"https://localhost:{running.port}"
        yield running


def answer(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    """Return a complete response with a body."""
    head = "\r\n".join([f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""])
    return head.encode("latin-1") + body
