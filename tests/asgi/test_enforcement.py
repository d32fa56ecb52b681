"""Crawlers that declare themselves are reported or refused; nobody else is."""

import asyncio
import json
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from aipolicy.asgi import AIPolicyMiddleware, DisallowedFetch, PathTenants
from aipolicy.asgi.messages import request_of
from aipolicy.core.crawlers import CRAWLERS
from aipolicy.core.policy import PRESETS, SitePolicy
from aipolicy.rendering import render
from aipolicy.serving.disallowed_fetches import FetchLog
from aipolicy.serving.enforcement import Enforcement
from tests.asgi.apps import OPTED_OUT, UNSET, answering, lookup
from tests.asgi_client import Response, http_scope, request

GPTBOT = (
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.1; +https://openai.com/gptbot)"
)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
LICENSED = SitePolicy.from_preset("no-training", licensed=["GPTBot"])
PRESS = SitePolicy.from_preset("no-training", path_preferences={"/press/": PRESETS["allow"]})
PRIVATE = SitePolicy(visibility="private")


async def visit(
    user_agent: str, path: str = "/post", *, policy: SitePolicy = OPTED_OUT, method: str = "GET"
) -> Response:
    app = AIPolicyMiddleware(answering(), lookup(blog=policy), enforce="declared")
    return await request(app, path, method=method, user_agent=user_agent)


async def test_a_blocked_crawler_is_refused_with_a_problem_that_names_the_policy() -> None:
    response = await visit(GPTBOT)
    assert response.status == 403
    assert response.one("content-type") == "application/problem+json"
    problem = json.loads(response.body)
    assert (problem["status"], problem["title"], problem["crawler"]) == (403, "Forbidden", "GPTBot")
    assert problem["policy"] == {"preferences": "train-ai=n", "visibility": "public"}
    assert problem["robots_txt"] == "/robots.txt"


async def test_a_refusal_is_never_stored_and_carries_the_sites_headers() -> None:
    response = await visit(GPTBOT)
    assert response.one("cache-control") == "no-store"
    assert response.one("vary") == "user-agent"
    assert response.one("content-usage") == "train-ai=n"
    assert response.one("content-length") == str(len(response.body))


async def test_a_refused_head_request_has_no_body() -> None:
    response = await visit(GPTBOT, method="HEAD")
    assert (response.status, response.body) == (403, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/robots.txt",
        "/.well-known/tdmrep.json",
        "/.well-known/security.txt",
        "/.well-known//security.txt",
        "/.well-known/a/../security.txt",
        "/ai.txt",
    ],
)
async def test_a_crawler_may_always_read_the_policy_files(path: str) -> None:
    assert (await visit(GPTBOT, path)).status == 200
    assert (await visit(GPTBOT, path, policy=PRIVATE)).status != 403


POST = b"<h1>post</h1>"
ROUNDABOUT = [
    ("/.well-known/../post.html", "/.well-known/../post.html"),
    ("/.well-known/../post.html", "/.well-known/%2e%2e/post.html"),
    ("/.well-known/../post.html", "/.well-known/..%2Fpost.html"),
    ("/.well-known//../post.html", "/.well-known//../post.html"),
    ("/.well-known/a//../../post.html", "/.well-known/a//../../post.html"),
    ("/x/../.well-known/../post.html", "/x/../.well-known/../post.html"),
    ("/press/../post.html", "/press/../post.html"),
    ("/press//../post.html", "/press//../post.html"),
    ("/press/./../post.html", "/press/%2E/%2E%2E/post.html"),
]


@pytest.mark.parametrize(("path", "raw"), ROUNDABOUT)
async def test_no_spelling_of_a_path_opens_a_closed_site(path: str, raw: str, tmp_path: Path) -> None:
    """Starlette's StaticFiles resolves dot segments, and would serve the page."""
    (tmp_path / "post.html").write_bytes(POST)
    files = Starlette(routes=[Mount("/", StaticFiles(directory=tmp_path))])
    app = AIPolicyMiddleware(files, lookup(blog=PRESS), enforce="declared")
    assert (await request(app, path, user_agent=BROWSER, raw_path=raw.encode())).body == POST
    assert (await request(app, path, user_agent=GPTBOT, raw_path=raw.encode())).status == 403


