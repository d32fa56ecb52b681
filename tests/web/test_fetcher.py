"""The fetcher: bounded in size and time, and only to public addresses."""

import asyncio
import gzip
import tracemalloc

import pytest
import trustme

from aipolicy.errors import FetchError, FetchTrouble
from aipolicy.web import guard
from aipolicy.web.fetcher import Fetcher
from aipolicy.web.response import Hop
from tests.web.server import Server, answer, presenting, serving, trusting


async def trouble(fetcher: Fetcher, url: str) -> tuple[FetchTrouble, str]:
    with pytest.raises(FetchError) as caught:
        await fetcher.follow(url)
    return caught.value.kind, str(caught.value)


async def test_a_response_has_its_headers_and_body(server: Server, inside: Fetcher) -> None:
    server.answers["/robots.txt?a=b"] = answer(b"User-agent: *\n", "X-Robots-Tag: noai", "x-robots-tag: a: b")
    got = await inside.fetch(f"{server.origin}/robots.txt?a=b#part")
    assert (got.status, got.body, got.cut, got.address) == (200, b"User-agent: *\n", False, "127.0.0.1")
    assert ("X-Robots-Tag", "noai") in got.headers
    assert got.values("X-ROBOTS-TAG") == ["noai", "a: b"]
    assert got.header("x-robots-tag") == "noai, a: b"
    assert got.header("etag") == ""
    assert got.url == f"{server.origin}/robots.txt?a=b"


async def test_request_headers_can_be_replaced(server: Server, inside: Fetcher) -> None:
    await inside.fetch(server.origin, headers=[("user-agent", "GPTBot"), ("Cache-Control", "no-cache")])
    await inside.fetch(server.origin)
    first, second = server.requests
    assert "user-agent: GPTBot\r\n" in first
    assert "Cache-Control: no-cache\r\n" in first
    assert "aipolicy/" not in first
    assert "User-Agent: aipolicy/" in second


async def test_request_headers_must_be_latin_1(server: Server, inside: Fetcher) -> None:
    server.answers["/"] = answer(b"")
    await inside.fetch(server.origin, headers=[("If-None-Match", '"caf\xe9"')])
    with pytest.raises(FetchError) as caught:
        await inside.fetch(server.origin, headers=[("If-None-Match", '"\u20ac"')])
    assert caught.value.kind is FetchTrouble.URL
    assert len(server.requests) == 1


async def test_fetch_does_not_follow_redirects(server: Server, inside: Fetcher) -> None:
    server.answers["/a"] = answer(b"", "Location: b", status="301 Moved")
    server.answers["/b"] = answer(b"there")
    assert (await inside.fetch(f"{server.origin}/a")).status == 301
    got = await inside.follow(f"{server.origin}/a")
    assert got.body == b"there"
    assert got.hops == (Hop(f"{server.origin}/a", 301, "b"),)


async def test_the_number_of_redirects_is_limited(server: Server, inside: Fetcher) -> None:
    server.answers["/"] = answer(b"", "Location: /", status="302 Found")
    kind, text = await trouble(inside, server.origin)
    assert kind is FetchTrouble.REDIRECTS
    assert "more than 5 redirects" in text
    assert len(server.requests) == 6


async def test_a_long_body_is_cut(server: Server, inside: Fetcher) -> None:
    server.answers["/"] = answer(b"x" * 300_000)
    got = await inside.fetch(server.origin, max_bytes=1000)
    assert (len(got.body), got.cut) == (1000, True)
    assert not (await inside.fetch(server.origin, max_bytes=300_000)).cut


async def test_gzip_can_have_several_members(server: Server, inside: Fetcher) -> None:
    server.answers["/"] = answer(gzip.compress(b"one ") + gzip.compress(b"two"), "Content-Encoding: gzip")
    assert (await inside.fetch(server.origin)).body == b"one two"


async def test_a_decompression_bomb_is_cut(server: Server, inside: Fetcher) -> None:
    server.answers["/"] = answer(gzip.compress(bytes(200_000_000)), "Content-Encoding: gzip")
    tracemalloc.start()
    try:
        got = await inside.fetch(server.origin)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(got.body), got.cut) == (1 << 20, True)
    assert most < 16 << 20


@pytest.mark.parametrize(
    "sent",
    [
        b"what is this\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        b"",
    ],
)
async def test_an_incomplete_response_is_an_error(server: Server, inside: Fetcher, sent: bytes) -> None:
    server.answers["/"] = sent
    kind, text = await trouble(inside, server.origin)
    assert kind is FetchTrouble.PROTOCOL
    assert server.origin in text


async def test_rfc9112_9_3_1_a_closed_kept_connection_is_reopened() -> None:
    """A GET on a connection that the server has closed is sent again on a new one."""
    came: list[list[str]] = []

    async def once_each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests: list[str] = []
        came.append(requests)
        while head := await reader.readline():
            requests.append(head.split()[1].decode())
            while await reader.readline() > b"\r\n":
                pass
            if len(requests) == 2 or requests == ["/never"]:
                break
            writer.write(answer(b"here"))
        writer.close()

    listening = await asyncio.start_server(once_each, "127.0.0.1", 0)
    origin = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with listening, Fetcher(allow_private=True, seconds=5) as fetcher:
        assert (await fetcher.fetch(f"{origin}/1")).body == b"here"
        assert (await fetcher.fetch(f"{origin}/2")).body == b"here"
        assert came == [["/1", "/2"], ["/2"]]
        assert (await trouble(fetcher, f"{origin}/never"))[0] is FetchTrouble.PROTOCOL
    assert came == [["/1", "/2"], ["/2", "/never"], ["/never"]], "on a new connection it is asked for once"


