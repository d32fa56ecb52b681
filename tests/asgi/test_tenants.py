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
from aipolicy.asgi.path_tenants import Fallback, Listed, Listing, tenant_patterns
from aipolicy.core.policy import PRESETS, Preset, SitePolicy
from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.lookup import CachedLookup
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


def listing(
    *paths: str | tuple[str, SitePolicy], how: Listing = "paths", too_large: Fallback = "origin"
) -> AIPolicyMiddleware:
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
        "/@alice?*": 1,
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
    too_large: Fallback, allowed: bool, caplog: pytest.LogCaptureFixture
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


class CountedList:
    """A list of tenants that a test can break, and that counts its calls."""

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
    listed = CountedList()
    app = listed.app()
    await asyncio.gather(*(request(app, "/robots.txt") for _ in range(50)))
    assert listed.asked == 1
    listed.now = 61
    await request(app, "/robots.txt")
    assert listed.asked == 2


async def test_while_the_list_cannot_be_made_the_last_one_stands() -> None:
    listed = CountedList()
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
        ({"listing": "all"}, ValueError, "listing is 'all'; use one of paths, headers, origin"),
        ({"too_large": "paths"}, ValueError, "too_large is 'paths'; use one of headers, origin"),
        ({"listed": None}, TypeError, "listed is None; use a function of the host, or listing='headers'"),
    ],
)
def test_a_wrong_option_is_an_error_with_its_fix(
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


@pytest.mark.parametrize("policy", ["no-ai", "no-training", True, 1, None, SitePolicy.from_flag(True)])
async def test_a_listed_tenant_may_have_a_policy_a_preset_or_a_flag(policy: object) -> None:
    app = listing(("/@alice/", policy), ("/@bob/", "unset"), ("/@eve/", False))  # type: ignore[arg-type]
    robots = (await request(app, "/robots.txt")).body
    allowed = {
        (name, path): READERS[0].allowed(robots, name, path)
        for name in ("GPTBot", "OAI-SearchBot")
        for path in ("/@alice/1", "/@bob/1", "/@eve/1")
    }
    refused = {key for key, value in allowed.items() if not value}
    others = {("OAI-SearchBot", "/@alice/1")} if policy == "no-ai" else set()
    assert refused == {("GPTBot", "/@alice/1")} | others


@pytest.mark.parametrize(
    "entry", [("/@alice/", "no-trainig"), ("/@alice/", 2), ("/@alice/",), 7, ("/@a/", True, 3), b"/@alice/"]
)
async def test_an_entry_that_can_not_be_listed_is_named_in_the_log_and_opts_the_host_out(
    entry: object, caplog: pytest.LogCaptureFixture
) -> None:
    robots = (await request(listing(entry), "/robots.txt")).body  # type: ignore[arg-type]
    assert not READERS[0].allowed(robots, "GPTBot", "/@bob/1")
    assert f"listed returned {entry!r}; give a path, or (path, SitePolicy), or (path, 'no-ai')" in caplog.text


@pytest.mark.parametrize("name", ["no host name", "é..example", "", "a/b", 7])
async def test_a_name_that_can_not_be_a_sites_is_an_error_in_the_log_once_with_its_value(
    name: object, caplog: pytest.LogCaptureFixture
) -> None:
    tenants = PathTenants(lambda scope: name, listing="headers")  # type: ignore[arg-type, return-value]
    app = mounted(tenants)
    with caplog.at_level(logging.ERROR, "aipolicy"):
        for _ in range(3):
            response = await request(app, "/@bob/1")
            assert (response.status, response.one("content-usage")) == (200, "train-ai=n")
    (line,) = caplog.messages
    assert f"site_of returned {name!r}, which is not a valid site name" in line
    assert "'alice.blog.example'" in line


async def test_invalid_names_that_clients_choose_do_not_fill_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = mounted(PathTenants(lambda scope: scope["path"][1:] + " x", listing="headers"))
    with caplog.at_level(logging.ERROR, "aipolicy"):
        for number in range(100):
            await request(app, f"/{number}")
    assert len(caplog.messages) == 16


def with_unknown_host(listing: Listing = "paths", default: Preset = "unset") -> AIPolicyMiddleware:
    sites = {"alice.example": True}
    tenants = PathTenants(site_of, lambda host: ["/@alice/"], listing=listing)
    lookup = CachedLookup(sites.get, default=default)
    return AIPolicyMiddleware(answering(robots=ROBOTS), lookup, tenants=tenants)


@pytest.mark.parametrize("default", ["unset", "no-training"])
@pytest.mark.parametrize("listing", ["paths", "headers", "origin"])
async def test_a_shared_host_that_the_lookup_does_not_know_is_a_warning_that_names_it_and_the_fix(
    listing: Listing, default: Preset, caplog: pytest.LogCaptureFixture
) -> None:
    app = with_unknown_host(listing, default)
    with caplog.at_level(logging.WARNING, "aipolicy"):
        for path in ("/robots.txt", "/.well-known/tdmrep.json", "/robots.txt", "/@alice/1", "/"):
            await request(app, path)
    (line,) = caplog.messages
    assert "the host 'blog.example', which the lookup doesn't know" in line
    assert "Let the lookup return a policy for 'blog.example'" in line


async def test_a_shared_host_that_the_lookup_knows_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    for app in (listing("/@alice/"), listing("/@alice/", how="headers"), listing("/@alice/", how="origin")):
        await request(app, "/robots.txt")
    assert not caplog.messages


async def test_a_host_that_nobody_shares_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    await request(listing(), "/robots.txt", "nobody.example")
    await request(listing(), "/robots.txt", None)
    assert not caplog.messages


@pytest.mark.parametrize("default", ["unset", "no-training"])
async def test_an_unknown_shared_hosts_pages_get_the_default_and_its_tenants_keep_their_no(
    default: Preset,
) -> None:
    app = with_unknown_host(default=default)
    usage = None if default == "unset" else "train-ai=n"
    assert (await request(app, "/about")).one("content-usage") == usage
    assert (await request(app, "/@alice/1")).one("content-usage") == "train-ai=n"
    robots = (await request(app, "/robots.txt")).body
    for reader in READERS:
        assert not reader.allowed(robots, "GPTBot", "/@alice/1"), reader.name
        assert reader.allowed(robots, "GPTBot", "/about") is (default == "unset"), reader.name
    assert b'"/@alice/"' in (await request(app, "/.well-known/tdmrep.json")).body


async def test_unknown_hosts_evict_no_shared_host_and_load_few_lists_at_once() -> None:
    asked: list[str] = []
    release = asyncio.Event()

    async def listed(host: str) -> Listed:
        asked.append(host)
        if host != "blog.example":
            await release.wait()
        return ["/@alice/"]

    app = mounted(PathTenants(site_of, listed))
    await request(app, "/robots.txt")
    waiting = [
        asyncio.create_task(request(app, "/robots.txt", f"x{number}.example")) for number in range(100)
    ]
    for _ in range(200):
        await asyncio.sleep(0.05)
        done = [task.result() for task in waiting if task.done()]
        if len(done) > 90:
            break
    assert len(asked) <= 9
    assert len(done) > 90
    assert all(not READERS[0].allowed(each.body, "GPTBot", "/@alice/1") for each in done)
    release.set()
    await asyncio.gather(*waiting)
    await request(app, "/robots.txt")
    assert asked.count("blog.example") == 1


@pytest.mark.parametrize("path", ["/@alice", "/@alice/"])
async def test_a_tenants_path_closes_no_other_tenants(path: str) -> None:
    robots = (await request(listing(path), "/robots.txt")).body
    for reader in READERS:
        for page in ("/@alicesmith", "/@alicesmith/", "/@alicesmith/post", "/@alicesmith?page=2", "/@alic"):
            assert reader.allowed(robots, "GPTBot", page), (reader.name, page)
        assert not reader.allowed(robots, "GPTBot", "/@alice/"), reader.name
        assert not reader.allowed(robots, "GPTBot", "/@alice/post"), reader.name
        if reader.name != "urllib.robotparser":  # the old one knows no "$"
            assert not reader.allowed(robots, "GPTBot", "/@alice"), reader.name
            assert not reader.allowed(robots, "GPTBot", "/@alice?page=2"), reader.name
    entries = json.loads((await request(listing(path), "/.well-known/tdmrep.json")).body)
    assert {entry["location"] for entry in entries} - {"/"} == {"/@alice/", "/@alice$", "/@alice?*"}


@pytest.mark.parametrize(
    ("path", "patterns"),
    [
        ("/@alice", {"/@alice/", "/@alice$", "/@alice?*"}),
        ("/?blog=alice", {"/?blog=alice$", "/?blog=alice&"}),
        ("/*/alice/", {"/*/alice/"}),
        ("/about.html$", {"/about.html$"}),
        ("/", {"/"}),
    ],
)
def test_a_tenants_path_patterns(path: str, patterns: set[str]) -> None:
    assert set(tenant_patterns(path)) == patterns


async def test_tdmrep_json_states_no_0_for_a_tenant_who_said_nothing() -> None:
    silent = SitePolicy.from_preset("unset", site="bob.example")
    app = mounted(PathTenants(site_of, lambda host: ["/@alice/", ("/@bob/", silent)]))
    entries = json.loads((await request(app, "/.well-known/tdmrep.json")).body)
    assert not [entry for entry in entries if entry["tdm-reservation"] == 0]
    assert {entry["location"] for entry in entries} == {"/@alice/", "/@alice$", "/@alice?*"}


@pytest.mark.parametrize("how", ["paths", "headers"])
@pytest.mark.parametrize("listed", [(), ("/@alice/",)])
async def test_a_grant_for_the_hosts_own_pages_grants_nothing_for_its_tenants(
    how: Listing, listed: tuple[str, ...]
) -> None:
    def policy_of(host: str) -> SitePolicy:
        return SitePolicy.from_preset("allow" if host == "blog.example" else "unset", site=host)

    tenants = PathTenants(site_of, lambda host: listed, listing=how)
    app = AIPolicyMiddleware(answering(robots=ROBOTS), CachedLookup(policy_of), tenants=tenants)
    robots = (await request(app, "/robots.txt")).body
    assert b"train-ai=y" not in robots
    assert b"ai-train=yes" not in robots
    entries = await request(app, "/.well-known/tdmrep.json")
    assert b'"tdm-reservation": 0' not in entries.body
    assert (await request(app, "/about")).one("content-usage") == "train-ai=y, ai-use=y"


@pytest.mark.parametrize("name", ["", "not a host", 7, KeyError("alice")])
async def test_a_request_whose_site_is_unknown_is_never_opened_by_the_default(name: object) -> None:
    def failing(scope: Scope) -> str | None:
        if isinstance(name, Exception):
            raise name
        return name  # type: ignore[return-value]

    tenants = PathTenants(failing, lambda host: [])
    app = AIPolicyMiddleware(answering(), CachedLookup(lambda host: None, default="unset"), tenants=tenants)
    for path in ("/@alice/1", "/@alice//1"):
        assert (await request(app, path)).one("content-usage") == "train-ai=n", path
