"""A policy whose robots.txt doesn't fit, or takes long to render: the no is served, and nobody else waits."""

import asyncio
import logging
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from aipolicy.core.policy import SitePolicy
from aipolicy.core.render import render
from aipolicy.lookup import CachedLookup, LocalLookup
from aipolicy.registry import Registry
from tests.hostile import files

HOST = b"ada.example"
FILES = files()
TOO_LARGE = SitePolicy.from_preset(
    "no-ai", "ada.example", robots_base=FILES["one group of as many rules as fit"].decode()
)
LARGE = replace(TOO_LARGE, robots_base="User-agent: *\n" + "Disallow: /x\n" * 20_000)


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A registry that took a policy in when it still fitted: a later crawler table is larger."""
    monkeypatch.setattr("aipolicy.registry.given.check_fits", lambda policy: None)
    address = f"sqlite:///{tmp_path}/registry.db"
    with Registry(address) as registry:
        registry.put(TOO_LARGE, by="ada")
    return address


@pytest.mark.parametrize("default", ["no-training", "unset"])
@pytest.mark.parametrize("kind", ["cached", "local"])
async def test_the_no_is_served_in_full_and_the_log_says_once_what_is_cut(
    kind: str, default: str, url: str, caplog: pytest.LogCaptureFixture
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
    cut = [record.message for record in caplog.records if "is served cut" in record.message]
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
