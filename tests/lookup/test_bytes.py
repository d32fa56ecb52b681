"""The memory of a lookup is bounded in bytes, and no opt-out is lost by that."""

import gc
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipolicy.core.policy import Preset, SitePolicy
from aipolicy.core.preferences import Preference, Preferences
from aipolicy.lookup import CachedLookup
from aipolicy.lookup.generational_cache import ByteBudget, GenerationalCache, rendering_size
from aipolicy.rendering import Rendering, render
from tests.lookup.harness import (
    NO_AI,
    OPTED_OUT,
    CachedSource,
    LocalSource,
    Source,
    answer,
    policy,
)

MIB = 1024 * 1024


def with_own_file(number: int, size: int = 100_000, preset: Preset = "unset") -> SitePolicy:
    text = f"# {number}\nUser-agent: *\nDisallow: /x\n" + ("# " + "x" * 998 + "\n") * (size // 1000)
    return SitePolicy.from_preset(preset, robots_base=text)


@pytest.fixture
def traced() -> Iterator[Callable[[], int]]:
    """Return the bytes of Python's memory that were allocated since and are in use."""
    gc.collect()
    tracemalloc.start()

    def used() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    yield used
    tracemalloc.stop()


async def test_many_large_files_take_no_more_than_max_bytes(
    source: Source, traced: Callable[[], int]
) -> None:
    source.put_all({f"s{number}.example": with_own_file(number) for number in range(100)})
    if isinstance(source, CachedSource):
        source.flags.policies = {host: made.to_dict() for host, made in source.flags.policies.items()}
        source.flags.load_now = lambda host: SitePolicy.from_dict(source.flags.policies[host])  # type: ignore
    lookup = source.lookup(max_bytes=4 * MIB)
    await answer(lookup, "s0.example")
    before = traced()
    for _ in range(2):
        for number in range(100):
            assert (await policy(lookup, f"s{number}.example")).robots_base is not None
            assert lookup.status().memory <= 4 * MIB
    assert traced() - before < 6 * MIB
    assert lookup.status().memory > 2 * MIB


async def test_large_files_push_out_no_small_site(source: Source) -> None:
    small = [f"small{number}.example" for number in range(50)]
    for host in small:
        source.put(host, SitePolicy.from_preset("no-ai", sitemaps=[f"https://{host}/s.xml"]))
    source.put_all({f"s{number}.example": with_own_file(number) for number in range(60)})
    lookup = source.lookup(max_bytes=4 * MIB)
    for host in small:
        await answer(lookup, host)
    for number in range(60):
        await answer(lookup, f"s{number}.example")
    assert all(lookup.peek(host.encode()) is not None for host in small)


@pytest.mark.parametrize("size", [100_000, 100])
async def test_a_site_for_which_there_was_no_memory_is_loaded_again(source: Source, size: int) -> None:
    source.put_all({f"s{number}.example": with_own_file(number, size, "no-ai") for number in range(120)})
    lookup = source.lookup(max_bytes=12 * size + 300_000, default="unset")
    for number in range(120):
        await answer(lookup, f"s{number}.example")
    found = await policy(lookup, "s0.example")
    assert found == with_own_file(0, size, "no-ai")


async def test_a_site_for_which_there_was_no_memory_keeps_its_opt_out_when_it_cannot_be_loaded(
    source: Source,
) -> None:
    drafts: Any = {"/drafts/": Preferences(train_ai=Preference.DISALLOW)}
    base = with_own_file(0).robots_base
    sites = {
        "no.example": SitePolicy.from_preset("no-ai", robots_base=base),
        "private.example": SitePolicy(visibility="private", robots_base=base),
        "drafts.example": SitePolicy(path_preferences=drafts, robots_base=base),
    }
    for host, its in sites.items():
        source.put(host, its)
    source.put_all({f"s{number}.example": with_own_file(number) for number in range(1, 60)})
    lookup = source.lookup(max_bytes=2 * MIB, default="unset")
    for host in (*sites, *(f"s{number}.example" for number in range(1, 60))):
        await answer(lookup, host)
    assert all(lookup.peek(host.encode()) is None for host in sites)
    source.fail()
    source.pass_freshness()
    served = {host: await policy(lookup, host) for host in sites}
    assert served["no.example"].preferences == NO_AI.preferences
    assert served["private.example"].visibility == "private"
    assert served["drafts.example"].opted_out, "what a path refused is refused everywhere"


async def test_a_much_larger_site_does_not_cost_others_their_opt_out(source: Source) -> None:
    """Several are evicted at once, and their small fallbacks are not evicted in turn."""
    noes = {f"no{number}.example": with_own_file(number, 20_000, "no-ai") for number in range(30)}
    source.put_all({**noes, "large.example": with_own_file(99, 400_000)})
    lookup = source.lookup(max_bytes=2 * MIB, default="unset")
    for host in (*noes, "large.example"):
        await answer(lookup, host)
    source.fail()
    source.pass_freshness()
    for host in noes:
        assert (await policy(lookup, host)).preferences == NO_AI.preferences, host


async def test_sites_with_equal_policies_are_counted_once(source: Source) -> None:
    source.put_all({f"s{number}.example": with_own_file(7) for number in range(200)})
    lookup = source.lookup()
    found = {await answer(lookup, f"s{number}.example") for number in range(200)}
    assert len(found) == 1
    assert lookup.status().memory < 2 * rendering_size(found.pop()) + 200 * 500


async def test_however_many_policies_there_are_equal_ones_are_one(source: Source) -> None:
    made = {
        f"s{number}.example": SitePolicy.from_preset(
            "no-ai", sitemaps=[f"https://cdn.example/{number % 750}.xml"]
        )
        for number in range(1500)
    }
    source.put_all(made)
    lookup = source.lookup()
    found = {await answer(lookup, host) for host in made}
    assert len(found) == 750


async def test_different_policies_with_one_text_share_it(source: Source) -> None:
    for number in range(5):
        its = SitePolicy.from_preset(
            "no-ai", robots_base=with_own_file(7).robots_base, sitemaps=[f"https://a.example/{number}.xml"]
        )
        source.put(f"s{number}.example", SitePolicy.from_dict(its.to_dict()))
    lookup = source.lookup()
    found = [await policy(lookup, f"s{number}.example") for number in range(5)]
    assert len({id(its.robots_base) for its in found}) == 1


async def test_stale_answers_that_give_way_are_bounded_too(
    local: LocalSource, traced: Callable[[], int]
) -> None:
    local.put_all({f"s{number}.example": with_own_file(number) for number in range(150)})
    lookup = local.lookup(max_stale=0)
    for number in range(150):
        await answer(lookup, f"s{number}.example")
    local.fail()
    local.pass_freshness()
    before = traced()
    for number in range(150):
        assert (await policy(lookup, f"s{number}.example")).opted_out
    assert traced() - before < 20 * MIB


async def test_an_error_of_any_length_is_cut(cached: CachedSource, caplog: pytest.LogCaptureFixture) -> None:
    lookup = cached.lookup()
    cached.flags.trouble = "x" * MIB
    for number in range(5):
        await answer(lookup, f"s{number}.example")
        cached.clock.advance(2)
    assert len(lookup.status().error) < 2000
    assert all(len(record.getMessage()) < 4000 for record in caplog.records)


def test_the_counted_bytes_are_close_to_the_memory_used(traced: Callable[[], int]) -> None:
    before = traced()
    kept = [render(with_own_file(number, 50_000, "no-ai")) for number in range(20)]
    taken = traced() - before
    assert 0.7 < sum(map(rendering_size, kept)) / taken < 2


@pytest.mark.parametrize(
    ("value", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_an_invalid_max_bytes_is_refused(value: Any, error: type[Exception], local: LocalSource) -> None:
    for make in (
        lambda: CachedLookup(lambda host: True, max_bytes=value),
        lambda: local.lookup(max_bytes=value),
    ):
        with pytest.raises(error, match="max_bytes is"):
            make()


async def test_a_bound_too_small_for_any_answer_only_costs_loads(source: Source) -> None:
    source.put("blog.example", NO_AI)
    source.put("other.example", OPTED_OUT)
    lookup = source.lookup(max_bytes=1)
    for _ in range(2):
        assert await policy(lookup, "blog.example") == NO_AI
        assert await policy(lookup, "other.example") == OPTED_OUT
    assert lookup.status().memory <= 1


SIZES = [render(with_own_file(number, size)) for number, size in enumerate((100, 5_000, 40_000, 90_000))]
HOSTS = st.sampled_from([b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"h"])
STEPS = st.lists(
    st.tuples(st.sampled_from(["get", "keep", "keep", "pop", "take_all"]), HOSTS, st.integers(0, 3)),
    max_size=60,
)


@given(st.integers(1, 9), st.integers(1, 300_000), STEPS)
def test_whatever_is_done_the_bytes_are_counted_right(
    most: int, max_bytes: int, steps: list[tuple[str, bytes, int]]
) -> None:
    budget = ByteBudget(max_bytes)

    def make() -> GenerationalCache[Rendering]:
        return GenerationalCache(
            most,
            budget=budget,
            lock=threading.RLock(),
            rendering=lambda value: value,
            shrink=lambda host, value: None if value is SIZES[0] else SIZES[0],
        )

    cache, other = make(), make()
    for step, host, size in steps:
        if step == "get":
            cache.get(host)
        elif step == "keep":
            cache.put(host, SIZES[size])
        elif step == "pop":
            cache.pop(host)
            assert cache.get(host) is None
        else:
            other.take_all(cache)
        kept = [*cache.values(), *other.values()]
        assert budget.total == sum(map(rendering_size, set(kept))) + 400 * len(kept)
        assert len(cache) == len(set(cache)) <= most
        if step == "keep":
            assert budget.total <= max_bytes or not len(cache)
