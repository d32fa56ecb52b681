"""Every spelling of a path gets the most restrictive reading."""

import asyncio
import json
import sys
from itertools import product
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import unquote

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from aipolicy.asgi import AIPolicyMiddleware, DisallowedFetch, PathTenants
from aipolicy.core.patterns import Pattern
from aipolicy.core.policy import PRESETS, SitePolicy
from aipolicy.identity import Verification
from aipolicy.serving.enforcement import EnforceMode
from tests.asgi.apps import answering, lookup
from tests.asgi_client import Response, http_scope, request
from tests.core.test_path_readings import ART
from tests.identity.address_lists import RANGES, UNLISTED

GPTBOT = "GPTBot/1.2"
CLOSED = SitePolicy.from_preset("unset", path_preferences={"/art/": PRESETS["no-training"]})
OPEN = SitePolicy.from_preset("no-training", path_preferences={"/press/": PRESETS["allow"]})
LICENSED = SitePolicy.from_preset(
    "unset", path_preferences={"/art/": PRESETS["no-training"]}, licensed=["GPTBot"]
)
ODD = ["*", "", "\ud800", "/\ud800", "/art/\udcff\ud800", "\udfff/../art/", "http://", "://", "a:b", "/%"]


async def get(
    sent: str,
    policy: SitePolicy = CLOSED,
    app: ASGIApp | None = None,
    decoded: str | None = None,
    **options: Any,
) -> Response:
    """Request a path as sent in a request line; the application gets it decoded, or as ``decoded``."""
    more = {name: options.pop(name) for name in ("verification", "on_event", "enforce") if name in options}
    mounted = AIPolicyMiddleware(app or answering(), lookup(blog=policy), **more)
    options = {"raw_path": sent.encode("utf-8", "surrogateescape")} | options
    return await request(
        mounted, unquote(sent, errors="surrogateescape") if decoded is None else decoded, **options
    )


@pytest.mark.parametrize("sent", ART)
async def test_every_reading_of_a_closed_path_has_the_opt_out(sent: str) -> None:
    assert (await get(sent)).one("tdm-reservation") == "1"
    if sent != "/x%2Fy/%2e%2e/art/x":  # decoded, it is another path
        assert (await get(sent, raw_path=None)).one("tdm-reservation") == "1"


@pytest.mark.parametrize("sent", ART)
async def test_every_reading_of_a_closed_path_is_refused_with_the_headers(sent: str) -> None:
    response = await get(sent, user_agent=GPTBOT, enforce="declared")
    assert (response.status, response.one("tdm-reservation")) == (403, "1")
    assert (await get(sent, enforce="declared")).status == 200


@pytest.mark.parametrize("sent", ART)
async def test_no_impostor_gets_round_the_verification(sent: str) -> None:
    verification = Verification(RANGES, dns=False)
    options: dict[str, Any] = {"enforce": "verified", "verification": verification}
    response = await get(sent, LICENSED, user_agent=GPTBOT, client=(UNLISTED, 1), **options)
    assert response.status == 403
    assert json.loads(response.body)["identity"] == "spoofed"


@pytest.mark.parametrize(
    "sent", ["/press/../post", "/post/../press/x", "/press%2F..%2Fpost", "//press/x", "/press;v/x"]
)
async def test_what_not_every_reading_grants_is_not_granted(sent: str) -> None:
    response = await get(sent, OPEN)
    assert (response.one("content-usage"), response.one("tdm-reservation")) == ("train-ai=n", "1")
    assert (await get(sent, OPEN, user_agent=GPTBOT, enforce="declared")).status == 403


async def test_a_grant_where_another_reading_says_nothing_is_none() -> None:
    policy = SitePolicy.from_preset("unset", path_preferences={"/press/": PRESETS["allow"]})
    assert (await get("/press/x", policy)).one("content-usage") == "train-ai=y, ai-use=y"
    assert (await get("/post/../press/x", policy)).one("content-usage") is None


@pytest.mark.parametrize("sent", ["/press/x", "/press/a%20b", "/press/%C3%A9", "/press/a(1)", "/press/50%25"])
async def test_what_every_reading_grants_is_granted(sent: str) -> None:
    assert (await get(sent, OPEN)).one("content-usage") == "train-ai=y, ai-use=y"
    assert (await get(sent, OPEN, user_agent=GPTBOT, enforce="declared")).status == 200


