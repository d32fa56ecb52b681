"""Whatever fails inside the middleware, the application's response goes out, with the no that is known."""

import pytest

from aipolicy.asgi import AIPolicyMiddleware, PathTenants
from aipolicy.core.policy import PRESETS, SitePolicy
from tests.asgi.apps import answering, lookup
from tests.asgi.test_html import HTML, PAGE
from tests.asgi_client import request

POLICY = SitePolicy.from_preset("no-training", path_preferences={"/press/": PRESETS["allow"]})
PARTS = [
    "aipolicy.asgi.middleware.RequestTarget.of",
    "aipolicy.asgi.middleware.below_mount",
    "aipolicy.asgi.middleware.target_of",
    "aipolicy.asgi.middleware.most_restrictive",
    "aipolicy.asgi.path_tenants.RequestTarget.of",
    "aipolicy.asgi.request_target.read_path",
    "aipolicy.asgi.enforcement.declared_crawlers",
    "aipolicy.asgi.enforcement.closed",
    "aipolicy.asgi.response_preferences._preferences",
    "aipolicy.asgi.response_headers.merge_headers",
    "aipolicy.asgi.response_headers.field_name",
    "aipolicy.asgi.html_meta.TagInsertion.is_for",
    "aipolicy.asgi.html_meta.TagInsertion.headers",
    "aipolicy.asgi.html_meta.Conditions.hold",
    "aipolicy.rendering.Rendering.headers_at",
]
DECISIVE = ("aipolicy.asgi.middleware.target_of", "aipolicy.rendering.Rendering.headers_at")


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