async def test_endless_headers_are_an_error(server: Server, inside: Fetcher) -> None:
    server.answers["/"] = b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000
    assert (await trouble(inside, server.origin))[0] is FetchTrouble.PROTOCOL


async def test_a_silent_server_times_out(server: Server) -> None:
    server.silent.add("/")
    async with Fetcher(allow_private=True, seconds=0.3) as fetcher:
        assert (await trouble(fetcher, server.origin))[0] is FetchTrouble.TIMEOUT


async def test_a_refused_connection_is_an_error(inside: Fetcher) -> None:
    async with serving() as gone:
        pass
    assert (await trouble(inside, gone.origin))[0] is FetchTrouble.CONNECT


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("file:///etc/passwd", FetchTrouble.SCHEME),
        ("ftp://a.example/", FetchTrouble.SCHEME),
        ("a.example", FetchTrouble.SCHEME),
        ("http://", FetchTrouble.URL),
        ("http://user:secret@a.example/", FetchTrouble.URL),
        ("http://a.example:99999/", FetchTrouble.URL),
        ("http://a.example:0/", FetchTrouble.URL),
        ("http://[", FetchTrouble.URL),
        ("http://a.example/\x00", FetchTrouble.URL),
        ("http://nowhere.invalid/", FetchTrouble.DNS),
        ("http://xn--a.invalid/", FetchTrouble.DNS),
        ("http://user@xn--a.invalid/", FetchTrouble.URL),
    ],
)
async def test_an_invalid_url_is_an_error(inside: Fetcher, url: str, kind: FetchTrouble) -> None:
    found, text = await trouble(inside, url)
    assert found is kind
    assert "secret" not in text
    assert text.isprintable()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]"],
)
async def test_loopback_addresses_are_refused(server: Server, host: str) -> None:
    async with Fetcher(seconds=5) as fetcher:
        kind, text = await trouble(fetcher, f"http://{host}:{server.port}/")
    assert kind in (FetchTrouble.ADDRESS, FetchTrouble.DNS)
    assert not server.requests, text


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "[fe80::1]",
        "[fd00::1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
    ],
)
async def test_private_addresses_are_refused(address: str) -> None:
    async with Fetcher(seconds=5) as fetcher:
        kind, text = await trouble(fetcher, f"http://{address}/latest/meta-data")
    assert kind is FetchTrouble.ADDRESS
    assert "not a public address" in text


async def test_redirects_to_private_addresses_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "is_public", lambda network: str(network[0]) == "127.0.0.2")
    async with serving("127.0.0.2") as outside, serving() as own, Fetcher(seconds=5) as fetcher:
        outside.answers["/"] = answer(b"", f"Location: {own.origin}/secret", status="302 Found")
        outside.answers["/file"] = answer(b"", "Location: file:///etc/passwd", status="302 Found")
        assert (await trouble(fetcher, outside.origin))[0] is FetchTrouble.ADDRESS
        outside.answers["/name"] = answer(b"", "Location: http://xn--a.invalid/", status="302 Found")
        assert (await trouble(fetcher, f"{outside.origin}/file"))[0] is FetchTrouble.SCHEME
        assert (await trouble(fetcher, f"{outside.origin}/name"))[0] is FetchTrouble.DNS
        assert len(outside.requests) == 3
        assert not own.requests


async def test_a_name_is_resolved_once_and_that_address_is_used(
    monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    asked: list[object] = []

    async def getaddrinfo(host: object, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return [(2, 1, 6, "", (address, port))]

    monkeypatch.setattr("anyio.getaddrinfo", getaddrinfo)
    async with Fetcher(allow_private=True, seconds=5) as fetcher:
        got = await fetcher.fetch(f"http://rebinding.example:{server.port}/")
    assert got.address == "127.0.0.1"
    assert asked == ["rebinding.example"]


async def test_the_next_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    async def getaddrinfo(host: object, port: int, **_: object) -> list[tuple[object, ...]]:
        return [(2, 1, 6, "", (address, port)) for address in ("127.0.0.3", "127.0.0.1")]

    monkeypatch.setattr("anyio.getaddrinfo", getaddrinfo)
    async with Fetcher(allow_private=True, seconds=5) as fetcher:
        assert (await fetcher.fetch(f"http://two.example:{server.port}/")).address == "127.0.0.1"


async def test_a_certificate_must_be_trusted_and_of_that_name() -> None:
    authority = trustme.CA()
    async with serving(tls=presenting(authority, "localhost")) as server:
        server.answers["/"] = answer(b"private")
        url = f"https://localhost:{server.port}/"
        async with Fetcher(allow_private=True, tls=trusting(authority)) as fetcher:
            assert (await fetcher.fetch(url)).body == b"private"
            assert (await trouble(fetcher, server.origin))[0] is FetchTrouble.TLS  # 127.0.0.1
        async with Fetcher(allow_private=True) as fetcher:
            assert (await trouble(fetcher, url))[0] is FetchTrouble.TLS


async def test_rfc6761_6_3_localhost_names_are_loopback(server: Server, inside: Fetcher) -> None:
    server.answers["/"] = answer(b"here")
    for name in ("localhost", "blog.localhost", "BLOG.localhost."):
        assert (await inside.fetch(f"http://{name}:{server.port}/")).body == b"here"
    async with Fetcher() as outside:
        kind, _ = await trouble(outside, f"http://blog.localhost:{server.port}/")
    assert kind is FetchTrouble.ADDRESS
