"""CachedLookup with a ``load`` that raises, hangs or returns an invalid value."""

import asyncio
import enum
import itertools
import logging
import math
import subprocess
import sys
import threading
from decimal import Decimal
from typing import Any

import numpy
import pytest

from aipolicy.core.policy import Preset, SitePolicy
from aipolicy.errors import AIPolicyError
from aipolicy.lookup import CachedLookup
from tests.lookup.harness import NO_AI, OPTED_OUT, UNSET, CachedSource, answer, policy
from tests.registry.conftest import ROOT


@pytest.fixture(autouse=True)
def log_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "aipolicy.lookup")


class Odd(BaseException):
    """An error that is no Exception."""


class Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError("not even this")


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise SystemExit("not even this")

    __repr__ = __str__


class UnspeakableExit(SystemExit):
    __str__ = __repr__ = UnspeakableError.__str__


class NoSite(SitePolicy):
    """A class that is returned in place of an object of it."""


@pytest.mark.parametrize("error", [UnspeakableError, UnspeakableExit])
@pytest.mark.parametrize("later", [200.0, 20_000.0])
async def test_an_opt_out_outlasts_an_error_that_cannot_be_written(
    cached: CachedSource, error: type[BaseException], later: float
) -> None:
    is_down = False

    async def load(host: str) -> bool:
        if is_down:
            raise error
        return True

    lookup = CachedLookup(load, default="unset", clock=cached.clock)
    await answer(lookup, "blog.example")
    is_down = True
    cached.clock.advance(later)
    assert (await answer(lookup, "blog.example")).policy.opted_out
    assert error.__name__ in lookup.status().last_error
    lookup.invalidate("blog.example")
    assert (await answer(lookup, "blog.example")).policy.opted_out