async def test_a_grant_for_a_path_with_an_escaped_sign_holds() -> None:
    policy = SitePolicy.from_preset("no-training", path_preferences={"/press%281%29/": PRESETS["allow"]})
    assert (await get("/press%281%29/x", policy)).one("content-usage") == "train-ai=y, ai-use=y"
    closed = SitePolicy.from_preset("unset", path_preferences={"/art(1)/": PRESETS["no-ai"]})
    assert (await get("/art%281%29/x", closed)).one("tdm-reservation") == "1"


@pytest.mark.parametrize("path", ODD)
@pytest.mark.parametrize("enforce", ["off", "declared"])
async def test_an_odd_path_is_no_error_and_gets_the_most_restrictive_headers(
    path: str, enforce: EnforceMode
) -> None:
    for policy in (CLOSED, OPEN):
        app = AIPolicyMiddleware(answering(), lookup(blog=policy), enforce=enforce)
        assert (await request(app, path, raw_path=None, method="OPTIONS")).status == 200
    assert (await get("*", CLOSED, method="OPTIONS")).one("tdm-reservation") == "1"
    assert (await get("*", OPEN, method="OPTIONS")).one("tdm-reservation") == "1"
    assert (await get("*", user_agent=GPTBOT, enforce="declared")).status == 403


async def test_what_a_scope_may_lack_is_not_missed() -> None:
    for name in ("raw_path", "query_string", "root_path", "client", "server", "scheme"):
        scope = http_scope("/art/x", user_agent=GPTBOT)
        del scope[name]
        sent: list[Any] = []

        async def send(message: Any, sent: list[Any] = sent) -> None:
            sent.append(message)

        app = AIPolicyMiddleware(answering(), lookup(blog=CLOSED), enforce="declared")
        await app(scope, None, send)  # type: ignore[arg-type]
        assert sent[0]["status"] == 403


async def test_bytes_that_are_not_ascii_are_read_as_their_escapes() -> None:
    policy = SitePolicy.from_preset("unset", path_preferences={"/caf%E9/": PRESETS["no-ai"]})
    response = await get("/", policy, decoded="/caf\ufffd/x", raw_path=b"/caf\xe9/x")
    assert response.one("tdm-reservation") == "1"


async def test_a_path_that_another_middleware_has_rewritten_counts_as_sent_and_as_seen() -> None:
    assert (await get("/public/x", decoded="/art/x")).one("tdm-reservation") == "1"
    assert (await get("/art/x", decoded="/public/x")).one("tdm-reservation") == "1"
    assert (await get("/public/x", decoded="/art/x", user_agent=GPTBOT, enforce="declared")).status == 403


async def test_a_query_in_the_raw_path_is_no_part_of_the_path() -> None:
    policy = SitePolicy.from_preset("unset", path_preferences={"/art?a=1$": PRESETS["no-ai"]})
    response = await get("/art", policy, raw_path=b"/art?a=1", query_string=b"a=1")
    assert response.one("tdm-reservation") == "1"


@pytest.mark.parametrize(
    ("path", "raw", "root"),
    [
        ("/blog/art/x", b"/blog/art/x", "/blog"),
        ("/art/x", b"/blog/art/x", "/blog"),
        ("/art/x", b"/art/x", "/blog"),
        ("/blog/art/x", b"/blog/x/..%2Fart/x", "/blog"),
    ],
)
async def test_below_a_mount_path_a_pattern_may_be_written_with_it_or_without(
    path: str, raw: bytes, root: str
) -> None:
    for pattern in ("/art/", "/blog/art/"):
        policy = SitePolicy.from_preset("unset", path_preferences={pattern: PRESETS["no-training"]})
        response = await get(path, policy, raw_path=raw, root_path=root)
        assert response.one("tdm-reservation") == "1", pattern


async def test_below_a_mount_path_a_grant_for_the_whole_path_holds() -> None:
    policy = SitePolicy.from_preset("no-training", path_preferences={"/blog/press/": PRESETS["allow"]})
    response = await get("/blog/press/x", policy, root_path="/blog", user_agent=GPTBOT, enforce="declared")
    assert (response.status, response.one("content-usage")) == (200, "train-ai=y, ai-use=y")


