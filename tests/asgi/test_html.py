"""Meta tags in HTML pages, for sites whose CDN strips headers. Nothing else in a response changes."""

import gzip
import re
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.core.policy import SitePolicy
from aipolicy.serving.tag_insertion import TagInsertion
from tests.asgi.apps import OPTED_OUT, UNSET, answering, lookup
from tests.asgi_client import Response, http_scope, request

TAGS = b'<meta name="robots" content="noai, noimageai"><meta name="tdm-reservation" content="1">'
PAGE = b"<!doctype html>\n<html lang=en><head><title>A post</title></head><body>Hello</body></html>"
HTML = (b"content-type", b"text/html; charset=utf-8")


def inserting(app: ASGIApp, policy: SitePolicy = OPTED_OUT) -> AIPolicyMiddleware:
    return AIPolicyMiddleware(app, lookup(blog=policy), html=True)


async def page(*chunks: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> Response:
    app = inserting(answering(200, [HTML, *(headers or [])], *(chunks or (b"",))))
    return await request(app, "/post")


async def test_a_page_of_an_opted_out_blog_gets_the_tags_first_in_its_head() -> None:
    response = await page(PAGE)
    assert response.body == PAGE.replace(b"<head>", b"<head>" + TAGS)
    assert response.all("x-robots-tag") == ["noai, noimageai"]


async def test_the_length_of_the_body_is_right() -> None:
    response = await page(PAGE, headers=[(b"content-length", str(len(PAGE)).encode())])
    assert response.one("content-length") == str(len(response.body))


@pytest.mark.parametrize("policy", [UNSET, SitePolicy.from_preset("allow")])
async def test_a_page_of_any_other_blog_stays_as_it_is(policy: SitePolicy) -> None:
    app = answering(200, [HTML, (b"etag", b'"1"'), (b"accept-ranges", b"bytes")], PAGE)
    response = await request(inserting(app, policy))
    assert response.body == PAGE
    assert (response.one("etag"), response.one("accept-ranges")) == ('"1"', "bytes")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<html><head class='a>b' id=\"x\">", b"<title>t</title>"),
        (b"<HTML>\n<HEAD>", b"<title>t</title>"),
        (b"\xef\xbb\xbf<!-- <head> --><!DOCTYPE html><html>", b"<body>no head</body>"),
        (b"<!doctype html>", b"<title>bare</title><p>hello"),
        (b'<?xml version="1.0"?><!doctype html>\n<html lang="a>b">\n', b"<header>not a head</header>"),
    ],
)
async def test_the_tags_stand_where_the_head_begins_however_it_is_written(
    before: bytes, after: bytes
) -> None:
    assert (await page(before + after)).body == before + TAGS + after


@pytest.mark.parametrize(
    "part", [b"<p>one</p>", b"", b"plain words", b"<header>x</header>", b"{}", b"<!-- x -->"]
)
async def test_a_part_of_a_page_stays_as_it_is(part: bytes) -> None:
    assert (await page(part)).body == part


@given(st.lists(st.integers(0, len(PAGE)), max_size=8))
async def test_a_page_may_come_in_any_chunks(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(PAGE)]
    chunks = [PAGE[start:end] for start, end in pairwise(edges)]
    assert (await page(*chunks)).body == PAGE.replace(b"<head>", b"<head>" + TAGS)


@given(st.binary(max_size=300), st.integers(1, 7))
async def test_whatever_the_body_is_only_the_tags_are_added(body: bytes, size: int) -> None:
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    assert (await page(*chunks)).body.replace(TAGS, b"", 1) == body


async def test_a_stream_goes_on_as_soon_as_its_head_has_begun() -> None:
    response = await page(b"<!doctype html><ht", b"ml><head><ti", b"tle>A</title>", b"<p>one", b"<p>two")
    bodies = [m["body"] for m in response.messages if m["type"] == "http.response.body"]
    assert bodies == [b"<!doctype html><html><head>" + TAGS + b"<ti", b"tle>A</title>", b"<p>one", b"<p>two"]


async def test_a_stream_of_parts_is_never_held_back() -> None:
    response = await page(b"<p>one", b"<p>two")
    assert [m["body"] for m in response.messages[1:]] == [b"<p>one", b"<p>two"]


