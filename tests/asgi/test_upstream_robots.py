"""The wrapped application's own robots.txt is merged, whatever its content and its failures."""

import asyncio
import logging
import os
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Preferences
from aipolicy.rendering import Document, Rendering, render, robots_document
from aipolicy.robotstxt.parser import RobotsTxt
from tests.asgi.apps import answering, lookup, wrapped
from tests.asgi_client import http_scope, request

OWN = b"User-agent: *\nDisallow: /drafts/\n\nUser-agent: GPTBot\nAllow: /\n\nSitemap: https://blog.example/map.xml\n"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def with_clock(app: AIPolicyMiddleware) -> tuple[AIPolicyMiddleware, Clock]:
    """Return ``app`` with a clock of the test's for its copies of the application's robots.txt."""
    own = app._upstream_robots
    assert own is not None
    own._clock = clock = Clock()
    own._unknown_reads._counted_at = clock.now
    return app, clock


async def until(condition: Callable[[], bool]) -> None:
    """Wait for background work."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)


def serving(*routes: tuple[str, Response]) -> ASGIApp:
    def endpoint(response: Response) -> Callable[[Request], Response]:
        return lambda _: response

    return Starlette(routes=[Route(path, endpoint(response)) for path, response in routes])


async def test_its_rules_stay_and_what_it_allowed_a_blocked_crawler_goes() -> None:
    response = await request(wrapped(answering(robots=OWN)), "/robots.txt")
    robots = RobotsTxt.parse(response.body)
    by_token = {token: group for group in robots.groups for token in group.tokens}
    assert [str(rule) for rule in by_token["*"].rules] == ["Disallow: /drafts/"]
    assert [str(rule) for rule in by_token["GPTBot"].rules] == ["Disallow: /"]
    assert "Sitemap: https://blog.example/map.xml" in response.text


async def test_a_blog_that_said_nothing_keeps_it_byte_for_byte() -> None:
    response = await request(wrapped(answering(robots=OWN), silent=False), "/robots.txt", "silent.example")
    assert response.body == OWN


async def test_the_sites_own_base_goes_before_the_applications() -> None:
    policy = SitePolicy.from_preset("no-training", robots_base="User-agent: *\nDisallow: /mine/\n")
    response = await request(wrapped(answering(robots=OWN), blog=policy), "/robots.txt")
    assert "/mine/" in response.text
    assert "/drafts/" not in response.text


async def test_it_can_be_left_alone() -> None:
    app = AIPolicyMiddleware(answering(robots=OWN), lookup(), merge_own=False)
    assert "/drafts/" not in (await request(app, "/robots.txt")).text


async def test_head_and_conditional_requests_see_the_merged_file() -> None:
    app = wrapped(serving(("/robots.txt", PlainTextResponse(OWN))))
    get = await request(app, "/robots.txt", headers=[(b"if-none-match", b'"x"'), (b"range", b"bytes=0-3")])
    head = await request(app, "/robots.txt", method="HEAD")
    assert "/drafts/" in get.text
    assert head.headers == get.headers


async def test_streamed_files_and_compressing_applications_are_read_completely(tmp_path: Path) -> None:
    (tmp_path / "robots.txt").write_bytes(OWN)
    responses = [StreamingResponse(iter([OWN[:10], OWN[10:]])), FileResponse(tmp_path / "robots.txt")]
    for own in responses:
        app = GZipMiddleware(serving(("/robots.txt", own)), minimum_size=1)
        response = await request(wrapped(app), "/robots.txt", headers=[(b"accept-encoding", b"gzip")])
        assert "/drafts/" in response.text


async def test_an_application_that_answers_everything_with_a_page_has_no_robots_txt() -> None:
    page = Response("<html>User-agent: *\nDisallow: /\n</html>", media_type="text/html")
    response = await request(wrapped(serving(("/robots.txt", page))), "/robots.txt")
    assert response.text.endswith("Content-Usage: train-ai=n\nAllow: /\n# END aipolicy\n")


@pytest.mark.parametrize("status", [404, 410])
async def test_a_404_or_410_means_that_it_has_no_rules(status: int) -> None:
    app = serving(("/robots.txt", PlainTextResponse("User-agent: *\nDisallow: /\n", status)))
    response = await request(wrapped(app), "/robots.txt")
    assert (response.status, response.text.count("Disallow: /")) == (200, 1)
    assert response.one("cache-control") == "public, max-age=600"


async def test_a_redirect_within_the_application_is_followed() -> None:
    app = serving(
        ("/robots.txt", RedirectResponse("/static/robots.txt")),
        ("/static/robots.txt", PlainTextResponse(OWN)),
    )
    assert "/drafts/" in (await request(wrapped(app), "/robots.txt")).text


@pytest.mark.parametrize("target", ["https://elsewhere.example/robots.txt", "/robots.txt"])
async def test_a_redirect_elsewhere_or_in_circles_brings_no_rules(target: str) -> None:
    response = await request(wrapped(serving(("/robots.txt", RedirectResponse(target)))), "/robots.txt")
    assert response.status == 200
    assert "User-agent: GPTBot" in response.text


async def test_a_redirect_without_an_end_is_followed_five_times() -> None:
    asked: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["path"])
        await RedirectResponse(f"{scope['path']}x")(scope, receive, send)

    await request(wrapped(app), "/robots.txt")
    assert asked == ["/robots.txt" + "x" * times for times in range(6)]


class Failing:
    """An application that serves OWN until ``failure`` is set."""

    def __init__(self) -> None:
        self.failure: str | None = None
        self.asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        if self.failure == "raises":
            raise RuntimeError("the application's own trouble")
        status = 503 if self.failure else 200
        await send({"type": "http.response.start", "status": status, "headers": [(b"x-app", b"1")]})
        await send({"type": "http.response.body", "body": b"down" if self.failure else OWN})


@pytest.mark.parametrize("failure", ["raises", "answers 503"])
async def test_when_it_fails_the_last_known_rules_are_served(
    failure: str, caplog: pytest.LogCaptureFixture
) -> None:
    own = Failing()
    app = AIPolicyMiddleware(own, lookup(), own_robots_ttl=0)
    good = await request(app, "/robots.txt")
    own.failure = failure
    with caplog.at_level(logging.WARNING, "aipolicy"):
        assert (await request(app, "/robots.txt")).body == good.body
    assert "blog.example" in caplog.text


@pytest.mark.parametrize("failure", ["raises", "answers 503"])
async def test_when_it_failed_from_the_start_ours_is_served_alone_and_it_is_asked_again_soon(
    failure: str,
) -> None:
    own = Failing()
    own.failure = failure
    app, clock = with_clock(AIPolicyMiddleware(own, lookup()))
    for _ in range(3):
        response = await request(app, "/robots.txt")
        assert response.status == 200
        assert "User-agent: GPTBot" in response.text
        assert "/drafts/" not in response.text
        # What is missing its own rules must not be cached for longer than the failure lasts.
        assert response.one("cache-control") == "public, max-age=60"
    assert own.asked == 1
    own.failure = None
    clock.now += 1
    response = await request(app, "/robots.txt")
    assert "/drafts/" in response.text
    assert response.one("cache-control") == "public, max-age=600"


async def test_it_is_asked_once_a_minute_a_known_host_and_every_time_for_unknown_hosts() -> None:
    own = Failing()
    app = wrapped(own)
    for host in ["blog.example", "BLOG.example:80", "blog.example."]:
        await request(app, "/robots.txt", host)
    assert own.asked == 1
    for number in range(3):
        await request(app, "/robots.txt", f"unknown{number}.example")
    assert own.asked == 4


async def test_a_file_over_the_limit_is_cut_and_the_opt_out_stays(caplog: pytest.LogCaptureFixture) -> None:
    groups = b"".join(b"User-agent: x%d\nDisallow: /%d\n\n" % (number, number) for number in range(12_000))
    own = b"User-agent: *\nDisallow: /drafts/\n\n" + groups
    assert len(own) < 500 * 1024
    response = await request(wrapped(answering(robots=own)), "/robots.txt")
    assert "is cut" in caplog.text
    assert len(response.body) <= 500 * 1024
    assert "User-agent: GPTBot\n" in response.text
    assert "/drafts/" in response.text


async def test_an_endless_file_is_read_no_further_than_crawlers_read() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(200):
            await send({"type": "http.response.body", "body": b"# a comment\n" * 1000, "more_body": True})
        await send({"type": "http.response.body", "body": b"\nUser-agent: *\nDisallow: /late/\n"})

    response = await request(wrapped(app), "/robots.txt")
    assert len(response.body) <= 500 * 1024
    assert "/late/" not in response.text


async def test_an_application_that_waits_for_a_disconnect_is_answered_when_it_is_done() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.request"
        waiting = asyncio.ensure_future(receive())  # as streaming responses do
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0)
        assert not waiting.done()
        await send({"type": "http.response.body", "body": OWN})
        assert (await waiting)["type"] == "http.disconnect"

    assert "/drafts/" in (await request(wrapped(app), "/robots.txt")).text


async def test_what_is_kept_of_the_applications_files_is_bounded_in_memory() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        number = scope["headers"][0][1].partition(b".")[0]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"# " + number * 100_000})

    sites = {f"s{number}": True for number in range(100, 300)}
    middleware = wrapped(app, **sites)
    tracemalloc.start()
    for site in sites:
        await request(middleware, "/robots.txt", f"{site}.example")
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 120 * 1024 * 1024


class Changing:
    """An application with the response ``answer``: also an exception to raise, or another application."""

    def __init__(self, answer: "Response | BaseException | ASGIApp") -> None:
        self.answer = answer
        self.scopes: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        if isinstance(self.answer, BaseException):
            raise self.answer
        await self.answer(scope, receive, send)


def sending(*messages: Message) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


def start(status: int = 200, *headers: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


OTHER = b"User-agent: *\nDisallow: /other/\n"
BODY: Message = {"type": "http.response.body", "body": OTHER}
FAILURES: dict[str, "Response | BaseException | ASGIApp"] = {
    **{str(status): PlainTextResponse(OTHER, status) for status in (206, 300, 304, 400, 401, 403, 405)},
    **{
        str(status): PlainTextResponse(OTHER, status)
        for status in (406, 418, 421, 429, 451, 500, 502, 503, 504)
    },
    "a page": Response(b"<h1>Welcome</h1>", media_type="text/html"),
    "a page in capitals": Response(OTHER, headers={"content-type": "Text/HTML; Charset=UTF-8"}),
    "a page as XHTML": Response(OTHER, media_type="application/xhtml+xml"),
    "a page that is called text": PlainTextResponse("\n <!DOCTYPE html><title>Login</title>"),
    "a page without a type": sending(start(), {"type": "http.response.body", "body": b"<html>"}),
    "an encoding not asked for": PlainTextResponse(OTHER, headers={"content-encoding": "gzip"}),
    "an unknown encoding": PlainTextResponse(OTHER, headers={"content-encoding": "X-Own"}),
    "a redirect to another site": RedirectResponse("https://elsewhere.example/robots.txt"),
    "a redirect to another port": RedirectResponse("https://blog.example:8443/robots.txt"),
    "a redirect with a user": RedirectResponse("https://user@blog.example/robots.txt"),
    "a redirect to another scheme": RedirectResponse("ftp://blog.example/robots.txt"),
    "a redirect to no URL": PlainTextResponse("", 302, {"location": "https://[::1/robots.txt"}),
    "a redirect to nowhere": PlainTextResponse("", 302),
    "a redirect in circles": RedirectResponse("/robots.txt"),
    "an exception": RuntimeError("the application's own trouble"),
    "its timeout": TimeoutError("the application's own"),
    "a SystemExit": SystemExit(3),
    "a KeyboardInterrupt": KeyboardInterrupt(),
    "a cancellation": asyncio.CancelledError(),
    "nothing": sending(),
    "a cut answer": sending(start(), {**BODY, "more_body": True}),
    "an answer shorter than it says": sending(start(200, (b"Content-Length", b"999")), BODY),
    "an answer longer than it says": sending(start(200, (b"content-length", b"3")), BODY),
    "a body without a start": sending(BODY),
    "a malformed start": sending({"type": "http.response.start", "status": "200", "headers": []}, BODY),
    "text for headers": sending(
        {"type": "http.response.start", "status": 200, "headers": [("a", "b")]}, BODY
    ),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_any_answer_but_no_such_file_leaves_the_last_copy(
    failure: str, caplog: pytest.LogCaptureFixture
) -> None:
    own = Changing(PlainTextResponse(OWN))
    app, clock = with_clock(wrapped(own))
    good = await request(app, "/robots.txt")
    own.answer = FAILURES[failure]
    for seconds in (61, 1, 2, 4, 3600):
        clock.now += seconds
        tried = len(own.scopes)
        assert (await request(app, "/robots.txt")).body == good.body
        await until(lambda tried=tried: len(own.scopes) > tried and "can't be read" in caplog.text)  # type: ignore[misc]
        await until(lambda: not reading(app))
    assert "'blog.example'" in caplog.text
    own.answer = PlainTextResponse(OTHER)
    clock.now += 60
    await request(app, "/robots.txt")
    await until(lambda: not reading(app))
    assert "/other/" in (await request(app, "/robots.txt")).text


@pytest.mark.parametrize("failure", FAILURES)
async def test_without_a_copy_ours_is_served_alone(failure: str) -> None:
    response = await request(wrapped(Changing(FAILURES[failure])), "/robots.txt")
    assert response.status == 200
    assert "User-agent: GPTBot" in response.text
    assert "/other/" not in response.text
    assert response.one("cache-control") == "public, max-age=60"


def reading(app: AIPolicyMiddleware) -> bool:
    """Return True while the application's robots.txt is being read."""
    own = app._upstream_robots
    assert own is not None
    return bool(own._background.state().reads)


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_of_a_blog_that_said_nothing_the_application_answers_itself_where_its_file_is_unknown(
    status: int,
) -> None:
    own = Changing(PlainTextResponse("no", status, {"x-app": "1"}))
    response = await request(wrapped(own, blog=False), "/robots.txt")
    assert (response.status, response.body, response.one("x-app")) == (status, b"no", "1")
    own.answer = RedirectResponse("https://cdn.elsewhere.example/robots.txt")
    response = await request(wrapped(own, blog=False), "/robots.txt")
    assert (response.status, response.one("location")) == (307, "https://cdn.elsewhere.example/robots.txt")