async def test_starlette_serves_a_file_of_a_closed_folder_with_the_no_however_it_is_asked(
    tmp_path: Path,
) -> None:
    (tmp_path / "art").mkdir()
    (tmp_path / "art" / "x").write_text("a picture")

    async def rest(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(request.path_params["rest"]))

    files = Starlette(routes=[Route("/r/{rest:path}", rest), Mount("/", StaticFiles(directory=tmp_path))])
    served = 0
    for sent in ART:
        response = await get(sent, app=files)
        assert response.one("tdm-reservation") == "1"
        served += response.body == b"a picture"
        assert (await get(sent, app=files, user_agent=GPTBOT, enforce="declared")).status == 403
    assert served > 10


EXEMPT = ["/robots.txt", "//robots.txt", "/ai.txt", "//ai.txt", "/.well-known/x", "/.well-known//x"]
NOT_EXEMPT = [
    "/robots.txt/../post",
    "/robots.txt%2F..%2Fpost",
    "/robots.txt;x",
    "/post/../robots.txt",
    "/.well-known/..%2Fpost",
    "/.well-known/%252e%252e/post",
    "/.well-known\\..\\post",
    "/.well-known/..;/post",
    "/ai.txt%00",
    "/ai.txt/post",
    "*",
]


@pytest.mark.parametrize("sent", EXEMPT)
@pytest.mark.parametrize("enforce", ["declared", "verified"])
async def test_where_a_crawler_reads_its_policy_is_open_in_every_spelling(
    sent: str, enforce: EnforceMode
) -> None:
    policy = SitePolicy.from_preset("no-ai", licensed=["CCBot"])
    for user_agent in (GPTBOT, "CCBot/2.0"):
        assert (await get(sent, policy, user_agent=user_agent, enforce=enforce)).status == 200


@pytest.mark.parametrize("sent", NOT_EXEMPT)
async def test_what_may_be_read_as_another_path_is_not(sent: str) -> None:
    assert (
        await get(sent, SitePolicy.from_preset("no-ai"), user_agent=GPTBOT, enforce="declared")
    ).status == 403


async def test_below_a_mount_path_the_files_are_open_too() -> None:
    policy = SitePolicy.from_preset("no-ai")
    options: dict[str, Any] = {"user_agent": GPTBOT, "enforce": "declared"}
    for sent in ("/blog/.well-known/x", "/blog/ai.txt"):
        assert (await get(sent, policy, root_path="/blog", **options)).status == 200
    assert (await get("/blog/.well-known/..%2Fx", policy, root_path="/blog", **options)).status == 403


async def test_the_hook_gets_one_event_with_the_path_as_it_was_sent() -> None:
    events: list[DisallowedFetch] = []

    async def hook(event: DisallowedFetch) -> None:
        events.append(event)

    await get("/x/..%2Fart/x", user_agent=GPTBOT, enforce="monitor", on_event=hook, query_string=b"a=1")
    await asyncio.sleep(0)
    assert [event.path for event in events] == ["/x/..%2Fart/x?a=1"]


async def test_where_a_path_has_too_many_readings_a_site_closes_it_if_it_closes_any() -> None:
    sent = "/" + "a/../" * 1000
    options: dict[str, Any] = {"user_agent": GPTBOT, "enforce": "declared"}
    for policy, status in ((CLOSED, 403), (OPEN, 403), (LICENSED, 200), (SitePolicy(), 200)):
        assert (await get(sent, policy, **options)).status == status
    listed = options | {"user_agent": "EchoboxBot/1.0"}  # which only a broad policy is about
    for policy, status in (
        (SitePolicy.from_preset("no-ai", scope="documented"), 200),
        (SitePolicy.from_preset("no-ai", scope="broad"), 403),
    ):
        assert (await get(sent, policy, **listed)).status == status
    private = SitePolicy(visibility="private", licensed=("GPTBot",))
    assert (await get(sent, private, **options)).status == 403
    verified = {"enforce": "verified", "verification": Verification(RANGES, dns=False)}
    response = await get(sent, LICENSED, client=(UNLISTED, 1), **options | verified)
    assert (response.status, response.one("tdm-reservation")) == (403, "1")


