"""With meta tags, a client's page is valid only with today's tags, and pages are never sent in part."""

import re
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.core.policy import SitePolicy
from tests.asgi.apps import OPTED_OUT, UNSET, Headers, Recording, answering, lookup
from tests.asgi.test_html import HTML, PAGE, TAGS, files, inserting, page, site
from tests.asgi_client import Response, http_scope, request

__all__ = ["files"]  # a fixture

OLD, DATE = b'"v1"', b"Mon, 23 Nov 2026 00:00:00 GMT"
ETAG, MODIFIED = (b"etag", OLD), (b"last-modified", DATE)


def is_condition(scope: Scope) -> bool:
    """Return True if an application without tags would answer 304."""
    request_headers = dict(scope["headers"])
    return (
        OLD in request_headers.get(b"if-none-match", b"") or request_headers.get(b"if-modified-since") == DATE
    )


class Revalidating:
    """An application that reads the request's body, and revalidates its only page."""

    def __init__(
        self, *headers: tuple[bytes, bytes], media_type: bytes = b"text/html", chunks: int = 0
    ) -> None:
        self.headers = [(b"content-type", media_type), *headers]
        self.chunks = chunks
        self.sent = 0
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.bodies.append(await Request(scope, receive).body())
        if is_condition(scope):
            await send({"type": "http.response.start", "status": 304, "headers": self.headers[1:]})
            return await send({"type": "http.response.body", "body": b""})
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        await send({"type": "http.response.body", "body": PAGE, "more_body": True})
        for _ in range(self.chunks):
            self.sent += 1
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        return await send({"type": "http.response.body", "body": b""})


async def once(app: ASGIApp, *headers: tuple[bytes, bytes], method: str = "GET") -> Response:
    """Request a page with a body that can be read once only, as from a server."""
    messages: list[Message] = []
    waiting: list[Message] = [
        {"type": "http.request", "body": b"a", "more_body": True},
        {"type": "http.request", "body": b"b", "more_body": False},
    ]

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        messages.append(message)

    await app(http_scope("/wiki/photo.jpg", method=method, headers=headers), receive, send)
    start, *bodies = messages
    assert start["type"] == "http.response.start"
    assert {message["type"] for message in bodies} == {"http.response.body"}
    assert [message.get("more_body", False) for message in bodies].index(False) == len(bodies) - 1
    return Response(start["status"], start["headers"], b"".join(m["body"] for m in bodies), messages)


