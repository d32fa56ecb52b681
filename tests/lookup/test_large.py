"""Policies whose robots.txt is too large or slow to render: the opt-out is served, and no host waits."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from aipolicy.core.policy import Preset, SitePolicy
from aipolicy.lookup import CachedLookup, LocalLookup
from aipolicy.registry import Registry
from aipolicy.rendering import render
from tests.hostile import files
from tests.lookup import virtualtime
from tests.lookup.harness import Clock

HOST = b"ada.example"
FILES = files()
TOO_LARGE = SitePolicy.from_preset(
    "no-ai", site="ada.example", robots_base=FILES["one group of as many rules as fit"].decode()
)
LARGE = replace(TOO_LARGE, robots_base="User-agent: *\n" + "Disallow: /x\n" * 2000)


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a registry with a policy that became too large with a later crawler table."""
    monkeypatch.setattr("aipolicy.registry.write.check_fits", lambda policy: None)
    address = f"sqlite:///{tmp_path}/registry.db"
    with Registry(address) as registry:
        registry.put(TOO_LARGE, by="ada")
    return address


@pytest.mark.parametrize("default", ["no-training", "unset"])
@pytest.mark.parametrize("kind", ["cached", "local"])
async def test_the_opt_out_is_complete_and_the_log_says_once_what_was_cut(
    kind: str, default: Preset, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    lookup: CachedLookup | LocalLookup
    if kind == "local":
        lookup = LocalLookup(url, default=default)
    else:
        lookup = CachedLookup(lambda host: TOO_LARGE, default=default, timeout=60, ttl=0.001)
    with caplog.at_level(logging.WARNING, "aipolicy.lookup"):
        for _ in range(3):
            found = await lookup.find(HOST)
            assert found.policy.preferences == TOO_LARGE.preferences
            assert found.site.headers == render(replace(TOO_LARGE, robots_base=None)).site.headers
            assert len(found.robots.body) <= 512_000
            await asyncio.sleep(0.01)
    cut = [record.message for record in caplog.records if "is shortened" in record.message]
    assert len(cut) == 1
    assert "512000" in cut[0]


@pytest.mark.parametrize("kind", ["cached", "async", "local"])
async def test_a_large_policy_is_rendered_off_the_event_loop_once(
    kind: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def watched(policy: SitePolicy, signals: object) -> object:
        if policy.robots_base:
            threads.append(threading.current_thread())
        return render(policy)

    monkeypatch.setattr("aipolicy.lookup.renderer.render", watched)

    async def load(host: str) -> SitePolicy:
        return LARGE

    lookup: CachedLookup | LocalLookup
    if kind == "local":
        lookup = LocalLookup(url)
    else:
        lookup = CachedLookup(load if kind == "async" else lambda host: LARGE, timeout=60)
    found = await asyncio.gather(*(lookup.find(HOST) for _ in range(5)))
    assert {one.policy.opted_out for one in found} == {True}
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


@pytest.mark.parametrize("kind", ["cached", "async", "local"])
async def test_the_fallback_of_a_large_policy_is_rendered_off_the_event_loop_too(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def watched(policy: SitePolicy, signals: object) -> object:
        if policy.robots_base:
            threads.append(threading.current_thread())
        return render(policy)

    monkeypatch.setattr("aipolicy.lookup.renderer.render", watched)
    silent = SitePolicy(site="ada.example", robots_base=LARGE.robots_base)
    path, clock, fails = tmp_path / "registry.db", Clock(), False

    def load_now(host: str) -> SitePolicy:
        if fails:
            raise RuntimeError("the database is down")
        return silent

    async def load(host: str) -> SitePolicy:
        return load_now(host)

    lookup: CachedLookup | LocalLookup
    if kind == "local":
        with Registry(f"sqlite:///{path}") as registry:
            registry.put(silent, by="ada")
        lookup = LocalLookup(path, max_stale=0, clock=clock)
    else:
        lookup = CachedLookup(load if kind == "async" else load_now, max_stale=0, clock=clock, timeout=60)
    assert not (await lookup.find(HOST)).policy.opted_out
    fails = True
    path.rename(tmp_path / "away") if kind == "local" else None
    clock.advance(121)
    found = await lookup.find(HOST)
    assert found.policy.opted_out
    assert b"Disallow: /x\n" in found.robots.body
    assert len(threads) == 2
    assert threading.main_thread() not in threads


async def test_a_policy_that_changes_while_it_is_rendered_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"sqlite:///{tmp_path}/registry.db"
    with Registry(address) as registry:
        registry.put(LARGE, by="ada")
        lookup = LocalLookup(address, refresh=0.001)
        read = lookup._renderer.read

        def changed(text: bytes) -> object:
            if b"/y" not in text:
                registry.put(
                    replace(LARGE, robots_base=(LARGE.robots_base or "") + "Disallow: /y\n"), by="ada"
                )
            return read(text)

        monkeypatch.setattr(lookup._renderer, "read", changed)
        await lookup.find(HOST)
        await asyncio.sleep(0.01)
        found = await lookup.find(HOST)
    assert b"Disallow: /y\n" in found.robots.body


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_timeout_of_a_load_excludes_rendering(
    kind: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, may_end = threading.Event(), threading.Event()
    rendered: list[SitePolicy] = []

    def slow(policy: SitePolicy, signals: object) -> object:
        if policy.robots_base:
            began.set()
            assert may_end.wait(60)
            rendered.append(policy)
        return render(policy)

    async def load(host: str) -> SitePolicy:
        return load_now(host)

    def load_now(host: str) -> SitePolicy:
        return LARGE if host == HOST.decode() else SitePolicy.from_preset("no-ai")

    async def until(happened: Callable[[], bool]) -> None:
        while not happened():
            time.sleep(0.001)  # a thread works, and no virtual time passes
            await anyio.sleep(0)

    async def test(clock: Callable[[], float]) -> None:
        found = []

        async def find() -> None:
            found.append(await lookup.find(HOST))

        lookup = CachedLookup(
            load if kind == "async" else load_now,
            default="unset",
            timeout=2,
            max_unknown=1,
            max_threads=1,
            clock=clock,
        )
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(find)
            await until(began.is_set)
            await anyio.sleep(30)
            assert not found
            # Nor does it keep the place of another unknown host, or the thread.
            others = []

            async def find_another() -> None:
                others.append(await lookup.find(b"bea.example"))

            group.start_soon(find_another)
            await until(lambda: bool(others))
            assert others[0].policy.opted_out
            may_end.set()
            await until(lambda: len(found) == 3)
        assert {one.policy.opted_out for one in found} == {True}
        assert len(rendered) == 1
        assert not lookup.status().last_error

    monkeypatch.setattr("aipolicy.lookup.renderer.render", slow)
    try:
        virtualtime.run(backend, test)
    finally:
        may_end.set()


async def test_an_invalidation_during_the_rendering_leads_to_a_new_load(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = [replace(LARGE, preferences=SitePolicy.from_preset("allow").preferences), LARGE]

    def render_and_invalidate(policy: SitePolicy, signals: object) -> object:
        if policy.robots_base and len(answers) == 1:
            lookup.invalidate("ada.example")
        return render(policy)

    lookup = CachedLookup(lambda host: answers.pop(0), timeout=60)
    monkeypatch.setattr("aipolicy.lookup.renderer.render", render_and_invalidate)
    found = await lookup.find(HOST)
    assert found.policy.opted_out
    assert not answers
