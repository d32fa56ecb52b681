"""The default is for hosts that the source doesn't have, and where it gave no answer no opt-out is lost."""

import logging
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.types import Receive, Scope, Send

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.core.policy import PRESETS, SitePolicy
from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.lookup import CachedLookup, LocalLookup
from aipolicy.lookup.fallback import strict_default
from tests.asgi_client import request
from tests.lookup.harness import (
    ALLOW,
    NO_AI,
    OPTED_OUT,
    UNSET,
    CachedSource,
    Clock,
    LocalSource,
    Source,
    answer,
    policy,
    settled,
    sql,
)

Load = Callable[[str], Awaitable[Any]]


async def failing(host: str) -> Any:
    raise RuntimeError("down")


async def slow(host: str) -> Any:
    await anyio.sleep_forever()


async def invalid(host: str) -> Any:
    return "opted out"


def failing_now(host: str) -> Any:
    raise RuntimeError("down")


@pytest.mark.parametrize("default", ["unset", "allow", ALLOW])
@pytest.mark.parametrize("load", [failing, slow, invalid, failing_now])
async def test_a_host_whose_first_load_fails_is_opted_out(load: Load, default: Any) -> None:
    lookup = CachedLookup(load, default=default, timeout=0.05)
    found = await lookup.find(b"blog.example")
    assert found is lookup.strict_default is not lookup.default
    assert found.policy == OPTED_OUT
    assert lookup.peek(b"blog.example") is None
    assert await lookup.find(b"blog.example") is found
    assert lookup.status().unknown_hosts == 1


async def test_a_sync_load_that_hangs_opens_no_blog() -> None:
    stop = threading.Event()

    def load(host: str) -> bool:
        return stop.wait(60)

    lookup = CachedLookup(load, default="unset", timeout=0.05, max_threads=2)
    for number in range(4):  # also if no thread is left
        assert (await lookup.find(b"blog%d.example" % number)).policy.opted_out
    stop.set()


async def test_a_host_that_is_refused_is_opted_out_until_it_is_loaded(
    caplog: pytest.LogCaptureFixture,
) -> None:
    go, clock = anyio.Event(), Clock()

    async def load(host: str) -> Any:
        await go.wait()
        return None if host == "blog0.example" else UNSET

    lookup = CachedLookup(load, default="unset", max_unknown=1, timeout=60, clock=clock)
    found: dict[int, SitePolicy] = {}

    async def visit(number: int) -> None:
        found[number] = (await lookup.find(b"blog%d.example" % number)).policy

    async with anyio.create_task_group() as tasks:
        for number in range(400):
            tasks.start_soon(visit, number)
        await anyio.wait_all_tasks_blocked()
        assert len(found) == lookup.status().refused == 400 - 1 - 128
        assert set(found.values()) == {OPTED_OUT}
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert "too many unknown hosts are being loaded" in caplog.text
        go.set()
    await settled(lookup)
    assert found[0] == found[1] == UNSET
    assert await policy(lookup, "blog399.example") == UNSET
    assert await answer(lookup, "blog0.example") is lookup.default


async def test_a_refused_host_that_load_did_not_have_keeps_the_default() -> None:
    """The platform's own pages, when someone tries names."""
    hang, clock = False, Clock()

    async def load(host: str) -> Any:
        if hang:
            await anyio.sleep_forever()

    lookup = CachedLookup(load, default="unset", max_unknown=1, timeout=60, max_stale=100, clock=clock)
    assert await lookup.find(b"www.example") is lookup.default
    hang = True
    async with anyio.create_task_group() as tasks:
        for number in range(200):
            tasks.start_soon(lookup.find, b"junk%d.example" % number)
        await anyio.wait_all_tasks_blocked()
        clock.advance(6)
        assert await lookup.find(b"www.example") is lookup.default
        clock.advance(100)
        assert await lookup.find(b"www.example") is lookup.strict_default
        tasks.cancel_scope.cancel()


async def test_a_none_gets_the_default_while_other_loads_fail() -> None:
    async def load(host: str) -> Any:
        if host != "www.example":
            raise RuntimeError("down")

    lookup = CachedLookup(load, default="unset")
    for number in range(20):
        assert (await lookup.find(b"blog%d.example" % number)).policy == OPTED_OUT
    assert await answer(lookup, "www.example") is lookup.default
    assert lookup.default.policy == UNSET


