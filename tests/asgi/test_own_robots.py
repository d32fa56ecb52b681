"""The wrapped application's own robots.txt is merged, whatever it is and however it fails."""

import asyncio
import logging
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.core.policy import SitePolicy
from aipolicy.core.robots import RobotsTxt
from tests.asgi.apps import answering, lookup, wrapped
from tests.asgi_client import request

OWN = b"User-agent: *\nDisallow: /drafts/\n\nUser-agent: GPTBot\nAllow: /\n\nSitemap: https://blog.example/map.xml\n"


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


async def test_streamed_files_and_compressing_applications_are_read_whole(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_4xx_means_that_it_has_no_rules(status: int) -> None:
    app = serving(("/robots.txt", PlainTextResponse("User-agent: *\nDisallow: /\n", status)))
    response = await request(wrapped(app), "/robots.txt")
    assert (response.status, response.text.count("Disallow: /")) == (200, 1)


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


class Failing:
    """Serves OWN until ``failure`` is set."""

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


async def test_when_it_failed_from_the_start_its_failure_goes_out_unharmed() -> None:
    own = Failing()
    own.failure = "answers 503"
    response = await request(wrapped(own), "/robots.txt")
    assert (response.status, response.body, response.one("x-app")) == (503, b"down", "1")
    own.failure = "raises"
    with pytest.raises(RuntimeError, match="own trouble"):
        await request(wrapped(own), "/robots.txt")


async def test_it_is_asked_once_a_minute_a_known_host_and_every_time_for_strangers() -> None:
    own = Failing()
    app = wrapped(own)
    for host in ["blog.example", "BLOG.example:80", "blog.example."]:
        await request(app, "/robots.txt", host)
    assert own.asked == 1
    for number in range(3):
        await request(app, "/robots.txt", f"stranger{number}.example")
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