def site_of(scope: Scope) -> str | None:
    first = scope["path"].split("/")[1]
    return f"{first[1:]}.example" if first.startswith("@") else None


ALICE = [sent.replace("/art/x", "/@alice/x") for sent in ART if "/art/x" in sent]
ALICE += [
    "/%40alice/x",
    "/@alice%2Fx",
    "/@alice%252Fx",
    "\\@alice\\x",
    "/@bob/../@alice/x",
    "/@bob/..;/@alice/x",
]


@pytest.mark.parametrize("sent", ALICE)
@pytest.mark.parametrize("bob", [False, SitePolicy.from_preset("allow")])
async def test_what_can_be_read_as_a_tenants_path_keeps_that_tenants_no(
    sent: str, bob: SitePolicy | bool
) -> None:
    tenants = PathTenants(site_of, listing="headers")
    sites = lookup(blog=SitePolicy.from_preset("allow"), alice=True, bob=bob)
    app = AIPolicyMiddleware(answering(), sites, tenants=tenants, enforce="declared")
    path, raw = unquote(sent), sent.encode()
    response = await request(app, path, raw_path=raw)
    assert (response.one("tdm-reservation"), response.one("content-usage")) == ("1", "train-ai=n")
    refused = await request(app, path, raw_path=raw, user_agent=GPTBOT)
    assert (refused.status, refused.one("tdm-reservation")) == (403, "1")


async def test_a_tenants_visibility_is_kept_and_terms_that_not_all_offer_are_not() -> None:
    terms = SitePolicy.from_preset("allow", license_url="https://bob.example/l")
    hidden = SitePolicy(visibility="discouraged")
    tenants = PathTenants(site_of, listing="headers")
    app = AIPolicyMiddleware(answering(), lookup(alice=hidden, bob=terms), tenants=tenants)
    response = await request(app, "/@bob/../@alice/x")
    assert "noindex, nofollow" in response.all("x-robots-tag")
    assert response.one("content-usage") == "train-ai=n, search=n"


async def test_where_a_path_has_too_many_readings_every_tenant_may_be_meant() -> None:
    app = AIPolicyMiddleware(
        answering(),
        lookup(blog=SitePolicy.from_preset("allow")),
        tenants=PathTenants(site_of, listing="headers"),
        enforce="declared",
    )
    sent = "/" + "a/../" * 1000
    assert (await request(app, sent)).one("content-usage") == "train-ai=n, ai-use=n"
    assert (await request(app, sent, user_agent=GPTBOT)).status == 403


@pytest.mark.parametrize("user_agent", ["Firefox", GPTBOT])
@pytest.mark.parametrize("licensed", [[], ["GPTBot"]])
async def test_a_request_never_searches_for_all_patterns_of_a_site_again_and_again(
    user_agent: str, licensed: list[str]
) -> None:
    parts = product(["a", "b", "ab", "ba"], repeat=4)
    paths = {f"/*{'*'.join(part * 5)}*zz$": PRESETS["allow"] for part in parts}
    policy = SitePolicy.from_preset("no-training", path_preferences=paths, licensed=licensed)
    app = AIPolicyMiddleware(answering(), lookup(blog=policy), enforce="declared")
    await request(app, "/")  # loads the policy
    sent = "/%2e/;a/\\b//%252F" + "ab" * 480 + "zz"
    searches = 0

    def count(frame: FrameType, event: str, arg: object) -> None:
        nonlocal searches
        if event == "call" and frame.f_code is Pattern.end.__code__:
            searches += len(frame.f_locals["self"].parts)

    sys.setprofile(count)
    try:
        response = await request(app, unquote(sent), user_agent=user_agent, raw_path=sent.encode())
    finally:
        sys.setprofile(None)
    assert response.status == (403 if user_agent == GPTBOT and not licensed else 200)
    assert response.one("content-usage") == "train-ai=n"
    assert searches <= 20_000


async def test_a_page_of_a_plain_path_asks_for_one_site() -> None:
    asked: list[str] = []

    def counting(scope: Scope) -> str | None:
        asked.append(scope["path"])
        return site_of(scope)

    app = AIPolicyMiddleware(
        answering(), lookup(alice=True), tenants=PathTenants(counting, listing="headers")
    )
    await request(app, "/@alice/1")
    assert asked == ["/@alice/1"]