@pytest.mark.parametrize("path", ["/a/../members/x", "/./members/x", "//members/x", "/a//../members/x"])
async def test_no_spelling_of_a_path_opens_a_closed_path(path: str) -> None:
    policy = SitePolicy.from_preset("unset", path_preferences={"/members/": PRESETS["no-ai"]})
    assert (await visit(GPTBOT, path, policy=policy)).status == 403


async def test_an_absolute_target_does_not_open_a_closed_site() -> None:
    assert (await visit(GPTBOT, "http://blog.example/.well-known/security.txt")).status == 200
    assert (await visit(GPTBOT, "http://blog.example/.well-known/../post")).status == 403


@pytest.mark.parametrize("path", ["/a//b", "/a/./b", "/members/../b", "/a..b/", "/a/...", "/a/.b"])
async def test_every_spelling_of_an_open_path_is_open(path: str) -> None:
    policy = SitePolicy.from_preset("unset", path_preferences={"/secret/": PRESETS["no-ai"]})
    assert (await visit(GPTBOT, path, policy=policy)).status == 200


@pytest.mark.parametrize(
    "user_agent",
    [
        BROWSER,
        "",
        "How does GPTBot work? - curl/8.0",
        "Mozilla/5.0 (compatible; Claude-SearchBot/1.0; +https://www.anthropic.com)",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "Feed/1.0 (+https://openai.com/gptbot)",
        "Feed/1.0 (gptbot@openai.com)",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    ],
)
async def test_nobody_else_is_refused(user_agent: str) -> None:
    assert (await visit(user_agent)).status == 200


async def test_a_licensed_crawler_is_allowed_and_one_where_a_path_is_open() -> None:
    assert (await visit(GPTBOT, policy=LICENSED)).status == 200
    assert (await visit("CCBot/2.0", policy=LICENSED)).status == 403
    assert (await visit(GPTBOT, "/press/kit", policy=PRESS)).status == 200
    assert (await visit(GPTBOT, "/post", policy=PRESS)).status == 403


async def test_a_blog_that_said_nothing_refuses_nobody() -> None:
    assert (await visit(GPTBOT, policy=UNSET)).status == 200


async def test_a_private_site_refuses_every_crawler_and_no_visitor() -> None:
    for user_agent in (GPTBOT, "Googlebot/2.1", "facebookexternalhit/1.1"):
        assert (await visit(user_agent, policy=PRIVATE)).status == 403
    assert (await visit(BROWSER, policy=PRIVATE)).status == 200


async def test_one_of_several_declared_crawlers_is_enough() -> None:
    assert (await visit("facebookexternalhit/1.1 GPTBot/1.0")).status == 403


