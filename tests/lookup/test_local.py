"""LocalLookup reads the registry and follows its changes."""

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from aipolicy.core.policy import SitePolicy
from aipolicy.errors import RegistryURLError
from aipolicy.lookup import LocalLookup
from aipolicy.rendering import Rendering
from tests.lookup.harness import NO_AI, OPTED_OUT, UNSET, Clock, LocalSource, answer, policy, sql


async def test_every_host_of_a_site_has_its_policy(local: LocalSource) -> None:
    local.put("blog.example", NO_AI, hosts=["www.blog.example", "blog.platform.example"])
    lookup = local.lookup()
    for host in ("blog.example", "www.blog.example", "BLOG.platform.example:443"):
        assert await policy(lookup, host) == NO_AI


async def test_everything_that_a_policy_says_is_read(local: LocalSource) -> None:
    everything = SitePolicy.from_dict(
        {
            "preferences": {"train-ai": "disallow"},
            "visibility": "discouraged",
            "licensed": ["GPTBot"],
            "path_preferences": {"/open/": {"train-ai": "allow"}},
            "sitemaps": ["https://blog.example/sitemap.xml"],
            "tdm_policy_url": "https://blog.example/tdm",
            "license_url": "https://blog.example/licence",
            "robots_base": "User-agent: *\nDisallow: /caf\udce9/\n",
        }
    )
    local.put("blog.example", everything)
    assert await policy(local.lookup(), "blog.example") == everything


async def test_a_change_is_in_force_after_refresh_and_not_a_moment_later(local: LocalSource) -> None:
    local.put("blog.example", UNSET)
    lookup = local.lookup(refresh=0.25)
    await answer(lookup, "blog.example")
    local.clock.advance(0.1)
    local.put("blog.example", OPTED_OUT)
    local.clock.advance(0.14)
    assert lookup.peek(b"blog.example") is not None
    local.clock.advance(0.01)
    assert lookup.peek(b"blog.example") is None
    assert await policy(lookup, "blog.example") == OPTED_OUT


async def test_only_what_changed_is_read_anew(local: LocalSource) -> None:
    for host in ("changes.example", "stays.example"):
        local.put(host, UNSET, hosts=[f"www.{host}"])
    lookup = local.lookup()
    before = {host: await answer(lookup, host) for host in ("changes.example", "www.changes.example")}
    stays = await answer(lookup, "stays.example")
    local.put("changes.example", NO_AI, hosts=["new.changes.example"])
    local.clock.advance(0.3)
    await answer(lookup, "stays.example")
    assert lookup.peek(b"stays.example") is stays
    assert all(lookup.peek(host.encode()) is None for host in before)
    assert await policy(lookup, "changes.example") == NO_AI
    assert await policy(lookup, "new.changes.example") == NO_AI
    assert await answer(lookup, "www.changes.example") is lookup.default


async def test_a_quiet_registry_costs_no_reading_of_sites(
    local: LocalSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.put("blog.example", NO_AI)
    lookup = local.lookup()
    found = await answer(lookup, "blog.example")
    assert lookup._file is not None
    monkeypatch.setattr(lookup._file, "policy", None)
    for _ in range(10):
        local.clock.advance(0.3)
        assert await answer(lookup, "blog.example") is found


async def test_the_sequence_number_is_that_of_the_last_change_in_force(local: LocalSource) -> None:
    local.put("blog.example", NO_AI)
    lookup = local.lookup()
    assert lookup.seq == 1
    local.put("blog.example", UNSET)
    local.put("other.example", UNSET)
    local.clock.advance(0.3)
    await answer(lookup, "blog.example")
    assert lookup.seq == 3


async def test_after_more_changes_than_can_be_followed_everything_is_read_anew(
    local: LocalSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aipolicy.lookup.registry_file._MAX_CHANGES", 5)
    local.put("blog.example", UNSET)
    local.put("silent.example", UNSET)
    lookup = local.lookup()
    await answer(lookup, "blog.example")
    await answer(lookup, "silent.example")
    await answer(lookup, "nobody.example")
    for number in range(6):
        local.put("blog.example", NO_AI if number % 2 else OPTED_OUT)
    local.clock.advance(0.3)
    assert await policy(lookup, "blog.example") == NO_AI
    assert lookup.peek(b"silent.example") is None
    assert lookup.seq == 8


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM change WHERE seq = 2",
        "UPDATE change SET affected = '[' WHERE seq = 2",
        "UPDATE change SET affected = '[1]' WHERE seq = 2",
        "UPDATE change SET affected = '7' WHERE seq = 2",
    ],
)
async def test_if_the_changes_are_unknown_everything_is_read_again(local: LocalSource, damage: str) -> None:
    local.put("blog.example", UNSET)
    lookup = local.lookup()
    await answer(lookup, "blog.example")
    local.put("blog.example", NO_AI)
    local.put("other.example", NO_AI)
    sql(local.path, "DROP TRIGGER change_refuses_delete", "DROP TRIGGER change_refuses_update", damage)
    local.clock.advance(0.3)
    assert await policy(lookup, "blog.example") == NO_AI


async def test_the_least_recently_used_site_goes_first(local: LocalSource) -> None:
    for host in ("a.example", "b.example", "c.example"):
        local.put(host, NO_AI)
    lookup = local.lookup(maxsize=2)
    for host in ("a.example", "b.example", "a.example", "c.example"):
        await answer(lookup, host)
    held = [lookup.peek(host) is not None for host in (b"a.example", b"b.example", b"c.example")]
    assert held == [True, False, True]