async def test_a_page_that_never_gets_to_its_head_is_let_through() -> None:
    comment = b"<!-- " + b"x" * 20_000
    response = await page(comment, b" --><html><head>")
    assert response.body == comment + b" --><html><head>"


@pytest.mark.parametrize(
    "header",
    [
        (b"content-encoding", b"gzip"),
        (b"cache-control", b"public, no-transform"),
        (b"content-disposition", b'attachment; filename="page.html"'),
        (b"content-range", b"bytes 0-9/100"),
        (b"repr-digest", b"sha-256=:x:"),
    ],
)
async def test_what_a_change_would_harm_is_left_alone(header: tuple[bytes, bytes]) -> None:
    response = await page(PAGE, headers=[header, (b"etag", b'"1"')])
    assert (response.body, response.one("etag")) == (PAGE, '"1"')


@pytest.mark.parametrize(
    "media_type", [b"application/json", b"text/plain", b"image/svg+xml", b"text/html; charset=utf-16"]
)
async def test_what_is_no_html_page_is_left_alone(media_type: bytes) -> None:
    app = answering(200, [(b"content-type", media_type), (b"etag", b'"1"')], PAGE)
    response = await request(inserting(app))
    assert (response.body, response.one("etag")) == (PAGE, '"1"')


async def etag_of(policy: SitePolicy, etag: bytes = b'"abc"') -> str:
    app = answering(200, [HTML, (b"etag", etag)], PAGE)
    tag = (await request(inserting(app, policy))).one("etag")
    assert tag is not None
    return tag


async def test_a_page_with_other_tags_has_another_entity_tag() -> None:
    private = SitePolicy(visibility="private")
    tags = {await etag_of(UNSET), await etag_of(OPTED_OUT), await etag_of(private)}
    assert len(tags) == 3
    assert re.fullmatch(r'W/"abc-ai[0-9a-f]{8}"', await etag_of(OPTED_OUT, b'W/"abc"'))


async def test_a_page_without_an_entity_tag_has_no_date_that_vouches_for_it() -> None:
    response = await page(PAGE, headers=[(b"last-modified", b"Mon, 23 Nov 2026 00:00:00 GMT")])
    assert response.one("last-modified") is None


def site(directory: Path, *middleware: Middleware) -> Starlette:
    async def streamed(request: Request) -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            for part in (PAGE[:20], PAGE[20:60], PAGE[60:]):
                yield part

        return StreamingResponse(parts(), media_type="text/html")

    async def home(request: Request) -> HTMLResponse:
        return HTMLResponse(PAGE * 50)

    routes = [
        Route("/", home),
        Route("/streamed", streamed),
        Mount("/files", StaticFiles(directory=directory)),
    ]
    return Starlette(routes=routes, middleware=list(middleware))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "page.html").write_bytes(PAGE)
    (tmp_path / "photo.bin").write_bytes(bytes(range(100)))
    return tmp_path


async def test_a_static_page_is_revalidated_with_the_tag_that_was_sent(files: Path) -> None:
    app = inserting(site(files))
    first = await request(app, "/files/page.html")
    assert TAGS in first.body
    tag = first.one("etag")
    assert tag is not None
    again = await request(app, "/files/page.html", headers=[(b"if-none-match", tag.encode())])
    assert (again.status, again.body, again.one("etag")) == (304, b"", tag)


async def test_a_client_with_the_page_of_an_earlier_policy_gets_the_new_one(files: Path) -> None:
    before = await request(inserting(site(files), UNSET), "/files/page.html")
    tag = (before.one("etag") or "").encode()
    after = await request(inserting(site(files)), "/files/page.html", headers=[(b"if-none-match", tag)])
    assert (after.status, TAGS in after.body) == (200, True)


async def test_a_file_that_is_no_page_is_revalidated_as_before(files: Path) -> None:
    (files / "data").write_bytes(b"no name says what this is")
    app = inserting(site(files))
    for path in ("/files/photo.bin", "/files/data"):
        tag = (await request(app, path)).one("etag") or ""
        again = await request(app, path, headers=[(b"if-none-match", tag.encode())])
        assert (again.status, again.body, again.one("etag")) == (304, b"", tag)


