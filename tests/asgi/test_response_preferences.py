"""Preferences for a single response: a post whose author opted out."""

import logging
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.core.policy import PRESETS, SitePolicy
from aipolicy.core.preferences import Preference, Preferences
from tests.asgi.apps import UNSET, lookup
from tests.asgi_client import Response, request


async def post(stated: object, policy: SitePolicy, *, html: bool = False, **scope: Any) -> Response:
    async def page(request: Request) -> HTMLResponse:
        request.state.aipolicy = stated
        return HTMLResponse("<!doctype html><head><title>A post</title>")

    app = Starlette(routes=[Route("/{any:path}", page)])
    mounted = AIPolicyMiddleware(app, lookup(blog=policy), post_preferences=True, html=html)
    return await request(mounted, "/post", **scope)


@pytest.mark.parametrize("stated", [True, "no-training", PRESETS["no-training"]])
async def test_a_post_can_opt_out_of_what_its_blog_says_nothing_about(stated: object) -> None:
    response = await post(stated, UNSET)
    assert response.one("content-usage") == "train-ai=n"
    assert response.all("x-robots-tag") == ["noai, noimageai"]
    assert response.one("tdm-reservation") == "1"


@pytest.mark.parametrize("state", [{}, {"db": "the lifespan's"}])
async def test_it_is_read_from_the_state_that_the_server_gives(state: dict[str, object]) -> None:
    assert (await post(True, UNSET, state=state)).one("content-usage") == "train-ai=n"


async def test_with_what_the_blog_says_the_most_restrictive_wins() -> None:
    policy = SitePolicy.from_preset("no-training")
    stated = Preferences(train_ai=Preference.ALLOW, search=Preference.DISALLOW)
    assert (await post(stated, policy)).one("content-usage") == "train-ai=n, search=n"


@pytest.mark.parametrize("stated", [None, False])
async def test_a_post_that_says_nothing_is_as_its_blog(stated: object) -> None:
    assert (await post(stated, UNSET)).one("content-usage") is None
    assert (await post(stated, SitePolicy.from_preset("no-ai"))).one(
        "content-usage"
    ) == "train-ai=n, ai-use=n"


async def test_an_invalid_value_counts_as_no_ai_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        response = await post("no-trainign", UNSET)
    assert response.one("content-usage") == "train-ai=n, ai-use=n"
    assert "'no-trainign'; use Preferences(...), True or a preset" in caplog.text


@pytest.mark.parametrize("stated", ["private", "discouraged"])
async def test_a_preset_that_only_a_whole_site_can_have_is_a_no_and_the_log_names_the_others(
    stated: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        response = await post(stated, UNSET)
    assert response.one("content-usage") == "train-ai=n, ai-use=n"
    assert "a preset (unset, no-training, no-ai, allow)" in caplog.text


async def test_its_meta_tags_are_in_its_page() -> None:
    assert '<head><meta name="robots" content="noai, noimageai">' in (await post(True, UNSET, html=True)).text
    assert "<meta" not in (await post(None, UNSET, html=True)).text


async def test_the_applications_own_content_usage_is_one_more_voice() -> None:
    async def page(request: Request) -> HTMLResponse:
        request.state.aipolicy = True
        return HTMLResponse("x", headers={"Content-Usage": "ai-use=n, train-ai=y"})

    app = Starlette(routes=[Route("/post", page)])
    response = await request(AIPolicyMiddleware(app, lookup(blog=UNSET), post_preferences=True), "/post")
    assert response.one("content-usage") == "train-ai=n, ai-use=n"
