"""Sites that share a host, each under a path of its own."""

import asyncio
import contextvars
import json
import logging
from collections.abc import Callable
from itertools import product

import pytest
from starlette.types import Scope

from aipolicy.asgi import AIPolicyMiddleware, PathTenants
from aipolicy.asgi.path_tenants import Listed
from aipolicy.core.policy import PRESETS, SitePolicy
from aipolicy.core.validation import MAX_ROBOTS_BYTES
from tests.asgi.apps import answering, lookup
from tests.asgi_client import request
from tests.readers import READERS

ROBOTS = b"User-agent: *\nDisallow: /login\n"


def site_of(scope: Scope) -> str | None:
    first = scope["path"].split("/")[1]
    return f"{first[1:]}.example" if first.startswith("@") else None


def mounted(tenants: PathTenants) -> AIPolicyMiddleware:
    app = answering(robots=ROBOTS)
    return AIPolicyMiddleware(app, lookup(blog=False, alice=True, bob=False), tenants=tenants)


def listing(*paths: str, how: str = "paths", too_large: str = "origin") -> AIPolicyMiddleware:
    return mounted(PathTenants(site_of, lambda host: paths, listing=how, too_large=too_large))


async def test_each_tenant_has_its_own_headers() -> None:
    app = listing("/@alice/")
    usage = {
        path: (await request(app, path)).one("content-usage") for path in ("/@alice/1", "/@bob/1", "/about")
    }
    assert usage == {"/@alice/1": "train-ai=n", "/@bob/1": None, "/about": None}


async def test_one_robots_txt_keeps_crawlers_out_of_the_tenants_that_opted_out() -> None:
    robots = (await request(listing("/@alice/"), "/robots.txt")).body
    for reader, (path, allowed) in product(
        (reader for reader in READERS if reader.name != "urllib.robotparser"),
        {
            "/@alice": False,
            "/@alice/": False,
            "/@alice/post": False,
            "/@alice?page=2": False,
            "/@alicette/post": True,
            "/@bob/post": True,
            "/": True,
            "/login": False,
        }.items(),
    ):
        assert reader.allowed(robots, "GPTBot", path) is allowed, (reader.name, path)
        assert reader.allowed(robots, "Googlebot", path) is (path != "/login"), (reader.name, path)


async def test_one_tdmrep_json_reserves_their_paths_and_no_others() -> None:
    entries = json.loads((await request(listing("/@alice/"), "/.well-known/tdmrep.json")).body)
    assert {entry["location"]: entry["tdm-reservation"] for entry in entries} == {
        "/@alice/": 1,
        "/@alice$": 1,
        "/@alice?": 1,
        "/": 0,
    }


async def test_a_tenant_may_say_more_than_yes_or_no() -> None:
    policy = SitePolicy(site="alice.example", preferences=PRESETS["no-ai"])
    app = mounted(PathTenants(site_of, lambda host: [("/@alice/", policy)]))
    robots = (await request(app, "/robots.txt")).body
    assert not READERS[0].allowed(robots, "OAI-SearchBot", "/@alice/1")
    assert READERS[0].allowed(robots, "OAI-SearchBot", "/@bob/1")


async def test_with_listing_headers_nobody_is_named() -> None:
    app = mounted(PathTenants(site_of, listing="headers"))
    assert (await request(app, "/robots.txt")).body == ROBOTS
    assert (await request(app, "/@alice/1")).one("content-usage") == "train-ai=n"


async def test_with_listing_origin_nobody_is_named_and_the_whole_host_is_opted_out() -> None:
    app = mounted(PathTenants(site_of, listing="origin"))
    robots = (await request(app, "/robots.txt")).body
    assert b"alice" not in robots
    assert not READERS[0].allowed(robots, "GPTBot", "/@bob/1")
    assert READERS[0].allowed(robots, "Googlebot", "/@bob/1")