async def test_a_host_that_the_source_did_not_have_keeps_the_default_for_max_stale(source: Source) -> None:
    lookup = source.lookup(default="unset", max_stale=100)
    assert await answer(lookup, "www.example") is lookup.default
    source.fail()
    source.pass_freshness()
    for _ in range(3):
        if source.clock.now > 1100:
            break
        assert await answer(lookup, "www.example") is lookup.default
        source.clock.advance(20)
    source.clock.advance(200)
    assert await answer(lookup, "www.example") is lookup.strict_default
    assert lookup.status().unknown_hosts == 1
    source.mend()
    source.pass_freshness()
    assert await answer(lookup, "www.example") is lookup.default


async def test_a_cold_host_gets_its_own_policy_as_soon_as_the_source_answers(source: Source) -> None:
    source.put("blog.example", UNSET)
    lookup = source.lookup(default="unset")
    source.fail()
    source.clock.advance(1)
    assert await answer(lookup, "blog.example") is lookup.strict_default
    source.mend()
    source.pass_freshness()
    assert await policy(lookup, "blog.example") == UNSET
    assert await answer(lookup, "www.example") is lookup.default


async def test_an_opt_out_made_while_the_source_fails_is_not_answered_with_silence(source: Source) -> None:
    """The owner opts out, the application invalidates the host, and the load fails."""
    source.put("blog.example", UNSET)
    lookup = source.lookup(default="unset", max_stale=0)
    await answer(lookup, "blog.example")
    source.fail()
    source.pass_freshness()
    lookup.invalidate("blog.example")
    assert await answer(lookup, "blog.example") is lookup.strict_default


async def test_a_missing_file_opens_no_blog(tmp_path: Path) -> None:
    lookup = LocalLookup(tmp_path / "registry.db", default="unset")
    found = await lookup.find(b"blog.example")
    assert found is lookup.strict_default
    assert found.policy == OPTED_OUT


async def test_an_invalid_row_opens_only_no_blog_and_a_host_without_row_gets_the_default(
    local: LocalSource,
) -> None:
    local.put("blog.example", OPTED_OUT)
    sql(local.path, "UPDATE site SET policy = '[]'")
    lookup = local.lookup(default="unset")
    assert await answer(lookup, "blog.example") is lookup.strict_default
    assert await answer(lookup, "www.example") is lookup.default


async def test_a_default_that_is_strict_is_its_own_strict_default(cached: CachedSource) -> None:
    for default in ("no-training", "no-ai", NO_AI):
        lookup = cached.lookup(default=default)
        assert lookup.strict_default is lookup.default


def test_the_strict_default_grants_nothing_and_keeps_each_no() -> None:
    paths = {"/a/": Preferences(train_ai=Preference.ALLOW, ai_use=Preference.DISALLOW), "/b/": Preferences()}
    default = SitePolicy(
        preferences=Preferences(train_ai=Preference.ALLOW, search=Preference.DISALLOW),
        path_preferences=paths,
        licensed=["GPTBot"],
        sitemaps=["https://www.example/map.xml"],
    )
    strict = strict_default(default)
    assert strict.preferences == Preferences(train_ai=Preference.DISALLOW, search=Preference.DISALLOW)
    assert all(each.disallows(Category.TRAIN_AI) for _, each in strict.effective_paths)
    assert dict(strict.effective_paths)["/a/"].disallows(Category.AI_USE)
    assert not strict.licensed
    assert strict.sitemaps == default.sitemaps
    assert strict_default(SitePolicy(preferences=PRESETS["allow"])).preferences == PRESETS["no-training"]


async def no_page(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def test_a_cold_hosts_files_say_no_and_are_not_cached_for_long() -> None:
    async def load(host: str) -> Any:
        if host == "blog.example":
            raise RuntimeError("down")
        return OPTED_OUT

    app = AIPolicyMiddleware(no_page, CachedLookup(load, default="unset"), max_age=3600)
    page = await request(app, host="blog.example")
    assert page.one("content-usage") == "train-ai=n"
    robots = await request(app, "/robots.txt", host="blog.example")
    assert b"User-agent: GPTBot" in robots.body
    assert robots.one("cache-control") == "public, max-age=60"
    known = await request(app, "/robots.txt", host="other.example")
    assert known.one("cache-control") == "public, max-age=3600"