@pytest.mark.parametrize(
    "conditions",
    [
        [(b"if-none-match", OLD)],
        [(b"if-none-match", b'"v0", W/"v1"')],
        [(b"if-none-match", b"*")],
        [(b"if-none-match", b'"v1-ai00000000"')],
        [(b"if-modified-since", DATE)],
        [(b"if-none-match", OLD), (b"if-modified-since", DATE)],
        [(b"if-none-match", b'"other"'), (b"if-modified-since", DATE)],
        [(b"if-none-match", b'"v0"'), (b"if-none-match", OLD)],
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_page_from_before_the_opt_out_is_never_not_modified(conditions: Headers, method: str) -> None:
    app = Revalidating(ETAG, MODIFIED)
    response = await once(inserting(app), *conditions, method=method)
    assert response.status == 200
    assert (TAGS in response.body) is (method == "GET")
    assert app.bodies == [b"ab"]


async def tag_of(app: ASGIApp) -> bytes:
    tag = (await once(app, method="HEAD")).one("etag")
    assert tag is not None
    return tag.encode()


async def test_a_page_with_its_tags_is_not_modified_until_the_policy_changes() -> None:
    app = Revalidating((b"etag", b'W/"v1"'), MODIFIED)
    tag = await tag_of(inserting(app))
    assert re.fullmatch(rb'W/"v1-ai[0-9a-f]{8}"', tag)
    for value in (tag, tag.removeprefix(b"W/"), b'"x", ' + tag, tag + b',"y"'):
        again = await once(inserting(app), (b"if-none-match", value), (b"if-modified-since", DATE))
        assert (again.status, again.one("etag"), again.body) == (304, tag.decode(), b"")
        assert again.one("content-usage") == "train-ai=n"
    private = SitePolicy(visibility="private")
    assert (await once(inserting(app, private), (b"if-none-match", tag))).status == 200


@pytest.mark.parametrize("policy", [UNSET, SitePolicy.from_preset("allow")])
async def test_of_a_site_without_tags_a_request_stays_as_it_is(
    policy: SitePolicy,
) -> None:
    recording = Recording()
    conditions = [(b"if-none-match", OLD), (b"if-modified-since", DATE), (b"range", b"bytes=0-9")]
    await once(inserting(recording, policy), *conditions)
    assert recording.scopes[0]["headers"][-3:] == conditions


@pytest.mark.parametrize(
    ("headers", "conditions", "status"),
    [
        ([ETAG], [(b"if-none-match", OLD)], 304),
        ([(b"ETag", b'W/"v1"')], [(b"if-none-match", b'"v0", "v1"')], 304),
        ([ETAG], [(b"if-none-match", b"*")], 304),
        ([(b"etag", b"unquoted")], [(b"if-none-match", b"unquoted")], 304),
        ([ETAG, MODIFIED], [(b"if-none-match", b'"v2"'), (b"if-modified-since", DATE)], 200),
        ([MODIFIED], [(b"if-modified-since", DATE)], 304),
        ([MODIFIED], [(b"if-modified-since", b"Tue, 24 Nov 2026 00:00:00 GMT")], 304),
        ([MODIFIED], [(b"if-modified-since", b"Sun, 22 Nov 2026 00:00:00 GMT")], 200),
        ([(b"last-modified", b"yesterday")], [(b"if-modified-since", b"today")], 200),
        ([], [(b"if-none-match", OLD)], 200),
    ],
)
async def test_what_is_no_page_is_not_modified_as_http_has_it(
    headers: Headers, conditions: Headers, status: int
) -> None:
    more = [(b"content-length", str(len(PAGE)).encode()), (b"vary", b"cookie")]
    app = Revalidating(*headers, *more, media_type=b"image/jpeg")
    response = await once(inserting(app), *conditions)
    assert (response.status, response.body) == (status, b"" if status == 304 else PAGE)
    assert (response.one("vary"), response.one("content-usage")) == ("cookie", "train-ai=n")
    assert (response.one("content-length") is None) is (status == 304)


async def test_of_a_long_file_that_the_client_has_little_is_read() -> None:
    app = Revalidating(ETAG, media_type=b"video/mp4", chunks=1000)
    assert (await once(inserting(app), (b"if-none-match", OLD))).status == 304
    assert app.sent <= 20


async def test_what_an_application_raises_is_raised_after_not_modified_too() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [ETAG]})
        raise LookupError("the application's own trouble")

    with pytest.raises(LookupError, match="own trouble"):
        await once(inserting(app), (b"if-none-match", OLD))


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
async def test_conditions_of_a_change_are_the_applications(method: str) -> None:
    recording, tag = Recording(), await tag_of(inserting(Revalidating(ETAG)))
    conditions = [(b"if-none-match", b"*"), (b"if-modified-since", DATE), (b"if-match", tag)]
    await once(inserting(recording), *conditions, method=method)
    assert recording.scopes[0]["headers"][-3:] == [*conditions[:2], (b"if-match", OLD)]


