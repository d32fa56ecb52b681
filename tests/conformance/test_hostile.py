"""A crawler's input is bounded, and never stops the test server."""

import asyncio

import pytest

from aipolicy.conformance import CLAUSES
from aipolicy.conformance.recording import CrawlExit, Recording
from aipolicy.conformance.server import Server

DONE = CrawlExit(0, False, 0.0)
(CLAUSE,) = (clause for clause in CLAUSES if clause.id == "robots-first")


async def connected(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(server.url.rstrip("/").rpartition(":")[2]))


async def ask(server: Server, data: bytes) -> bytes:
    """Return the bytes received on a new connection until the server closes it."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", int(server.url.rstrip("/").rpartition(":")[2])
    )
    try:
        writer.write(data)
        await writer.drain()
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def get(target: str, *headers: str, version: str = "1.1") -> bytes:
    lines = [f"GET {target} HTTP/{version}", "Host: x", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def still_serves(server: Server) -> bool:
    return b"200" in (await ask(server, get("/robots.txt"))).partition(b"\r\n")[0]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00garbage\r\n\r\n", b"400"),
        (b"GET /" + b"x" * 100_000, b"431"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 10_000, b"431"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000, b"413"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),  # no Host
    ],
    ids=["no-http", "long-line", "many-headers", "large-body", "no-host"],
)
async def test_a_request_that_is_too_large_or_invalid_is_refused(data: bytes, status: bytes) -> None:
    async with Server(CLAUSE, "Bot") as server:
        answer = await ask(server, data)
        assert answer == b"" or answer.split()[1] == status
        assert await still_serves(server)


@pytest.mark.parametrize(
    "data", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"]
)
async def test_a_client_can_close_the_connection_at_any_time(data: bytes) -> None:
    async with Server(CLAUSE, "Bot") as server:
        _, writer = await connected(server)
        writer.write(data)
        await writer.drain()
        writer.transport.abort()
        assert await still_serves(server)


async def test_a_flood_of_requests_is_bounded() -> None:
    async with Server(CLAUSE, "Bot") as server:
        reader, writer = await connected(server)
        request = b"GET /%d HTTP/1.1\r\nHost: x\r\nUser-Agent: " + b"a" * 3000 + b"\r\n\r\n"

        async def flood() -> None:
            for number in range(5_100):
                writer.write(request % number)
                await writer.drain()

        with pytest.raises(ConnectionError):
            await asyncio.gather(flood(), _read_all(reader))
        writer.close()
        recording = server.recording(DONE)
        assert (len(recording.fetches), recording.flooded) == (5000, True)
        assert max(len(fetch.user_agent) for fetch in recording.fetches) == 1000
        finding = CLAUSE.judge(server.fixture, Recording((), DONE, True), "Bot")
        assert finding.verdict == "not tested"


async def _read_all(reader: asyncio.StreamReader) -> None:
    while await reader.read(1 << 16):
        pass
    raise ConnectionResetError


async def test_an_absolute_or_escaped_target_is_the_same_page() -> None:
    async with Server(CLAUSE, "Bot") as server:
        for target in (f"{server.url}closed.html", "/%63losed.html"):
            assert (await ask(server, get(target))).startswith(b"HTTP/1.1 200")
        assert {fetch.key for fetch in server.recording(DONE).fetches} == {("first", "/closed.html")}


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ("GET /café.html HTTP/1.1\r\nHost: x\r\n\r\n".encode(), "/caf%C3%A9.html"),
        (b"GET /caf\xe9.html HTTP/1.1\r\nHost: x\r\n\r\n", "/caf%E9.html"),
        (b"GET /a page.html HTTP/1.1\r\nHost: x\r\n\r\n", "/a%20page.html"),
        (b"GET  /closed.html  HTTP/1.1\r\nHost: x\r\n\r\n", "/closed.html"),
        (b"get /closed.html HTTP/1.1\r\nHost: x\r\n\r\n", "/closed.html"),
        (b"GET /closed.html\r\n\r\n", "/closed.html"),
        (b"GET /closed.html HTTP/1.1\nHost: x\n\n", "/closed.html"),
        (b"GET /closed.html HTTP/1.1\r\nHost: x\r\nno colon here\r\n\r\n", "/closed.html"),
        (b"GET /closed.html HTTP/1.1\r\nA\x01: \x00\r\nHost: x\r\n\r\n", "/closed.html"),
        (b"GET /closed.html HTTP/1.1\r\n\r\n", "/closed.html"),  # no Host: refused, and recorded
        (b'GET /"<closed>".html HTTP/1.1\r\nHost: x\r\n\r\n', "/%22%3Cclosed%3E%22.html"),
        (b"GET /closed.html HTTP/3.0\r\nHost: x\r\n\r\n", "/closed.html"),
    ],
)
async def test_a_request_that_no_library_accepts_is_recorded(data: bytes, key: str) -> None:
    async with Server(CLAUSE, "Bot") as server:
        answer = await ask(server, data.replace(b"Host: x", b"Host: x\r\nConnection: close"))
        assert answer.startswith(b"HTTP/1.1 ")
        (fetch,) = server.recording(DONE).fetches
        assert fetch.key == ("first", key)
        assert fetch.method.upper() == "GET"


async def test_an_invalid_request_line_is_recorded_and_not_judged() -> None:
    async with Server(CLAUSE, "Bot") as server:
        assert (await ask(server, b"\x16\x03\x01\x02\x00hello\r\n\r\n")).split()[1] == b"400"
        recording = server.recording(DONE)
        assert (recording.fetches, recording.unreadable) == ((), ("\x16\x03\x01\x02\x00hello",))


@pytest.mark.parametrize("line", [b"PRI * HTTP/2.0", b"OPTIONS * HTTP/1.1", b"CONNECT x:443 HTTP/1.1"])
async def test_a_request_without_a_page_is_not_a_fetch(line: bytes) -> None:
    async with Server(CLAUSE, "Bot") as server:
        assert await ask(server, line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
        recording = server.recording(DONE)
        assert (len(recording.fetches), recording.pages) == (1, ())


async def test_requests_on_one_connection_are_separated_after_either_kind_of_body() -> None:
    async with Server(CLAUSE, "Bot") as server:
        length = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
        chunks = b"POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
        await ask(server, length + chunks + get("/closed.html"))
        assert [fetch.target for fetch in server.recording(DONE).fetches] == ["/a", "/b", "/closed.html"]


async def test_other_pages_are_not_found() -> None:
    async with Server(CLAUSE, "Bot") as server:
        for target in ("/other.html", "/closed.html?page=2", "/favicon.ico"):
            assert (await ask(server, get(target))).startswith(b"HTTP/1.1 404")


async def test_a_request_is_recorded_before_its_response() -> None:
    async with Server(CLAUSE, "Bot") as server:
        reader, writer = await connected(server)
        writer.write(get("/closed.html"))
        await writer.drain()
        await reader.readexactly(1)
        writer.transport.abort()
        (fetch,) = server.recording(DONE).fetches
        assert fetch.target == "/closed.html"


async def test_a_client_of_http_1_0_is_served() -> None:
    async with Server(CLAUSE, "Bot") as server:
        assert b"Disallow: /closed.html" in await ask(server, get("/robots.txt", version="1.0"))


async def test_head_has_the_headers_of_get_and_no_body() -> None:
    async with Server(CLAUSE, "Bot") as server:
        answer = await ask(server, get("/robots.txt").replace(b"GET", b"HEAD"))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"content-length: 37" in head.lower()
        assert body == b""
