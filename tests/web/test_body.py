"""Bodies with content codings, and responses whose body can't be read."""

import gzip
import zlib
from collections.abc import AsyncIterator
from functools import partial

import pytest

from aipolicy.errors import FetchError, FetchTrouble
from aipolicy.web.body import read_body
from aipolicy.web.fetcher import Fetcher
from tests.web.server import Server, answer
from tests.web.test_fetcher import trouble

packed = partial(gzip.compress, mtime=0)  # the names of tests contain it
RAW = zlib.compressobj(wbits=-zlib.MAX_WBITS)


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", packed(b"here") + bytes(1000)),
        ("gzip", packed(b"he") + bytes(3) + packed(b"re") + bytes(3)),
        ("gzip", packed(b"here") + b"<!-- served by x -->"),
        ("gzip", packed(b"here") + b"\n"),
        ("gzip", packed(b"here") + packed(b"")[:12]),  # no octet of the body is missing
        ("gzip, identity", packed(b"here")),
        ("Identity", b"here"),
        ("", b"here"),
        ("deflate", zlib.compress(b"here")),
        ("deflate", RAW.compress(b"here") + RAW.flush()),
    ],
)
async def test_rfc9110_8_4_a_coding_is_decoded_in_any_chunks(coding: str, body: bytes) -> None:
    async def chunks(size: int) -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    for size in (1, 7, len(body)):
        assert await read_body(chunks(size), coding, 1000) == (b"here", False)
        assert await read_body(chunks(size), coding, 2) == (b"he", True)


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        *[("gzip", packed(b"here" * 9)[:size]) for size in (1, 11, 15, -8, -1)],
        ("gzip", packed(b"here") + packed(b"here")[:-8]),
        *[("deflate", zlib.compress(b"here" * 9)[:size]) for size in (1, 2, 8, -1)],
    ],
)
async def test_a_truncated_encoded_body_is_an_error(
    server: Server, inside: Fetcher, coding: str, body: bytes
) -> None:
    server.answers["/"] = answer(body, f"Content-Encoding: {coding}")
    for get in (inside.fetch, inside.follow):
        with pytest.raises(FetchError, match="ended before") as caught:
            await get(server.origin)
        assert caught.value.kind is FetchTrouble.CODING


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_an_empty_body_is_complete_in_any_coding(server: Server, inside: Fetcher, coding: str) -> None:
    server.answers["/"] = answer(b"", f"Content-Encoding: {coding}")
    assert (await inside.fetch(server.origin)).body == b""


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "utf-8", "aws-chunked", "gzip, gzip"])
async def test_an_invalid_body_is_an_error_unless_partial(
    server: Server, inside: Fetcher, coding: str
) -> None:
    server.answers["/"] = answer(b"\xffwhat", f"Content-Encoding: {coding}", "X-Robots-Tag: noai")
    assert (await trouble(inside, server.origin))[0] is FetchTrouble.CODING
    with pytest.raises(FetchError):
        await inside.fetch(server.origin)
    got = await inside.follow(server.origin, partial=True)
    assert (got.status, got.body, got.header("x-robots-tag")) == (200, b"", "noai")
    assert got.trouble is FetchTrouble.CODING
    assert "Content-Encoding" in got.reason


async def test_an_incomplete_body_is_an_error_unless_partial(server: Server) -> None:
    server.answers["/"] = server.answers["/open"] = (
        b"HTTP/1.1 200 OK\r\nTDM-Reservation: 1\r\ncontent-length: 9\r\n\r\n"
    )
    server.open.add("/open")
    async with Fetcher(allow_private=True, seconds=0.3) as fetcher:
        for path, kind in (("/", FetchTrouble.PROTOCOL), ("/open", FetchTrouble.TIMEOUT)):
            assert (await trouble(fetcher, f"{server.origin}{path}"))[0] is kind
            got = await fetcher.follow(f"{server.origin}{path}", partial=True)
            assert (got.status, got.header("tdm-reservation"), got.trouble) == (200, "1", kind)


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("http://[", FetchTrouble.URL),
        ("http://a:99999/", FetchTrouble.URL),
        ("mailto:a@b", FetchTrouble.SCHEME),
    ],
)
async def test_a_redirect_to_an_unsupported_url_is_an_error_unless_partial(
    server: Server, inside: Fetcher, location: str, kind: FetchTrouble
) -> None:
    server.answers["/"] = answer(b"", "Location: /b", status="301 Moved")
    server.answers["/b"] = answer(b"", f"Location: {location}", status="302 Found")
    assert (await trouble(inside, server.origin))[0] is kind
    got = await inside.follow(server.origin, partial=True)
    assert (got.status, got.url, got.trouble) == (302, f"{server.origin}/b", kind)
    assert [hop.status for hop in got.hops] == [301]


async def test_the_body_of_a_redirect_is_ignored(server: Server, inside: Fetcher) -> None:
    server.answers["/"] = answer(b"?", "Location: /b", "Content-Encoding: br", status="301 Moved")
    server.answers["/b"] = answer(b"there")
    assert (await inside.follow(server.origin)).body == b"there"
