"""The contract of every lookup."""

import gc
import logging
import random
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Preference, Preferences
from aipolicy.lookup import Lookup
from aipolicy.signals.switches import Signals
from tests.lookup.harness import ALLOW, NO_AI, OPTED_OUT, UNSET, Source, answer, policy


async def test_a_site_gets_its_own_policy(source: Source) -> None:
    source.put("blog.example", NO_AI)
    assert await policy(source.lookup(), "blog.example") == NO_AI


async def test_a_cached_answer_needs_no_await(source: Source) -> None:
    source.put("blog.example", NO_AI)
    lookup = source.lookup()
    assert lookup.peek(b"blog.example") is None
    found = await lookup.find(b"blog.example")
    assert lookup.peek(b"blog.example") is found


@pytest.mark.parametrize(
    "host", ["nobody.example", "", "a b", "[::1", "x" * 300, "a..b", "user@blog.example"]
)
async def test_an_unknown_host_gets_the_default(source: Source, host: str) -> None:
    source.put("blog.example", UNSET)
    lookup = source.lookup()
    assert await answer(lookup, host) is lookup.default
    assert lookup.default.policy == OPTED_OUT


@pytest.mark.parametrize("default", ["no-ai", NO_AI, NO_AI.for_site("other.example")])
async def test_the_default_is_a_preset_or_a_policy(source: Source, default: object) -> None:
    lookup = source.lookup(default=default)
    assert await policy(lookup, "nobody.example") == NO_AI


async def test_a_site_with_the_defaults_policy_can_be_told_from_an_unknown_host(source: Source) -> None:
    source.put("blog.example", OPTED_OUT)
    lookup = source.lookup()
    found = await answer(lookup, "blog.example")
    assert found is not lookup.default
    assert found.policy == lookup.default.policy


async def test_sites_with_equal_policies_share_one_rendering(source: Source) -> None:
    for host in ("one.example", "two.example"):
        source.put(host, SitePolicy.from_preset("no-ai", sitemaps=["https://example.com/s.xml"]))
    lookup = source.lookup()
    one, two = await answer(lookup, "one.example"), await answer(lookup, "two.example")
    assert one is two
    assert one.policy.site == ""


async def test_the_switches_reach_the_rendering(source: Source) -> None:
    source.put("blog.example", OPTED_OUT)
    lookup = source.lookup(signals=Signals(ai_txt=True))
    assert (await answer(lookup, "blog.example")).ai_txt
    assert lookup.default.ai_txt


SPELLINGS = ["BLOG.example", "blog.example.", "Blog.Example:8080", "bLOG.EXAMPLE.:443", "blog.example:"]


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_every_spelling_is_the_same_site(source: Source, spelling: str) -> None:
    source.put("blog.example", NO_AI)
    assert await policy(source.lookup(), spelling) == NO_AI


async def test_spellings_are_never_stored(source: Source) -> None:
    source.put("blog.example", NO_AI)
    lookup = source.lookup()
    for spelling in SPELLINGS:
        await answer(lookup, spelling)
        await answer(lookup, spelling.replace("blog", "nobody").replace("BLOG", "NOBODY"))
    assert all(lookup.peek(spelling.encode()) is None for spelling in SPELLINGS)
    assert list(lookup._known) == [b"blog.example"]


async def test_a_change_is_in_force_when_the_answer_has_run_out(source: Source) -> None:
    source.put("blog.example", UNSET)
    lookup = source.lookup()
    assert await policy(lookup, "blog.example") == UNSET
    source.put("blog.example", OPTED_OUT)
    assert await policy(lookup, "blog.example") == UNSET
    source.pass_freshness()
    assert await policy(lookup, "blog.example") == OPTED_OUT


async def test_an_unknown_host_can_become_a_site(source: Source) -> None:
    lookup = source.lookup()
    assert await answer(lookup, "new.example") is lookup.default
    source.put("new.example", NO_AI)
    source.pass_freshness()
    assert await policy(lookup, "new.example") == NO_AI


@pytest.mark.parametrize("spelling", ["blog.example", *SPELLINGS])
async def test_an_invalidated_host_is_asked_for_anew(source: Source, spelling: str) -> None:
    source.put("blog.example", UNSET)
    lookup = source.lookup()
    await answer(lookup, "blog.example")
    source.put("blog.example", OPTED_OUT)
    lookup.invalidate(spelling)
    assert lookup.peek(b"blog.example") is None
    assert await policy(lookup, "blog.example") == OPTED_OUT


async def test_an_invalidated_unknown_host_is_asked_for_anew(source: Source) -> None:
    lookup = source.lookup()
    await answer(lookup, "new.example")
    source.put("new.example", NO_AI)
    lookup.invalidate("new.example")
    assert await policy(lookup, "new.example") == NO_AI


@pytest.mark.parametrize("host", ["", "a b", "never-asked.example"])
async def test_invalidating_what_is_not_known_is_no_error(source: Source, host: str) -> None:
    source.lookup().invalidate(host)


async def test_an_opt_out_holds_for_as_long_as_a_failure_lasts(source: Source) -> None:
    source.put("blog.example", NO_AI)
    lookup = source.lookup(max_stale=100)
    found = await answer(lookup, "blog.example")
    source.fail()
    for _ in range(50):
        source.pass_freshness()
        source.clock.advance(1000)
        assert await answer(lookup, "blog.example") is found