def test_a_lookup_serves_one_event_loop_after_another_in_any_thread(local: LocalSource) -> None:
    local.put("blog.example", NO_AI)
    lookup = local.lookup()

    def served() -> SitePolicy:
        lookup.invalidate("blog.example")
        return asyncio.run(policy(lookup, "blog.example"))

    with ThreadPoolExecutor(1) as other_thread:
        assert [served(), other_thread.submit(served).result(), served()] == [NO_AI] * 3


async def test_an_invalidation_may_come_from_any_thread(local: LocalSource) -> None:
    local.put("blog.example", NO_AI)
    lookup = local.lookup(refresh=3600)
    stop = threading.Event()

    def invalidate() -> None:
        while not stop.is_set():
            lookup.invalidate("blog.example")

    thread = threading.Thread(target=invalidate)
    thread.start()
    for _ in range(500):
        assert await policy(lookup, "blog.example") == NO_AI
    stop.set()
    thread.join()
    local.put("blog.example", OPTED_OUT)
    lookup.invalidate("blog.example")
    assert await policy(lookup, "blog.example") == OPTED_OUT


async def test_invalidations_that_no_request_follows_take_no_memory(local: LocalSource) -> None:
    local.put("blog.example", UNSET)
    lookup = local.lookup(refresh=3600)
    await answer(lookup, "blog.example")
    sql(local.path, """UPDATE site SET policy = '{"preset": "no-ai"}'""")  # unseen by the change feed
    lookup.invalidate("blog.example")
    for number in range(5000):
        lookup.invalidate(f"blog{number}.example")
    assert len(lookup._invalidated) <= 1000
    assert await policy(lookup, "blog.example") == NO_AI


async def test_a_closed_lookup_opens_the_file_again_when_asked(local: LocalSource) -> None:
    local.put("blog.example", NO_AI)
    lookup = local.lookup()
    found = await answer(lookup, "blog.example")
    lookup.close()
    lookup.close()
    assert await answer(lookup, "blog.example") is found
    lookup.close()


async def test_a_forked_process_opens_the_file_for_itself(
    local: LocalSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.put("blog.example", NO_AI)
    lookup = local.lookup()
    await answer(lookup, "blog.example")
    inherited = lookup._file
    monkeypatch.setattr("os.getpid", lambda: 1)
    local.clock.advance(0.3)
    assert await policy(lookup, "blog.example") == NO_AI
    assert lookup._file is not inherited


@pytest.mark.parametrize("form", ["{path}", "sqlite:///{path}", "sqlite+pysqlite:///{path}"])
async def test_the_registry_is_a_path_or_a_url(local: LocalSource, form: str) -> None:
    local.put("blog.example", NO_AI)
    assert await policy(LocalLookup(form.format(path=local.path)), "blog.example") == NO_AI


async def test_a_relative_path_stays_what_it_was(
    local: LocalSource, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    local.put("blog.example", NO_AI)
    monkeypatch.chdir(local.path.parent)
    lookups = [LocalLookup(local.path.name), LocalLookup(f"sqlite:///{local.path.name}")]
    for lookup in lookups:
        lookup.close()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for lookup in lookups:
        assert await policy(lookup, "blog.example") == NO_AI


async def test_a_path_may_have_any_character(clock: Clock, tmp_path: Path) -> None:
    source = LocalSource(clock, tmp_path / "a b%20#é&c.db")
    source.put("blog.example", NO_AI)
    for registry in (source.path, str(source.path), source.url):
        assert await policy(LocalLookup(registry), "blog.example") == NO_AI


@pytest.mark.parametrize(
    ("registry", "options", "error", "culprit"),
    [
        ("postgresql://db/aipolicy", {}, RegistryURLError, "registry is a postgresql URL"),
        ("sqlite://host/x.db", {}, RegistryURLError, "use the path of a SQLite file"),
        ("sqlite:///x.db?mode=rw", {}, RegistryURLError, "use the path of a SQLite file"),
        ("sqlite://", {}, RegistryURLError, "registry"),
        ("sqlite:///", {}, RegistryURLError, "registry names no file"),
        ("sqlite:///:memory:", {}, RegistryURLError, "registry names no file"),
        ("", {}, RegistryURLError, "registry names no file"),
        (None, {}, TypeError, "registry is None; use a path, or a URL"),
        ("x.db", {"refresh": 0}, ValueError, "refresh is 0"),
        ("x.db", {"maxsize": -1}, ValueError, "maxsize is -1"),
        ("x.db", {"max_stale": "1"}, TypeError, "max_stale is '1'"),
        ("x.db", {"default": "none"}, ValueError, "preset 'none' is unknown"),
    ],
)
def test_an_invalid_argument_is_named_with_the_fix(
    registry: Any, options: dict[str, Any], error: type[Exception], culprit: str
) -> None:
    with pytest.raises(error) as raised:
        LocalLookup(registry, **options)
    assert culprit in str(raised.value)


def test_sqlalchemy_is_never_imported(local: LocalSource) -> None:
    local.put("blog.example", NO_AI)
    code = f"""
import asyncio, sys
from aipolicy.lookup import LocalLookup
found = asyncio.run(LocalLookup({str(local.path)!r}).find(b"blog.example"))
print(found.policy.preset, "sqlalchemy" in sys.modules)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60, cwd=root)
    assert done.stdout.split() == [b"no-ai", b"False"]


async def test_equal_policies_share_one_rendering_however_they_are_written(local: LocalSource) -> None:
    for host in ("one.example", "two.example"):
        local.put(host, NO_AI)
    sql(local.path, "UPDATE site SET policy = ' ' || policy WHERE name = 'two.example'")
    lookup = local.lookup()
    found: set[Rendering] = {await answer(lookup, host) for host in ("one.example", "two.example")}
    assert len(found) == 1