async def test_a_head_request_has_the_same_tag_as_a_get(files: Path) -> None:
    app = inserting(site(files))
    head, got = await request(app, "/files/page.html", method="HEAD"), await request(app, "/files/page.html")
    assert head.one("etag") == got.one("etag")
    assert head.one("content-length") in (None, got.one("content-length"))


async def test_ranges_of_a_file_that_is_no_page_work_as_before(files: Path) -> None:
    response = await request(inserting(site(files)), "/files/photo.bin", headers=[(b"range", b"bytes=10-19")])
    assert (response.status, response.body) == (206, bytes(range(10, 20)))


async def test_streaming_and_compression_outside_work(files: Path) -> None:
    app = GZipMiddleware(inserting(site(files)))
    response = await request(app, "/", headers=[(b"accept-encoding", b"gzip")])
    assert gzip.decompress(response.body) == (PAGE * 50).replace(b"<head>", b"<head>" + TAGS, 1)
    assert TAGS in (await request(app, "/streamed")).body


async def test_a_page_that_is_compressed_inside_stays_as_it_is(files: Path) -> None:
    app = inserting(site(files, Middleware(GZipMiddleware)))
    response = await request(app, "/", headers=[(b"accept-encoding", b"gzip")])
    assert gzip.decompress(response.body) == PAGE * 50
    assert response.one("content-usage") == "train-ai=n"


def test_markup_in_a_policy_url_cannot_leave_its_tag() -> None:
    tags = b'<meta name="tdm-policy" content="https://blog.example/?a=&quot;&gt;">'
    assert TagInsertion(tags).into(b"<head>") == b"<head>" + tags


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_values_of_headers_may_be_any_bytes(kind: type[bytes]) -> None:
    headers = [(b"content-type", b"text/html"), (b"content-length", kind(b"%d" % len(PAGE)))]
    messages = await sent_for(headers, {"type": "http.response.body", "body": PAGE})
    assert [message["type"] for message in messages] == ["http.response.start", "http.response.body"]
    lengths = [bytes(value) for name, value in messages[0]["headers"] if name == b"content-length"]
    assert lengths == [b"%d" % len(messages[1]["body"])]


@pytest.mark.parametrize("kind", ["http.response.pathsend", "http.response.zerocopysend"])
@pytest.mark.parametrize("before", [b"", b"<html>"])
@pytest.mark.parametrize("conditions", [[], [(b"if-none-match", b'"1"')], [(b"range", b"bytes=0-1")]])
async def test_a_file_that_is_sent_unasked_comes_after_its_headers(
    kind: str, before: bytes, conditions: list[tuple[bytes, bytes]]
) -> None:
    messages: list[Message] = [{"type": kind, "path": "/page.html", "file": 3}]
    if before:
        messages.insert(0, {"type": "http.response.body", "body": before, "more_body": True})
    headers = [(b"content-type", b"text/html"), (b"etag", b'"1"')]
    start, *rest = await sent_for(headers, *messages, conditions=conditions)
    assert start["type"] == "http.response.start"
    assert rest[-1] == messages[-1]
    assert b"".join(message.get("body", b"") for message in rest) == before


async def test_not_modified_ends_also_where_a_file_is_sent_unasked() -> None:
    headers = [(b"content-type", b"text/css"), (b"etag", b'"1"')]
    file = {"type": "http.response.pathsend", "path": "/site.css"}
    messages = await sent_for(headers, file, conditions=[(b"if-none-match", b'"1"')])
    assert [(m["type"], m.get("status"), m.get("body")) for m in messages] == [
        ("http.response.start", 304, None),
        ("http.response.body", None, b""),
    ]


async def sent_for(
    headers: list[tuple[bytes, bytes]],
    *messages: Message,
    conditions: list[tuple[bytes, bytes]] | None = None,
) -> list[Message]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for message in messages:
            await send(message)

    wrapped = AIPolicyMiddleware(app, lookup(), html=True)
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await wrapped(http_scope("/", headers=conditions or ()), receive, send)
    return sent
