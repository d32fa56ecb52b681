"""Faults inside the middleware never change the application's response or lose an opt-out."""

import pytest

from aipolicy.asgi import AIPolicyMiddleware, PathTenants
from aipolicy.core.policy import PRESETS, SitePolicy
from tests.asgi.apps import answering, lookup
from tests.asgi.test_html import HTML, PAGE
from tests.asgi_client import request

POLICY = SitePolicy.from_preset("no-training", path_preferences={"/press/": PRESETS["allow"]})
PARTS = [
    "aipolicy.serving.enforcement.RequestTarget.of",
    "aipolicy.serving.enforcement.RequestTarget.below_mount",
    "aipolicy.serving.response_headers.target_of",
    "aipolicy.serving.response_headers.most_restrictive",
    "aipolicy.serving.response_headers.RequestTarget.of",
    "aipolicy.asgi.path_tenants.RequestTarget.of",
    "aipolicy.serving.request_target.read_path",
    "aipolicy.serving.enforcement.declared_crawlers",
    "aipolicy.serving.enforcement.closed",
    "aipolicy.serving.response_preferences._preferences",
    "aipolicy.serving.response_headers.merge_headers",
    "aipolicy.serving.response_headers.field_name",
    "aipolicy.serving.tag_insertion.TagInsertion.is_for",
    "aipolicy.serving.tag_insertion.TagInsertion.headers",
    "aipolicy.serving.tag_insertion.Conditions.hold",
    "aipolicy.rendering.Rendering.headers_at",
]
DECISIVE = ("aipolicy.serving.response_headers.target_of", "aipolicy.rendering.Rendering.headers_at")


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("path", ["/press/x", "//press/../x", "/%2e/x"])
@pytest.mark.parametrize("user_agent", ["GPTBot/1.2", "Mozilla/5.0"])
@pytest.mark.parametrize("has_more", [True, False])
async def test_a_fault_in_any_part_harms_no_response(
    part: str, path: str, user_agent: str, has_more: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(part, broken)
    headers = [HTML, (b"etag", b'"1"'), (b"Content-usage", b"train-ai=y"), (b"TDM-reservation", b"0")]
    app = AIPolicyMiddleware(
        answering(200, headers, PAGE),
        lookup(blog=POLICY),
        enforce="monitor",
        tenants=PathTenants(lambda scope: None, listing="headers"),
        html=has_more,
        post_preferences=has_more,
    )
    condition = [(b"if-none-match", b'"2"')]
    response = await request(app, path, user_agent=user_agent, headers=condition, state={"aipolicy": True})
    assert (response.status, PAGE[-20:]) == (200, response.body[-20:])
    (usage,) = [value for name, value in response.headers if name.lower() == b"content-usage"]
    reserved = [value for name, value in response.headers if name.lower() == b"tdm-reservation"]
    is_open = path == "/press/x" and not has_more and part not in DECISIVE
    assert (reserved == [b"1"], b"train-ai=n" in usage) == (not is_open, not is_open)