@pytest.mark.parametrize("html", [False, True])
async def test_a_long_error_page_of_the_application_goes_out_whole_under_its_length(html: bool) -> None:
    chunks = [b"x" * 100_000] * 7
    headers = [(b"content-type", b"text/html"), (b"content-length", b"700000")]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    response = await request(AIPolicyMiddleware(app, lookup(blog=False), html=html), "/robots.txt")
    assert (response.status, response.one("content-length")) == (500, "700000")
    assert response.body == b"".join(chunks)
    response = await request(AIPolicyMiddleware(app, lookup(blog=True), html=html), "/robots.txt")
    assert (response.status, response.one("content-length")) == (200, str(len(response.body)))
    assert b"User-agent: GPTBot" in response.body


async def test_the_log_says_what_an_application_raised_that_answered_500(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def robots(request: Request) -> Response:
        raise ValueError("no such table: pages")

    app = wrapped(Starlette(routes=[Route("/robots.txt", robots)]))
    with caplog.at_level(logging.WARNING, "aipolicy"):
        await request(app, "/robots.txt")
    assert "it answered 500 and raised ValueError('no such table: pages')" in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("status", [401, 403, 429])
async def test_the_log_says_which_client_a_firewall_or_a_rate_limiter_must_allow(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "aipolicy"):
        await request(wrapped(PlainTextResponse("no", status)), "/robots.txt")
    (line,) = (text for text in caplog.messages if f"it answered {status}; let 'aipolicy/" in text)
    assert "read it, or use own_robots=..." in line


async def test_the_log_says_what_to_do_about_an_application_that_answers_every_path_with_a_page(
    caplog: pytest.LogCaptureFixture,
) -> None:
    page = Response("<!doctype html><div id=app></div>", media_type="text/html")
    with caplog.at_level(logging.WARNING, "aipolicy"):
        await request(wrapped(page), "/robots.txt")
    assert "answer 404 if there is no robots.txt, or use merge_own=False" in caplog.text
    caplog.clear()
    app = AIPolicyMiddleware(page, lookup(), merge_own=False)
    assert "User-agent: GPTBot" in (await request(app, "/robots.txt")).text
    assert caplog.messages == []


async def test_an_application_that_answers_itself_gets_the_whole_request() -> None:
    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        if dict(scope["headers"])[b"user-agent"].startswith(b"aipolicy/"):
            return await PlainTextResponse("no", 503)(scope, receive, send)
        body = (await receive())["body"]
        assert (await receive())["type"] == "http.disconnect"
        return await PlainTextResponse(body)(scope, receive, send)

    messages: list[Message] = [
        {"type": "http.disconnect"},
        {"type": "http.request", "body": b"a body", "more_body": False},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop()

    async def send(message: Message) -> None:
        sent.append(message)

    await wrapped(echo, blog=False)(http_scope("/robots.txt"), receive, send)
    assert sent[1]["body"] == b"a body"


@pytest.mark.parametrize(
    "body", [b"", b"\n", b" \r\n\r\n", b"\xef\xbb\xbf", b"# nothing\n", OWN, b"\xff\xfe"]
)
async def test_of_a_blog_that_said_nothing_every_file_stays_byte_for_byte_also_an_empty_one(
    body: bytes,
) -> None:
    app = wrapped(serving(("/robots.txt", PlainTextResponse(body))), blog=False)
    assert (await request(app, "/robots.txt")).body == body
    policy = SitePolicy.from_preset("unset", robots_base=body.decode("utf-8", "replace"))
    response = await request(wrapped(answering(), blog=policy), "/robots.txt")
    assert response.body == body.decode("utf-8", "replace").encode()


async def test_a_copy_is_read_again_in_the_background_and_once_at_a_time() -> None:
    release = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await release.wait()
        await PlainTextResponse(OTHER)(scope, receive, send)

    own = Changing(PlainTextResponse(OWN))
    app, clock = with_clock(wrapped(own))
    await request(app, "/robots.txt")
    own.answer = slow
    clock.now += 61
    for _ in range(20):
        assert "/drafts/" in (await request(app, "/robots.txt")).text
    await until(lambda: len(own.scopes) == 2)
    release.set()
    await until(lambda: not reading(app))
    assert "/other/" in (await request(app, "/robots.txt")).text
    assert len(own.scopes) == 2


async def test_after_twice_its_time_a_request_waits_for_the_new_file() -> None:
    own = Changing(PlainTextResponse(OWN))
    app, clock = with_clock(wrapped(own))
    await request(app, "/robots.txt")
    own.answer = PlainTextResponse(OTHER)
    clock.now += 121
    assert "/other/" in (await request(app, "/robots.txt")).text


async def test_after_twice_its_time_a_file_that_does_not_come_leaves_the_copy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aipolicy.asgi.upstream_robots._MAX_WAIT", 0.01)

    async def hanging(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    own = Changing(PlainTextResponse(OWN))
    app, clock = with_clock(wrapped(own))
    await request(app, "/robots.txt")
    own.answer = hanging
    clock.now += 121
    assert "/drafts/" in (await request(app, "/robots.txt")).text
    assert len(own.scopes) == 2


async def test_a_hundred_requests_at_once_read_it_once() -> None:
    own = Changing(PlainTextResponse(OWN))
    app = wrapped(own)
    responses = await asyncio.gather(*(request(app, "/robots.txt") for _ in range(100)))
    assert all("/drafts/" in response.text for response in responses)
    assert len(own.scopes) == 1


async def test_an_answer_counts_before_the_application_has_ended() -> None:
    ended = asyncio.Event()
    release = asyncio.Event()

    async def with_work_after_it(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(OWN)(scope, receive, send)
        await release.wait()
        ended.set()
        raise RuntimeError("after the answer")

    app = wrapped(with_work_after_it)
    assert "/drafts/" in (await request(app, "/robots.txt")).text
    release.set()
    async with asyncio.timeout(60):
        await ended.wait()
    assert "/drafts/" in (await request(app, "/robots.txt")).text


class Hanging:
    """An application that never answers, and records its end."""

    def __init__(self) -> None:
        self.asked = 0
        self.cancelled = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled += 1


async def test_reading_ends_when_the_last_client_that_waits_for_it_is_cancelled() -> None:
    own = Hanging()
    app = wrapped(own)
    clients = [asyncio.ensure_future(request(app, "/robots.txt")) for _ in range(3)]
    await until(lambda: own.asked == 1)
    for client in clients[:2]:
        client.cancel()
    await asyncio.wait(clients[:2])
    await asyncio.sleep(0)
    assert own.cancelled == 0
    clients[2].cancel()
    await until(lambda: own.cancelled == 1)
    assert not reading(app)


async def test_reading_ends_when_the_last_client_that_waits_for_it_disconnects() -> None:
    own = Hanging()
    app = wrapped(own)
    hung_up = asyncio.Event()
    messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None: ...

    client = asyncio.ensure_future(app(http_scope("/robots.txt"), receive, send))
    await until(lambda: own.asked == 1)
    hung_up.set()
    await until(lambda: own.cancelled == 1)
    await client


async def test_a_client_that_disconnects_ends_no_reading_that_keeps_a_copy_fresh() -> None:
    release = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await release.wait()
        await PlainTextResponse(OTHER)(scope, receive, send)

    own = Changing(PlainTextResponse(OWN))
    app, clock = with_clock(wrapped(own))
    await request(app, "/robots.txt")
    own.answer = slow
    clock.now += 121
    client = asyncio.ensure_future(request(app, "/robots.txt"))
    await until(lambda: len(own.scopes) == 2)
    client.cancel()
    await asyncio.wait([client])
    release.set()
    await until(lambda: not reading(app))
    assert "/other/" in (await request(app, "/robots.txt")).text


async def test_an_application_that_takes_too_long_is_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    own = Hanging()
    app = wrapped(own)
    assert app._upstream_robots is not None
    app._upstream_robots._timeout = 0.01
    assert "User-agent: GPTBot" in (await request(app, "/robots.txt")).text
    await until(lambda: own.cancelled == 1)
    assert "timed out after" in caplog.text


def test_an_event_loop_that_ends_leaves_nothing_and_the_next_one_reads_again() -> None:
    own = Hanging()
    app = wrapped(own)

    async def hang_up_without_waiting() -> None:
        client = asyncio.ensure_future(request(app, "/robots.txt"))
        await until(lambda: own.asked == 1)
        client.add_done_callback(lambda _: None)

    asyncio.run(hang_up_without_waiting())
    assert own.cancelled == 1
    good = Changing(PlainTextResponse(OWN))
    app._application._app = good
    assert "/drafts/" in asyncio.run(request(app, "/robots.txt")).text


async def test_the_files_own_headers_survive_but_those_of_one_client_or_one_answer() -> None:
    own_headers = {
        "X-Robots-Tag": "noindex",
        "Strict-Transport-Security": "max-age=63072000",
        "X-App": "1",
        "Link": '</map.xml>; rel="sitemap"',
        "Access-Control-Allow-Origin": "*",
    }
    dropped = {
        "Set-Cookie": "session=1",
        "X-CSRF-Token": "1",
        "ETag": '"own_headers"',
        "Last-Modified": "Mon, 30 Nov 2026 12:00:00 GMT",
        "Expires": "Fri, 30 Nov 2029 12:00:00 GMT",
        "Age": "1",
        "Date": "Mon, 30 Nov 2026 12:00:00 GMT",
        "Vary": "Cookie",
        "CDN-Cache-Control": "max-age=864000",
        "Surrogate-Control": "max-age=864000",
        "X-Accel-Expires": "864000",
        "X-Accel-Redirect": "/internal",
        "X-Request-ID": "1",
        "X-RateLimit-Remaining": "1",
        "Content-Disposition": "attachment",
        "Connection": "close",
        "X-Bad": "a\r\nSet-Cookie: b",
    }
    raw = [(name.encode(), value.encode()) for name, value in (own_headers | dropped).items()]
    app = wrapped(sending(start(200, *raw), {"type": "http.response.body", "body": OWN}))
    response = await request(app, "/robots.txt")
    ours = ["content-type", "content-length", "etag", "cache-control"]
    assert [name.decode() for name, _ in response.headers] == ours + [name.lower() for name in own_headers]
    assert all(response.one(name.lower()) == value for name, value in own_headers.items())


async def test_the_files_own_headers_are_bounded() -> None:
    raw = [(b"x-%d" % number, b"v" * 1000) for number in range(1000)]
    app = wrapped(sending(start(200, *raw), {"type": "http.response.body", "body": OWN}))
    response = await request(app, "/robots.txt")
    assert sum(len(name) + len(value) for name, value in response.headers) < 10_000


@pytest.mark.parametrize(
    ("own_headers", "sent"),
    [
        ("no-store", "no-store"),
        ("private, no-cache", "private, no-cache"),
        ("public, max-age=60", "public, max-age=60"),
        ("max-age=600", "max-age=600"),
        ("max-age=601", "public, max-age=600"),
        ("max-age=60, s-maxage=86400", "public, max-age=600"),
        ("max-age=60, stale-while-revalidate=86400", "public, max-age=600"),
        ("public, immutable", "public, max-age=600"),
        ("max-age=x", "public, max-age=600"),
    ],
)
async def test_its_cache_control_stands_where_it_lets_caches_keep_it_for_no_longer_than_ours(
    own_headers: str, sent: str
) -> None:
    app = wrapped(serving(("/robots.txt", PlainTextResponse(OWN, headers={"cache-control": own_headers}))))
    assert (await request(app, "/robots.txt")).one("cache-control") == sent


class TestCallable:
    """``own_robots``, with which the host application gives the rules itself."""

    @pytest.mark.parametrize("value", [OWN, OWN.decode()])
    @pytest.mark.parametrize("kind", ["sync", "async", "returns an awaitable"])
    async def test_it_replaces_the_application(self, value: bytes | str, kind: str) -> None:
        hosts: list[str] = []

        def plain(host: str) -> bytes | str:
            hosts.append(host)
            return value

        async def asynchronous(host: str) -> bytes | str:
            return plain(host)

        own: Callable[[str], Any] = plain if kind == "sync" else asynchronous
        if kind == "returns an awaitable":
            own = lambda host: asynchronous(host)  # noqa: E731
        application = Changing(PlainTextResponse(OTHER))
        app = AIPolicyMiddleware(application, lookup(), own_robots=own)
        response = await request(app, "/robots.txt", "BLOG.example.:443")
        assert "/drafts/" in response.text
        assert (hosts, application.scopes) == (["blog.example"], [])

    async def test_none_means_that_there_is_no_file(self) -> None:
        app = AIPolicyMiddleware(answering(robots=OTHER), lookup(), own_robots=lambda host: None)
        response = await request(app, "/robots.txt")
        assert "/other/" not in response.text
        assert response.one("cache-control") == "public, max-age=600"

    @pytest.mark.parametrize(
        "wrong", [False, True, 0, [], ["User-agent: *"], bytearray(b"x"), dict, "\ud800"]
    )
    async def test_what_it_should_not_return_leaves_the_last_copy(
        self, wrong: object, caplog: pytest.LogCaptureFixture
    ) -> None:
        value: Any = OWN
        app, clock = with_clock(AIPolicyMiddleware(answering(), lookup(), own_robots=lambda host: value))
        good = await request(app, "/robots.txt")
        value = wrong
        clock.now += 61
        for _ in range(5):
            assert (await request(app, "/robots.txt")).body == good.body
            await until(lambda: not reading(app))
        lines = [record.getMessage() for record in caplog.records if record.name == "aipolicy.asgi"]
        assert len(lines) == 1
        assert "'blog.example'" in lines[0]
        assert repr(wrong)[:80] in lines[0]

    @pytest.mark.parametrize("error", [RuntimeError(), TimeoutError(), SystemExit(1), KeyboardInterrupt()])
    @pytest.mark.parametrize("kind", ["sync", "async"])
    async def test_what_it_raises_leaves_the_last_copy(
        self, error: BaseException, kind: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        failing = False

        def plain(host: str) -> bytes:
            if failing:
                raise error
            return OWN

        async def asynchronous(host: str) -> bytes:
            return plain(host)

        own = plain if kind == "sync" else asynchronous
        app, clock = with_clock(AIPolicyMiddleware(answering(), lookup(), own_robots=own))
        good = await request(app, "/robots.txt")
        failing = True
        clock.now += 61
        await request(app, "/robots.txt")
        await until(lambda: not reading(app))
        assert (await request(app, "/robots.txt")).body == good.body
        assert "'blog.example'" in caplog.text
        assert type(error).__name__ in caplog.text

    async def test_a_sync_one_does_not_hold_the_event_loop(self) -> None:
        called, release = threading.Event(), threading.Event()

        def own(host: str) -> bytes:
            called.set()
            assert release.wait(60)
            return OWN

        app = AIPolicyMiddleware(answering(), lookup(), own_robots=own)
        client = asyncio.ensure_future(request(app, "/robots.txt"))
        await until(called.is_set)
        release.set()  # by the event loop, which goes on meanwhile
        assert "/drafts/" in (await client).text

    async def test_calls_that_hang_take_a_bounded_number_of_threads(self) -> None:
        release, running = threading.Event(), [0]

        def own(host: str) -> bytes:
            running[0] += 1
            release.wait(60)
            return OWN

        sites = {f"s{number}": True for number in range(100)}
        app = AIPolicyMiddleware(answering(), lookup(**sites), own_robots=own)
        assert app._upstream_robots is not None
        app._upstream_robots._timeout = 0.01
        try:
            for name in sites:
                assert (await request(app, "/robots.txt", f"{name}.example")).status == 200
            assert running[0] <= 16
        finally:
            release.set()

    def test_a_sync_one_survives_a_fork(self) -> None:
        app = AIPolicyMiddleware(answering(), lookup(), own_robots=lambda host: OWN, own_robots_ttl=0)
        assert "/drafts/" in asyncio.run(request(app, "/robots.txt")).text
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if "/drafts/" in asyncio.run(request(app, "/robots.txt")).text else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    async def test_it_is_not_asked_for_a_host_that_is_no_name(self) -> None:
        hosts: list[str] = []
        app = AIPolicyMiddleware(answering(), lookup(), own_robots=hosts.append)
        assert (await request(app, "/robots.txt", "not a host!")).status == 200
        assert (await request(app, "/robots.txt", None)).status == 200
        assert hosts == []

    def test_it_needs_merge_own_and_must_be_callable(self) -> None:
        with pytest.raises(ValueError, match="remove merge_own=False"):
            AIPolicyMiddleware(answering(), lookup(), own_robots=lambda host: None, merge_own=False)
        with pytest.raises(TypeError, match="own_robots is 'x'; use a function"):
            AIPolicyMiddleware(answering(), lookup(), own_robots="x")  # type: ignore[arg-type]


def test_invalid_options_are_refused() -> None:
    with pytest.raises(ValueError, match="site_scheme is 'ftp'; use 'https' or 'http'"):
        AIPolicyMiddleware(answering(), lookup(), site_scheme="ftp")
    with pytest.raises(ValueError, match="own_robots_ttl is -1"):
        AIPolicyMiddleware(answering(), lookup(), own_robots_ttl=-1)


async def test_an_application_that_takes_longer_than_a_request_waits_is_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aipolicy.asgi.upstream_robots._MAX_WAIT", 0.01)
    release = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await release.wait()
        await PlainTextResponse(OWN)(scope, receive, send)

    own = Changing(PlainTextResponse("down", 503))
    app, clock = with_clock(wrapped(own))
    await request(app, "/robots.txt")
    own.answer = slow
    clock.now += 1
    for _ in range(3):
        assert "/drafts/" not in (await request(app, "/robots.txt")).text
    release.set()
    await until(lambda: not reading(app))
    assert "/drafts/" in (await request(app, "/robots.txt")).text
    assert len(own.scopes) == 2


async def test_a_policy_that_takes_long_to_merge_is_merged_in_a_thread_however_short_the_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A file that is cut because it didn't fit is short, but takes longest to make."""
    no = Preferences.parse("train-ai=n")
    policy = SitePolicy(path_preferences=tuple((f"/{number:x}/", no) for number in range(300)))
    assert len(render(policy).robots.body) + len(OWN) < 16 * 1024
    threads: list[threading.Thread] = []

    def watched(rendering: Rendering, base: bytes) -> Document:
        threads.append(threading.current_thread())
        return robots_document(base)

    monkeypatch.setattr("aipolicy.asgi.upstream_robots._merge", watched)
    response = await request(wrapped(answering(robots=OWN), blog=policy), "/robots.txt")
    assert response.body == OWN
    assert threads
    assert threading.main_thread() not in threads
