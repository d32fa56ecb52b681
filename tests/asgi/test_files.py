"""/robots.txt and the well-known files."""

import json
import re

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.core.policy import SitePolicy
from aipolicy.core.validation import Visibility
from aipolicy.lookup import CachedLookup
from aipolicy.signals.switches import Signals
from tests.asgi.apps import Recording, answering, lookup, wrapped
from tests.asgi_client import request

FILES = ["/robots.txt", "/.well-known/tdmrep.json"]


async def test_robots_txt_is_complete_utf8_text_that_may_be_cached_for_an_hour_at_most() -> None:
    response = await request(wrapped(answering()), "/robots.txt")
    assert response.status == 200
    assert response.one("content-type") == "text/plain; charset=utf-8"
    assert response.one("content-length") == str(len(response.body))
    assert "User-agent: GPTBot\n" in response.text
    max_age = re.fullmatch(r"public, max-age=(\d+)", response.one("cache-control") or "")
    assert max_age is not None
    assert int(max_age[1]) <= 3600


async def test_tdmrep_json_reserves_the_whole_site() -> None:
    response = await request(wrapped(answering()), "/.well-known/tdmrep.json")
    assert response.one("content-type") == "application/json"
    assert json.loads(response.body) == [{"location": "/", "tdm-reservation": 1}]


async def test_a_blog_that_reserves_nothing_leaves_tdmrep_json_to_the_application() -> None:
    response = await request(wrapped(answering(404), silent=False), FILES[1], "silent.example")
    assert (response.status, response.body) == (404, b"hello")


async def test_ai_txt_is_the_applications_own_unless_switched_on() -> None:
    assert (await request(wrapped(answering()), "/ai.txt")).body == b"hello"
    switched_on = CachedLookup(lambda host: True, signals=Signals(ai_txt=True))
    response = await request(AIPolicyMiddleware(answering(), switched_on), "/ai.txt")
    assert response.text == "User-Agent: *\nDisallow: /\nDisallow: *\n"


@pytest.mark.parametrize("path", FILES)
async def test_head_has_the_same_headers_and_no_body(path: str) -> None:
    app = wrapped(answering())
    get, head = await request(app, path), await request(app, path, method="HEAD")
    assert (head.status, head.headers, head.body) == (200, get.headers, b"")


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
async def test_other_methods_are_refused_with_what_is_allowed(path: str, method: str) -> None:
    response = await request(wrapped(answering()), path, method=method)
    assert (response.status, response.one("allow"), response.body) == (405, "GET, HEAD", b"")


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("condition", ["{0}", "W/{0}", '"other", {0}', "*"])
async def test_a_client_that_has_this_version_gets_304(path: str, condition: str) -> None:
    app = wrapped(answering())
    etag = (await request(app, path)).one("etag")
    assert etag is not None
    response = await request(app, path, headers=[(b"if-none-match", condition.format(etag).encode())])
    assert (response.status, response.body, response.one("etag")) == (304, b"", etag)
    assert response.one("cache-control")


async def test_another_version_is_sent_completely() -> None:
    response = await request(
        wrapped(answering()), "/robots.txt", headers=[(b"if-none-match", b'"old", W/"x"')]
    )
    assert response.status == 200


async def test_the_entity_tag_is_the_same_in_every_process_and_changes_with_the_policy() -> None:
    one = await request(wrapped(answering()), "/robots.txt")
    other = await request(wrapped(answering()), "/robots.txt")
    changed = await request(wrapped(answering(), blog=SitePolicy.from_preset("no-ai")), "/robots.txt")
    assert one.one("etag") == other.one("etag") != changed.one("etag")


async def test_an_unknown_host_is_answered_with_the_default_and_only_briefly_cached() -> None:
    response = await request(wrapped(answering()), "/robots.txt", "unknown.example")
    assert "User-agent: GPTBot\n" in response.text
    assert response.one("cache-control") == "public, max-age=60"


def mounted(path: str) -> ASGIApp:
    return Starlette(routes=[Mount(path, app=AIPolicyMiddleware(answering(), lookup()))])


@pytest.mark.parametrize("file", FILES)
async def test_under_a_mount_path_the_files_are_below_it(file: str) -> None:
    assert (await request(mounted("/blog"), f"/blog{file}")).status == 200
    assert (await request(mounted("/blog"), file)).status == 404
    assert (await request(mounted("/blog"), "/blog/post")).one("content-usage") == "train-ai=n"


@pytest.mark.parametrize(
    ("root_path", "path"),
    [("/blog", "/blog/robots.txt"), ("/blog/", "/blog/robots.txt"), ("/blog", "/robots.txt")],
)
async def test_behind_a_proxy_that_strips_a_prefix_the_files_are_found(root_path: str, path: str) -> None:
    response = await request(wrapped(answering()), path, root_path=root_path)
    assert "GPTBot" in response.text


async def test_an_absolute_form_target_is_understood() -> None:
    response = await request(wrapped(answering()), "http://blog.example/robots.txt")
    assert "GPTBot" in response.text


@pytest.mark.parametrize(
    "path", ["/robots.txt/", "/Robots.txt", "/x/robots.txt", "/robots.txt.bak", "//robots.txt"]
)
async def test_what_only_looks_like_robots_txt_is_the_applications(path: str) -> None:
    assert (await request(wrapped(answering()), path)).body == b"hello"


async def test_a_private_blog_lets_nobody_pass_and_the_application_is_not_asked() -> None:
    app = Recording()
    response = await request(wrapped(app, blog=SitePolicy(visibility=Visibility.PRIVATE)), "/robots.txt")
    assert response.text.endswith("User-agent: *\nDisallow: /\n# END aipolicy\n")
    assert "\nAllow:" not in response.text
    assert app.scopes == []
