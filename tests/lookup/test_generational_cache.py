"""GenerationalCache: bounded like an LRU cache, and with as many hits."""

import random
import threading
from itertools import accumulate

import pytest
from cachetools import LRUCache
from hypothesis import given
from hypothesis import strategies as st

from aipolicy.core.policy import SitePolicy
from aipolicy.lookup.generational_cache import ByteBudget, GenerationalCache
from aipolicy.rendering import render

RENDERING = render(SitePolicy())


def make_cache(most: int, budget: ByteBudget | None = None) -> GenerationalCache[int]:
    """Return a cache of numbers, whose renderings are small."""
    return GenerationalCache(
        most, budget=budget or ByteBudget(1 << 30), lock=threading.RLock(), rendering=lambda number: RENDERING
    )


HOSTS = st.sampled_from([b"a", b"b", b"c", b"d", b"e", b"f"])
STEPS = st.lists(st.tuples(st.sampled_from(["get", "keep", "pop", "take_all"]), HOSTS))


@given(st.integers(1, 4), STEPS)
def test_the_cache_is_bounded_and_never_returns_an_old_value(
    most: int, steps: list[tuple[str, bytes]]
) -> None:
    budget = ByteBudget(1 << 30)
    cache, kept = make_cache(most, budget), dict[bytes, int]()
    for number, (step, host) in enumerate(steps, 1):
        if step == "keep":
            cache.put(host, number)
            kept[host] = number
            assert cache.get(host) == number
        elif step == "get":
            assert cache.get(host) in (None, kept.get(host))
        elif step == "pop":
            assert cache.pop(host) in (None, kept.pop(host, None))
            assert cache.get(host) is None
        else:
            taking = make_cache(most, budget)
            taking.take_all(cache)
            assert not len(cache)
            cache = taking
        assert len(cache) == len(set(cache)) <= most


@given(st.integers(1, 40), st.lists(st.integers(0, 39)), st.randoms())
def test_what_fits_is_never_forgotten(most: int, numbers: list[int], chance: random.Random) -> None:
    cache, kept = make_cache(most), dict[bytes, int]()
    for number in numbers:
        host = b"%d" % (number % most)
        cache.put(host, number)
        kept[host] = number
        used = chance.choice(list(kept))
        assert cache.get(used) == kept[used]
    assert {host: cache.get(host) for host in kept} == kept


def test_what_is_used_outlasts_any_number_that_come_once() -> None:
    cache = make_cache(100)
    for number in range(10_000):
        cache.put(b"%d" % number, 1)
        cache.put(b"used", 1)
    assert cache.get(b"used") == 1
    assert 85 <= len(cache) <= 100


@pytest.mark.parametrize("swept", [0.0, 0.5])
def test_it_has_as_many_hits_as_an_lru_cache(swept: float) -> None:
    chance, most, hosts = random.Random(1), 200, 20_000
    zipf = list(accumulate(1 / rank**1.1 for rank in range(1, hosts + 1)))
    asked = chance.choices(range(hosts), cum_weights=zipf, k=30_000)
    requests = [
        b"%d" % (chance.randrange(hosts) + hosts if chance.random() < swept else host) for host in asked
    ]
    lru, ours = LRUCache[bytes, int](most), make_cache(most)
    found = [0, 0]
    for host in requests:
        found[0] += bool(lru.get(host))
        found[1] += bool(ours.get(host))
        lru[host] = 1
        ours.put(host, 1)
    assert found[1] > found[0] * 0.99 > 0


def test_take_all_keeps_entries_while_there_is_room() -> None:
    budget = ByteBudget(1 << 30)
    taking, first, second = (make_cache(3, budget) for _ in range(3))
    first.put(b"a", 1)
    second.put(b"b", 2)
    second.put(b"a", 3)
    taking.take_all(first)
    taking.take_all(second)
    assert {host: taking.get(host) for host in taking} == {b"a": 3, b"b": 2}
    for host in (b"c", b"d", b"e"):
        first.put(host, 4)
    taking.take_all(first)
    assert set(taking) == {b"c", b"d", b"e"}