async def test_an_opt_out_outlasts_a_fault_of_the_lookup_itself(
    cached: CachedSource, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lookup = CachedLookup(lambda host: True, default="unset", clock=cached.clock)
    await answer(lookup, "blog.example")
    monkeypatch.setattr(lookup, "_store", None)
    monkeypatch.setattr(lookup, "_failed", None)
    cached.clock.advance(20_000)
    assert (await answer(lookup, "blog.example")).policy.opted_out
    assert "lookup of b'blog.example' failed; its last good answer is served" in caplog.text


@pytest.mark.parametrize("preset", ["unset", "no-training", "no-ai", "allow"])
async def test_load_may_return_the_name_of_a_preset(cached: CachedSource, preset: Preset) -> None:
    cached.flags.policies["blog.example"] = preset
    assert await policy(cached.lookup(), "blog.example") == SitePolicy.from_preset(preset)


@pytest.mark.parametrize("true", [True, 1, numpy.True_, numpy.int64(1), numpy.uint8(1)])
async def test_a_flag_of_a_database_or_of_numpy_is_a_flag(cached: CachedSource, true: Any) -> None:
    cached.put_all({"blog.example": true, "other.example": type(true)(0)})
    lookup = cached.lookup()
    assert await policy(lookup, "blog.example") == OPTED_OUT
    assert await policy(lookup, "other.example") == UNSET


class Choice(enum.IntEnum):
    """An enumeration whose numbers are no flags."""

    NOT_ASKED = 1


INVALID: list[tuple[object, str]] = [
    ("yes", "'yes' (str)"),
    ("no_training", "'no_training' (str)"),
    ("No-Training", "'No-Training' (str)"),
    ("", "'' (str)"),
    ("1", "'1' (str)"),
    (2, "2 (int)"),
    (-1, "-1 (int)"),
    (Choice.NOT_ASKED, f"<Choice.NOT_ASKED: 1> ({__name__}.Choice)"),
    (1.0, "1.0 (float)"),
    (math.nan, "nan (float)"),
    (Decimal(1), "Decimal('1') (decimal.Decimal)"),
    ({}, "{} (dict)"),
    ({"opted_out": True}, "{'opted_out': True} (dict)"),
    ([], "[] (list)"),
    ((True,), "(True,) (tuple)"),
    (b"", "b'' (bytes)"),
    (b"\x01", r"b'\x01' (bytes)"),
    (object, "<class 'object'> (type)"),
    (Unspeakable(), f"<Unspeakable> ({__name__}.Unspeakable)"),
    (UnspeakableExit(), f"<UnspeakableExit> ({__name__}.UnspeakableExit)"),
    (NoSite, f"<class '{__name__}.NoSite'> (type)"),
    (numpy.int64(2), "np.int64(2) (numpy.int64)"),
    (numpy.float64(1), "np.float64(1.0) (numpy.float64)"),
    (numpy.float64("nan"), "np.float64(nan) (numpy.float64)"),
    (numpy.array([True]), "array([ True]) (numpy.ndarray)"),
    ("line\nbreak\u202e", r"'line\nbreak\u202e' (str)"),
    ("x" * 10_000_000, f"'{'x' * 37}...{'x' * 38}' (str)"),
]


@pytest.mark.parametrize(("value", "text"), INVALID, ids=[text[:40] for _, text in INVALID])
async def test_any_other_value_is_a_failed_load_and_never_a_permission(
    cached: CachedSource, value: object, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    cached.flags.policies["blog.example"] = value
    lookup = cached.lookup()
    assert await answer(lookup, "blog.example") is lookup.default
    assert caplog.messages == [
        f"load('blog.example') failed: TypeError: it returned {text}; return True (opted out), False, the "
        "name of a preset ('unset', 'no-training', 'no-ai' or 'allow'), a SitePolicy, or None for an unknown "
        "host; the default policy is served, and the next try is in 1 s"
    ]
    assert text in lookup.status().last_error


async def test_the_last_good_answer_outlasts_an_invalid_value(cached: CachedSource) -> None:
    cached.put("blog.example", NO_AI)
    lookup = cached.lookup(default="unset")
    await answer(lookup, "blog.example")
    cached.flags.policies["blog.example"] = "no_training"
    cached.clock.advance(20_000)
    assert await policy(lookup, "blog.example") == NO_AI


@pytest.mark.parametrize("error", [RuntimeError("down"), KeyError("x"), asyncio.CancelledError(), Odd("x")])
async def test_whatever_load_raises_is_a_failure(
    cached: CachedSource, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    async def load(host: str) -> bool:
        raise error

    lookup = CachedLookup(load)
    assert await asyncio.wait_for(answer(lookup, "blog.example"), 5) is lookup.default
    assert len(caplog.records) == 1


@pytest.mark.parametrize("error", [RuntimeError("down"), StopIteration(), Odd("x")])
async def test_whatever_a_sync_load_raises_is_a_failure(error: BaseException) -> None:
    def load(host: str) -> bool:
        raise error

    lookup = CachedLookup(load, timeout=60)
    assert await asyncio.wait_for(answer(lookup, "blog.example"), 5) is lookup.default


async def test_what_load_raised_is_logged_with_its_traceback(
    cached: CachedSource, caplog: pytest.LogCaptureFixture
) -> None:
    cached.fail()
    await answer(cached.lookup(), "blog.example")
    assert "RuntimeError: the database is down" in caplog.text
    assert "in load_now" in caplog.text


async def test_a_policy_that_cannot_be_rendered_is_a_failure(
    cached: CachedSource, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookup = cached.lookup()

    def too_large(*_: object) -> None:
        raise AIPolicyError("too large")

    monkeypatch.setattr("aipolicy.lookup.renderer.render", too_large)
    cached.put("blog.example", NO_AI)
    assert await answer(lookup, "blog.example") is lookup.default
    assert "AIPolicyError: too large" in caplog.text


async def test_a_load_that_hangs_is_cancelled_and_the_visitor_answered(cached: CachedSource) -> None:
    ended = asyncio.Event()

    async def load(host: str) -> bool:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return False

    lookup = CachedLookup(load, timeout=0.02)
    assert await asyncio.wait_for(answer(lookup, "blog.example"), 5) is lookup.default
    await asyncio.wait_for(ended.wait(), 5)


async def test_a_load_that_ignores_its_cancellation_holds_nobody_up() -> None:
    stop = asyncio.Event()

    async def load(host: str) -> bool:
        while not stop.is_set():
            try:
                await stop.wait()
            except asyncio.CancelledError:
                continue
        raise RuntimeError("and then it fails, too late to matter")

    lookup = CachedLookup(load, timeout=0.02)
    assert await asyncio.wait_for(answer(lookup, "blog.example"), 5) is lookup.default
    stop.set()
    await asyncio.sleep(0.01)


async def test_a_hanging_load_serves_the_last_good_answer(
    cached: CachedSource, caplog: pytest.LogCaptureFixture
) -> None:
    hang = False

    async def load(host: str) -> Any:
        return await asyncio.sleep(60 if hang else 0, UNSET)

    lookup = CachedLookup(load, timeout=0.02, clock=cached.clock)
    found = await answer(lookup, "blog.example")
    hang = True
    cached.pass_freshness()
    assert await answer(lookup, "blog.example") is found
    assert "it took longer than 0.02 s; its last good answer is served" in caplog.text


async def test_hung_threads_are_bounded_and_then_nobody_waits_for_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    release, started = threading.Event(), []

    def load(host: str) -> bool:
        started.append(host)
        release.wait(60)
        return True

    lookup = CachedLookup(load, timeout=0.05, max_threads=3, max_unknown=3)
    hosts = [f"blog{number}.example" for number in range(8)]
    found = await asyncio.wait_for(asyncio.gather(*(answer(lookup, host) for host in hosts)), 5)
    assert set(found) == {lookup.default}
    assert len(started) == 3
    assert "it took longer" in caplog.text

    lookup_again = asyncio.create_task(answer(lookup, "late.example"))
    await asyncio.sleep(0.03)  # less than the timeout: it failed at once
    assert lookup_again.done()
    assert len(started) == 3

    release.set()
    await asyncio.sleep(0.05)
    lookup.invalidate_all()
    assert await policy(lookup, "late.example") == OPTED_OUT
    assert not set(started) & set(hosts[3:])  # who gave up waiting for a thread is not loaded afterwards


async def test_loads_wait_for_a_busy_thread_that_still_has_time() -> None:
    release = threading.Event()
    lookup = CachedLookup(lambda host: release.wait(5), timeout=5, max_threads=1)
    waiting = [asyncio.create_task(policy(lookup, host)) for host in ("one.example", "two.example")]
    await asyncio.sleep(0.05)
    release.set()
    assert await asyncio.gather(*waiting) == [OPTED_OUT, OPTED_OUT]


async def test_a_failing_host_is_left_alone_for_longer_each_time(cached: CachedSource) -> None:
    cached.put("blog.example", NO_AI)
    lookup = cached.lookup()
    await answer(lookup, "blog.example")
    cached.fail()
    cached.pass_freshness()
    tries = []
    for tenth in range(4000):
        before = cached.flags.calls
        assert await policy(lookup, "blog.example") == NO_AI
        if cached.flags.calls > before:
            tries.append(tenth / 10)
        cached.clock.advance(0.1)
    gaps = [round(later - earlier) for earlier, later in itertools.pairwise(tries)]
    assert gaps == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60]


async def test_during_backoff_the_answer_is_at_hand(cached: CachedSource) -> None:
    cached.put("blog.example", NO_AI)
    lookup = cached.lookup()
    await answer(lookup, "blog.example")
    cached.fail()
    cached.pass_freshness()
    found = await answer(lookup, "blog.example")
    assert lookup.peek(b"blog.example") is found


async def test_a_short_ttl_is_never_lengthened_by_the_first_failure(cached: CachedSource) -> None:
    cached.put("blog.example", UNSET)
    lookup = cached.lookup(ttl=0.2)
    await answer(lookup, "blog.example")
    cached.fail()
    cached.clock.advance(0.3)
    await answer(lookup, "blog.example")
    cached.mend()
    cached.put("blog.example", NO_AI)
    cached.clock.advance(0.21)
    await answer(lookup, "blog.example")  # which has it renewed
    assert await policy(lookup, "blog.example") == NO_AI


async def test_a_host_never_seen_is_left_alone_too(cached: CachedSource) -> None:
    cached.fail()
    lookup = cached.lookup()
    for _ in range(10):
        assert await answer(lookup, "blog.example") is lookup.default
    assert cached.flags.calls == 1
    cached.mend()
    cached.put("blog.example", UNSET)
    cached.clock.advance(1.1)
    assert await policy(lookup, "blog.example") == UNSET


async def test_a_million_failing_hosts_are_one_line_a_second(
    cached: CachedSource, caplog: pytest.LogCaptureFixture
) -> None:
    cached.fail()
    lookup = cached.lookup()
    for number in range(500):
        await answer(lookup, f"blog{number}.example")
        if number == 400:
            cached.clock.advance(1)
    assert len(caplog.messages) == 2
    assert caplog.messages[1].endswith("(400 more like this were left out)")


async def test_recoveries_are_one_line_a_second_too(
    cached: CachedSource, caplog: pytest.LogCaptureFixture
) -> None:
    cached.fail()
    lookup = cached.lookup()
    hosts = [f"blog{number}.example" for number in range(50)]
    for host in hosts:
        await answer(lookup, host)
    cached.mend()
    cached.clock.advance(2)
    for host in hosts:
        await answer(lookup, host)
    assert [record.message for record in caplog.records if record.levelno == logging.INFO] == [
        "load('blog0.example') succeeded again"
    ]


async def test_failures_of_unknown_hosts_are_remembered_in_a_small_place(cached: CachedSource) -> None:
    cached.fail()
    lookup = cached.lookup()
    for number in range(5000):
        await answer(lookup, f"unknown{number}.example")
    assert len(lookup._unknown) == 4096
    assert len(lookup._known) == 0
    assert not lookup._flights._in_flight


async def test_a_stale_answer_that_gives_way_keeps_the_sites_own_robots_txt(cached: CachedSource) -> None:
    own = SitePolicy(robots_base="User-agent: *\nDisallow: /drafts/\n")
    cached.put("blog.example", own)
    lookup = cached.lookup(max_stale=0)
    await answer(lookup, "blog.example")
    cached.fail()
    cached.pass_freshness()
    served = await answer(lookup, "blog.example")
    assert served.policy.opted_out
    assert b"/drafts/" in served.robots.body


async def test_an_error_of_the_lookup_itself_reaches_no_visitor(
    cached: CachedSource, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lookup = cached.lookup()
    monkeypatch.setattr(lookup, "_store", None)
    monkeypatch.setattr(lookup, "_failed", None)
    assert await lookup.find(b"blog.example") is lookup.default
    assert "lookup of b'blog.example' failed; the default policy is served" in caplog.text


HANGING = """
import asyncio, threading
from aipolicy.lookup import CachedLookup

lookup = CachedLookup(lambda host: threading.Event().wait(), timeout=0.05)
asyncio.run(lookup.find(b"blog.example"))
print("over")
"""


def test_a_load_that_hangs_keeps_no_process_from_ending() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HANGING], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (0, "over\n")