@pytest.mark.parametrize(("too_large", "allowed"), [("origin", False), ("headers", True)])
async def test_too_many_to_list_falls_back_as_chosen(
    too_large: str, allowed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app = listing(*(f"/@tenant-{number}/" for number in range(6000)), too_large=too_large)
    with caplog.at_level(logging.ERROR):
        robots = (await request(app, "/robots.txt")).body
    assert len(robots) <= MAX_ROBOTS_BYTES
    assert b"/login" in robots
    assert READERS[0].allowed(robots, "GPTBot", "/@tenant-1/x") is allowed
    assert "robots.txt can't list the tenants of blog.example" in caplog.text


async def test_two_thousand_tenants_fit() -> None:
    app = listing(*(f"/@tenant-{number}/" for number in range(2000)))
    robots = (await request(app, "/robots.txt")).body
    assert len(robots) <= MAX_ROBOTS_BYTES
    assert not READERS[0].allowed(robots, "GPTBot", "/@tenant-1999/x")
    assert READERS[0].allowed(robots, "GPTBot", "/@tenant-2000/x")


class Listing:
    """A list of tenants that a test can break, and that counts how often it is asked for."""

    def __init__(self) -> None:
        self.asked = 0
        self.broken = False
        self.now = 0.0

    async def __call__(self, host: str) -> Listed:
        self.asked += 1
        await asyncio.sleep(0)
        if self.broken:
            raise OSError("no database")
        return ["/@alice/"]

    def app(self) -> AIPolicyMiddleware:
        return mounted(PathTenants(site_of, self, ttl=60, clock=lambda: self.now))


async def test_a_list_is_made_once_however_many_requests_wait() -> None:
    listed = Listing()
    app = listed.app()
    await asyncio.gather(*(request(app, "/robots.txt") for _ in range(50)))
    assert listed.asked == 1
    listed.now = 61
    await request(app, "/robots.txt")
    assert listed.asked == 2


async def test_while_the_list_cannot_be_made_the_last_one_stands() -> None:
    listed = Listing()
    app = listed.app()
    before = (await request(app, "/robots.txt")).body
    listed.broken, listed.now = True, 61
    assert (await request(app, "/robots.txt")).body == before


@pytest.mark.parametrize("hangs", [True, False])
async def test_without_any_list_the_whole_host_is_opted_out(hangs: bool) -> None:
    async def listed(host: str) -> Listed:
        if hangs:
            await asyncio.sleep(60)
        raise OSError("no database")

    app = mounted(PathTenants(site_of, listed, timeout=0.05))
    robots = (await request(app, "/robots.txt")).body
    assert not READERS[0].allowed(robots, "GPTBot", "/@bob/1")
    assert READERS[0].allowed(robots, "Googlebot", "/@bob/1")


@pytest.mark.parametrize(
    "broken", [lambda scope: 1 / 0, lambda scope: "no host name", lambda scope: "é..example"]
)
async def test_a_site_that_cannot_be_named_gets_the_default(broken: Callable[[Scope], str]) -> None:
    app = mounted(PathTenants(broken, listing="headers"))
    response = await request(app, "/@bob/1")
    assert (response.status, response.one("content-usage")) == (200, "train-ai=n")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"listing": "all"}, ValueError, "listing is 'all': choose one of paths, headers, origin"),
        ({"too_large": "paths"}, ValueError, "too_large is 'paths': choose one of headers, origin"),
        ({"listed": None}, TypeError, "listed is None: give a function of the host, or listing='headers'"),
    ],
)
def test_a_wrong_option_is_told_with_its_fix(
    options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        PathTenants(site_of, **{"listed": lambda host: [], **options})  # type: ignore[arg-type]


async def test_what_is_listed_for_all_depends_on_no_clients_context() -> None:
    language = contextvars.ContextVar("language", default="")

    def listed(host: str) -> list[str]:
        return [f"/{language.get() or 'neutral'}/"]

    app = AIPolicyMiddleware(answering(), lookup(blog=False), tenants=PathTenants(lambda scope: None, listed))
    language.set("eve")
    response = await request(app, "/robots.txt")
    assert "/neutral/" in response.text
    assert "/eve/" not in response.text


async def test_a_list_that_raises_systemexit_ends_no_server() -> None:
    def listed(host: str) -> list[str]:
        raise SystemExit(3)

    app = AIPolicyMiddleware(answering(), lookup(), tenants=PathTenants(lambda scope: None, listed))
    assert "User-agent: GPTBot" in (await request(app, "/robots.txt")).text