@pytest.mark.parametrize("stale", [UNSET, ALLOW])
async def test_any_other_answer_holds_for_max_stale_and_is_then_replaced(
    source: Source, stale: SitePolicy
) -> None:
    source.put("blog.example", stale)
    lookup = source.lookup(max_stale=100)
    await answer(lookup, "blog.example")
    source.fail()
    source.pass_freshness()
    assert await policy(lookup, "blog.example") == stale
    source.clock.advance(30)
    assert await policy(lookup, "blog.example") == stale
    source.clock.advance(80)
    assert await answer(lookup, "blog.example") is lookup.default
    source.clock.advance(10_000)
    assert await answer(lookup, "blog.example") is lookup.default


async def test_an_answer_becomes_stale_on_time_even_between_two_tries(source: Source) -> None:
    source.put("blog.example", UNSET)
    lookup = source.lookup(max_stale=30)
    await answer(lookup, "blog.example")
    asked = source.clock.now
    source.fail()
    while await policy(lookup, "blog.example") == UNSET:
        source.clock.advance(0.1)
    assert source.clock.now == pytest.approx(asked + source.freshness + 30, abs=0.11)


async def test_the_fallback_keeps_the_refusals_of_a_stale_answer(source: Source) -> None:
    refuses = Preferences(train_ai=Preference.ALLOW, ai_use=Preference.DISALLOW)
    drafts = Preferences(train_ai=Preference.DISALLOW)
    mixed = SitePolicy(preferences=refuses, path_preferences={"/drafts/": drafts})
    source.put("blog.example", mixed)
    lookup = source.lookup(max_stale=0, default="unset")
    await answer(lookup, "blog.example")
    source.fail()
    source.pass_freshness()
    served = await policy(lookup, "blog.example")
    assert served.preferences == Preferences(train_ai=Preference.DISALLOW, ai_use=Preference.DISALLOW)
    assert served.effective_paths == (("/drafts/", drafts.combined(served.preferences)),)


async def test_a_host_never_seen_before_a_failure_gets_the_default(source: Source) -> None:
    source.put("blog.example", ALLOW)
    lookup = source.lookup()
    source.fail()
    source.pass_freshness()
    assert await answer(lookup, "blog.example") is lookup.default


async def test_the_right_answer_is_served_again_after_a_failure(source: Source) -> None:
    source.put("blog.example", UNSET)
    source.put("other.example", ALLOW)
    lookup = source.lookup(max_stale=10)
    await answer(lookup, "blog.example")
    source.fail()
    source.pass_freshness()
    source.clock.advance(20)
    for host in ("blog.example", "other.example"):
        assert await answer(lookup, host) is lookup.default
    source.mend()
    source.pass_freshness()
    assert await policy(lookup, "blog.example") == UNSET
    assert await policy(lookup, "other.example") == ALLOW


async def test_a_failure_and_its_end_are_each_logged_once(
    source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "aipolicy.lookup")
    source.put("blog.example", OPTED_OUT)
    lookup = source.lookup()
    await answer(lookup, "blog.example")
    source.fail()
    for _ in range(20):
        source.pass_freshness()
        await answer(lookup, "blog.example")
    source.mend()
    for _ in range(3):
        source.pass_freshness()
        await answer(lookup, "blog.example")
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_an_invalidated_opt_out_is_kept_when_it_cannot_be_asked_for(source: Source) -> None:
    source.put("blog.example", NO_AI)
    lookup = source.lookup()
    await answer(lookup, "blog.example")
    source.fail()
    lookup.invalidate("blog.example")
    assert await policy(lookup, "blog.example") == NO_AI


@pytest.mark.parametrize("old", [UNSET, ALLOW])
async def test_any_other_answer_is_not_trusted_once_invalidated(source: Source, old: SitePolicy) -> None:
    source.put("blog.example", old)
    lookup = source.lookup()
    await answer(lookup, "blog.example")
    source.fail()
    lookup.invalidate("blog.example")
    assert await answer(lookup, "blog.example") is lookup.default


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(host=st.binary(max_size=300) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")))
async def test_no_host_raises_an_error(source: Source, host: bytes) -> None:
    lookup = source.lookup()
    assert await answer(lookup, host) is lookup.default


async def sweep(lookup: Lookup, hosts: int, seed: int = 7) -> None:
    numbers = random.Random(seed)
    for _ in range(hosts):
        host = b"%x.unknown.example" % numbers.getrandbits(64)
        assert (lookup.peek(host) or await lookup.find(host)) is lookup.default


@pytest.mark.parametrize(
    ("hosts", "failing"),
    [
        (100_000, False),
        (20_000, True),
        pytest.param(1_000_000, False, marks=pytest.mark.slow),
    ],
)
async def test_random_hosts_cost_no_memory_and_evict_no_site(
    source: Source, hosts: int, failing: bool
) -> None:
    known = [f"blog{number}.example" for number in range(20)]
    for host in known:
        source.put(host, NO_AI)
    lookup = source.lookup(maxsize=20)
    for host in known:
        await answer(lookup, host)
    if failing:
        source.fail()
        source.clock.advance(0.3)
    await sweep(lookup, 5000, seed=1)
    gc.collect()
    before = sys.getallocatedblocks()
    await sweep(lookup, hosts)
    gc.collect()
    assert sys.getallocatedblocks() - before < 1000
    assert all(lookup.peek(host.encode()) is not None for host in known)