@pytest.mark.parametrize(("policy", "status"), [(OPTED_OUT, 304), (UNSET, 200)])
async def test_an_authors_no_is_not_hidden_by_an_old_page(policy: SitePolicy, status: int) -> None:
    """The application's validator ignores the author's choice; with the same tags the page is the same."""
    stated: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if is_condition(scope):
            await send({"type": "http.response.start", "status": 304, "headers": [ETAG]})
            return await send({"type": "http.response.body", "body": b""})
        scope["state"]["aipolicy"] = stated[0] if stated else None
        await send({"type": "http.response.start", "status": 200, "headers": [HTML, ETAG]})
        return await send({"type": "http.response.body", "body": PAGE})

    mounted = AIPolicyMiddleware(app, lookup(blog=policy), html=True, post_preferences=True)
    tag = await tag_of(mounted)
    assert (await once(mounted, (b"if-none-match", tag))).status == 304
    stated.append(SitePolicy(visibility="private").effective)
    response = await once(mounted, (b"if-none-match", tag))
    assert response.one("content-usage") == "train-ai=n, ai-use=n, search=n"
    assert (response.status, b'<meta name="robots"' in response.body) == (status, status == 200)


async def test_a_page_is_sent_completely_whatever_part_is_asked_for(files: Path) -> None:
    app = inserting(site(files))
    complete = await request(app, "/files/page.html")
    assert (complete.one("accept-ranges"), TAGS in complete.body) == ("none", True)
    etag = ((await request(site(files), "/files/page.html")).one("etag") or "").encode()
    for headers in (
        [(b"range", b"bytes=0-9")],
        [(b"range", b"bytes=0-")],
        [(b"range", b"bytes=0-9,20-29")],
        [(b"range", b"bytes=20-"), (b"if-range", etag)],  # the rest of the page without tags
        [(b"range", b"bytes=20-"), (b"if-range", (complete.one("etag") or "").encode())],
    ):
        ranged = await request(app, "/files/page.html", headers=headers)
        assert (ranged.status, ranged.headers, ranged.body) == (200, complete.headers, complete.body)


async def test_a_file_that_is_no_page_is_sent_in_part(files: Path) -> None:
    app = inserting(site(files))
    current = ((await request(app, "/files/photo.bin")).one("etag") or "").encode()
    for etag, answer in ((current, (206, bytes(range(90, 100)))), (b'"old"', (200, bytes(range(100))))):
        headers = [(b"range", b"bytes=90-"), (b"if-range", etag)]
        response = await request(app, "/files/photo.bin", headers=headers)
        assert (response.status, response.body) == answer
    several = await request(app, "/files/photo.bin", headers=[(b"range", b"bytes=0-9,20-29")])
    assert (several.status, several.body) == (200, bytes(range(100)))  # a page may hide in several parts


async def test_the_body_of_a_request_can_be_read_again_where_a_page_is_asked_for_whole() -> None:
    bodies: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        bodies.append(await Request(scope, receive).body())
        Request(scope).state.seen = hasattr(Request(scope).state, "seen")
        assert not Request(scope).state.seen, "what the first call noted was left"
        status = 206 if b"range" in dict(scope["headers"]) else 200
        await send({"type": "http.response.start", "status": status, "headers": [HTML]})
        await send({"type": "http.response.body", "body": PAGE})

    mounted = AIPolicyMiddleware(app, lookup(blog=OPTED_OUT), html=True, post_preferences=True)
    response = await once(mounted, (b"range", b"bytes=0-"))
    assert (response.status, TAGS in response.body, bodies) == (200, True, [b"ab", b"ab"])


@pytest.mark.parametrize("status", [200, 404, 500, 503])
async def test_a_long_page_is_sent_completely_whatever_its_status(status: int) -> None:
    long = PAGE + b"x" * 2_000_000
    headers = [HTML, (b"content-length", str(len(long)).encode())]
    for cut in (10, 1000, len(long)):
        response = await request(inserting(answering(status, headers, long[:cut], long[cut:])), "/post")
        assert response.body == long.replace(b"<head>", b"<head>" + TAGS, 1)
        assert response.one("content-length") == str(len(response.body))


@pytest.mark.parametrize("length", [b"9" * 5000, b"-1", b"", b"1, 1", b"\xb2"])
async def test_an_invalid_content_length_is_ignored(length: bytes) -> None:
    response = await page(PAGE, headers=[(b"content-length", length)])
    assert (response.one("content-length"), TAGS in response.body) == (None, True)