async def test_monitor_reports_and_refuses_nobody() -> None:
    events: list[DisallowedFetch] = []

    async def hook(event: DisallowedFetch) -> None:
        events.append(event)

    app = AIPolicyMiddleware(answering(), lookup(), enforce="monitor", on_event=hook)
    response = await request(app, "/post", user_agent=GPTBOT, query_string=b"y=2")
    assert (response.status, response.body) == (200, b"hello")
    await asyncio.sleep(0)
    (event,) = events
    assert (event.crawler.product_token, event.method, event.refused) == ("GPTBot", "GET", False)
    assert (event.host, event.path, event.user_agent) == ("blog.example", "/post?y=2", GPTBOT)
    assert event.policy == OPTED_OUT


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"enforce": "block"}, "enforce is 'block'; use one of off, monitor, declared"),
        (
            {"report_client_address": True},
            "report_client_address has no effect while enforce is 'off'; add enforce='monitor'",
        ),
        ({"on_event": print}, "on_event has no effect while enforce is 'off'; add enforce='monitor'"),
    ],
)
def test_a_wrong_option_is_an_error_with_its_fix(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AIPolicyMiddleware(answering(), lookup(), **options)  # type: ignore[arg-type]


def test_a_hundred_thousand_user_agents_leave_memory_flat() -> None:
    enforcement, rendering = Enforcement("declared"), render(OPTED_OUT)

    def visits(numbers: range) -> int:
        for number in numbers:
            scope = http_scope(user_agent=f"Mozilla/5.0 (X{number}; {'x' * 100}) {number}/1.0")
            assert enforcement.refusal(request_of(scope), b"", [(b"", rendering)]) is None
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        after_some, after_all = visits(range(10_000)), visits(range(10_000, 100_000))
    finally:
        tracemalloc.stop()
    assert after_all - after_some < 4 * 1024 * 1024


async def first_event(scope: dict[str, object] | None = None, **options: object) -> DisallowedFetch:
    events: list[DisallowedFetch] = []

    async def hook(event: DisallowedFetch) -> None:
        events.append(event)

    app = AIPolicyMiddleware(
        answering(),
        lookup(),
        **{"enforce": "declared", "on_event": hook} | options,  # type: ignore[arg-type]
    )
    await request(app, "/post", "BLOG.example:443", user_agent=GPTBOT, **scope or {})
    await asyncio.sleep(0)
    (event,) = events
    return event


async def test_an_event_has_the_time_and_the_site() -> None:
    before = datetime.now(UTC)
    event = await first_event()
    assert before <= event.time <= datetime.now(UTC)
    assert (event.site, event.host) == ("blog.example", "BLOG.example:443")


async def test_an_event_has_the_clients_address_only_where_that_is_asked_for() -> None:
    assert (await first_event()).client is None
    assert (await first_event(report_client_address=True)).client == "127.0.0.1"
    assert (await first_event({"client": None}, report_client_address=True)).client is None


async def test_an_event_names_the_tenant_as_the_site() -> None:
    tenants = PathTenants(lambda scope: "alice.example", listing="headers")
    event = await first_event(tenants=tenants)
    assert (event.site, event.host) == ("alice.example", "BLOG.example:443")


async def test_monitor_without_a_hook_logs_one_line_per_site_and_crawler(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = AIPolicyMiddleware(answering(), lookup(other=True), enforce="monitor")
    for host in ("blog.example", "other.example"):
        for user_agent in (GPTBOT, "CCBot/2.0", BROWSER):
            for number in range(3):
                response = await request(app, f"/post/{number}\n", host, user_agent=user_agent)
                assert response.status == 200
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 4
    assert "GPTBot fetched '/post/0\\n' of site 'blog.example', whose policy closes it" in lines[0]
    assert all(record.levelname == "WARNING" for record in caplog.records)


AUDIT = "Mozilla/5.0 (compatible; GPTBot/1.0; sent by aipolicy/0.2.0)"


async def test_monitor_ignores_the_projects_own_audit_of_the_site(caplog: pytest.LogCaptureFixture) -> None:
    app = AIPolicyMiddleware(answering(), lookup(), enforce="monitor", status_path="/status")
    for user_agent in (AUDIT, AUDIT + "x" * 600):
        assert (await request(app, "/post", user_agent=user_agent)).status == 200
    assert caplog.records == []
    status = await request(app, "/status")
    assert b'crawler="GPTBot"' not in status.body
    await request(app, "/post", user_agent=GPTBOT)
    assert len(caplog.records) == 1


async def test_an_audit_of_the_site_is_refused_as_the_crawler_is() -> None:
    app = AIPolicyMiddleware(answering(), lookup(), enforce="declared")
    assert (await request(app, "/post", user_agent=AUDIT)).status == 403


def test_after_ten_minutes_a_line_counts_the_fetches_without_one(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    log = FetchLog(lambda: now)
    fetch = DisallowedFetch(
        crawler=CRAWLERS[0],
        policy=OPTED_OUT,
        site="blog.example",
        host="blog.example",
        method="GET",
        path="/",
        user_agent="",
        refused=False,
        time=datetime.now(UTC),
    )
    for _ in range(5):
        log.report(fetch)
    now = 601.0
    log.report(fetch)
    assert len(caplog.messages) == 2
    assert "(4 more fetches since the last line about them)" in caplog.messages[1]
    caplog.clear()
    for number in range(1000):
        log.report(replace(fetch, site=f"{number}.example"))
    assert len(caplog.messages) == 59


async def test_declared_without_a_hook_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert (await visit(GPTBOT)).status == 403
    assert not caplog.messages
