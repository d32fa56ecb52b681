"""CachedLookup under asyncio and trio: one load for all requests that wait, in time, whatever it does."""

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio

from aipolicy.asgi import AIPolicyMiddleware, PathTenants
from aipolicy.core.policy import SitePolicy
from aipolicy.lookup import CachedLookup
from tests.asgi.apps import answering
from tests.asgi_client import request
from tests.lookup.harness import NO_AI, OPTED_OUT, UNSET, Clock, answer, policy, settled

pytestmark = pytest.mark.parametrize("backend", ["asyncio", "trio"])

Test = Callable[[], Awaitable[None]]


def run(backend: str, test: Test) -> None:
    async def in_time() -> None:
        with anyio.fail_after(30):
            await test()

    anyio.run(in_time, backend=backend)


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await anyio.sleep(0.001)


def test_requests_for_one_cold_host_are_one_load_and_one_that_hangs_up_fails_no_other(backend: str) -> None:
    async def test() -> None:
        gate, calls, found = anyio.Event(), [], []

        async def load(host: str) -> bool:
            calls.append(host)
            await gate.wait()
            return True

        async def ask() -> None:
            found.append(await policy(lookup, "blog.example"))

        lookup = CachedLookup(load)
        async with anyio.create_task_group() as tasks:
            with anyio.move_on_after(0.01):
                await lookup.find(b"blog.example")  # the first, who hangs up
            for _ in range(50):
                tasks.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            gate.set()
        assert found == [OPTED_OUT] * 50
        assert calls == ["blog.example"]

    run(backend, test)


def test_when_all_hang_up_the_answer_is_kept_for_the_next(backend: str) -> None:
    async def test() -> None:
        gate = anyio.Event()

        async def load(host: str) -> bool:
            await gate.wait()
            return True

        lookup = CachedLookup(load)
        with anyio.move_on_after(0.01):
            await lookup.find(b"blog.example")
        gate.set()
        await settled(lookup)
        assert lookup.peek(b"blog.example") is not None

    run(backend, test)


@pytest.mark.parametrize("kind", ["async", "sync", "sync that returns a coroutine"])
def test_a_load_that_hangs_is_given_up_and_the_last_good_answer_stands(backend: str, kind: str) -> None:
    async def test() -> None:
        clock, hang, release = Clock(), False, threading.Event()

        async def load(host: str) -> SitePolicy:
            if hang:
                await anyio.sleep_forever()
            return NO_AI

        def load_now(host: str) -> Any:
            if kind != "sync":
                return load(host)
            if hang:
                release.wait(20)
            return NO_AI

        lookup = CachedLookup(
            load if kind == "async" else load_now, timeout=0.05, default="unset", clock=clock
        )
        assert await policy(lookup, "blog.example") == NO_AI
        hang = True
        clock.advance(121)
        assert await policy(lookup, "blog.example") == NO_AI
        assert lookup.status().error == "TimeoutError: it took longer than 0.05 s"
        release.set()

    run(backend, test)


def test_an_answer_is_renewed_in_the_background_while_the_last_one_is_served(backend: str) -> None:
    async def test() -> None:
        clock, gate, flag, calls = Clock(), anyio.Event(), False, 0

        async def load(host: str) -> bool:
            nonlocal calls
            calls += 1
            if calls > 1:
                await gate.wait()
            return flag

        lookup = CachedLookup(load, ttl=10, clock=clock)
        assert await policy(lookup, "blog.example") == UNSET
        flag = True
        clock.advance(10)
        for _ in range(20):
            assert (await lookup.find(b"blog.example")).policy == UNSET
        await anyio.wait_all_tasks_blocked()
        assert (calls, lookup.status().loads) == (2, 1)
        gate.set()
        await settled(lookup)
        assert await policy(lookup, "blog.example") == OPTED_OUT
        status = lookup.status()
        assert (status.misses, status.renewals) == (1, 1)

    run(backend, test)


def test_a_change_is_in_force_after_twice_the_ttl(backend: str) -> None:
    async def test() -> None:
        clock, flag = Clock(), False

        async def load(host: str) -> bool:
            return flag

        lookup = CachedLookup(load, ttl=10, clock=clock)
        assert await policy(lookup, "blog.example") == UNSET
        flag = True
        clock.advance(20)  # nobody came meanwhile
        assert (await lookup.find(b"blog.example")).policy == OPTED_OUT

    run(backend, test)


def test_an_invalidation_in_another_thread_takes_effect(backend: str) -> None:
    async def test() -> None:
        flag, gate = False, anyio.Event()
        calls = 0

        async def load(host: str) -> bool:
            nonlocal calls
            calls += 1
            read = flag
            if calls == 1:
                await gate.wait()
            return read

        lookup, found = CachedLookup(load), []

        async def ask() -> None:
            found.append(await policy(lookup, "blog.example"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await until(lambda: calls == 1)
            flag = True
            await anyio.to_thread.run_sync(lookup.invalidate, "BLOG.example")
            gate.set()
        assert found == [OPTED_OUT]
        assert await policy(lookup, "blog.example") == OPTED_OUT

    run(backend, test)


@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize(
    "error",
    [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError(), BaseException("odd")],
    ids=repr,
)
def test_an_exception_of_a_load_ends_only_that_load(
    backend: str, is_async: bool, error: BaseException
) -> None:
    async def test() -> None:
        clock, fail = Clock(), False

        async def load(host: str) -> bool:
            return load_now(host)

        def load_now(host: str) -> bool:
            if fail:
                raise error
            return True

        lookup = CachedLookup(load if is_async else load_now, max_threads=1, default="unset", clock=clock)
        assert await policy(lookup, "blog.example") == OPTED_OUT
        fail = True
        for host in ("blog.example", "other.example"):
            lookup.invalidate(host)
            assert await policy(lookup, host) == OPTED_OUT
        fail = False
        clock.advance(1.1)
        assert await policy(lookup, "other.example") == OPTED_OUT

    run(backend, test)


def test_a_cancellation_that_comes_from_within_is_a_failed_load(backend: str) -> None:
    async def test() -> None:
        async def load(host: str) -> bool:
            if backend == "asyncio":
                raise asyncio.CancelledError
            with trio.CancelScope() as scope:
                scope.cancel()
                try:
                    await trio.lowlevel.checkpoint()
                except trio.Cancelled as cancelled:
                    kept = cancelled
            raise kept

        lookup = CachedLookup(load)
        assert await answer(lookup, "blog.example") is lookup.default
        assert "ancelled" in lookup.status().error

    run(backend, test)


def test_a_load_runs_beside_the_event_loop_and_with_the_requests_context(backend: str) -> None:
    async def test() -> None:
        threads = set()

        def load(host: str) -> bool:
            threads.add(threading.current_thread())
            return True

        lookup = CachedLookup(load, max_threads=4)
        for number in range(20):
            assert await policy(lookup, f"blog{number}.example") == OPTED_OUT
        assert threading.main_thread() not in threads
        assert len(threads) <= 4

    run(backend, test)


def test_the_end_of_the_server_is_no_failed_load(backend: str, caplog: pytest.LogCaptureFixture) -> None:
    cancelled = []

    async def load(host: str) -> bool:
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.append(host)
        return True

    lookup = CachedLookup(load)

    async def test() -> None:
        with anyio.move_on_after(0.01):
            await lookup.find(b"blog.example")

    run(backend, test)
    assert cancelled == ["blog.example"]
    assert not caplog.records
    assert not lookup.status().error


def test_one_lookup_serves_one_event_loop_after_another(backend: str) -> None:
    hanging = True

    async def load(host: str) -> bool:
        if hanging:
            await anyio.sleep_forever()
        return True

    lookup = CachedLookup(load)

    async def hung_up() -> None:
        with anyio.move_on_after(0.01):
            await lookup.find(b"blog.example")

    async def found() -> None:
        assert await policy(lookup, "blog.example") == OPTED_OUT

    run(backend, hung_up)
    hanging = False
    for other in ("trio", "asyncio", backend):
        run(other, found)


def test_event_loops_in_several_threads_share_what_is_known(backend: str) -> None:
    hosts = [f"blog{number}.example" for number in range(200)]
    wrong: list[Any] = []

    async def load(host: str) -> SitePolicy:
        await anyio.lowlevel.checkpoint()
        return NO_AI

    lookup = CachedLookup(load, maxsize=50, default="unset", max_unknown=10_000)

    async def test() -> None:
        for host in hosts * 5:
            found = await lookup.find(host.encode())
            if found.policy != NO_AI:
                wrong.append(found)

    def in_thread() -> None:
        try:
            anyio.run(test, backend=backend)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=in_thread) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    assert lookup.status().sites <= 50


def test_the_middleware_and_its_hook_and_tenants_work(backend: str) -> None:
    async def test() -> None:
        heard: list[Any] = []
        paths: Any = {"/closed/": OPTED_OUT.preferences}
        closed = SitePolicy(path_preferences=paths)

        def in_disguise(event: Any) -> Awaitable[None]:
            return hook(event)

        async def hook(event: Any) -> None:
            await anyio.lowlevel.checkpoint()
            heard.append(event)

        for on_event in (hook, heard.append, in_disguise):
            heard.clear()
            app = AIPolicyMiddleware(
                answering(),
                CachedLookup(lambda host: closed, default="unset"),
                enforce="monitor",
                on_event=on_event,
                merge_own=False,
                tenants=PathTenants(lambda scope: None, lambda host: ["/@alice/"]),
            )
            response = await request(app, "/closed/post", user_agent="GPTBot/1.1")
            assert response.one("content-usage") == "train-ai=n"
            robots = await request(app, "/robots.txt")
            assert "/@alice/" in robots.text
            await until(lambda: heard)

    run(backend, test)


@pytest.mark.parametrize("is_async", [True, False])
def test_a_hook_that_raises_system_exit_ends_nothing(
    backend: str, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        heard = []

        def hook(event: Any) -> None:
            heard.append(event)
            raise SystemExit(3)

        async def hook_too(event: Any) -> None:
            hook(event)

        app = AIPolicyMiddleware(
            answering(),
            CachedLookup(lambda host: True),
            enforce="monitor",
            on_event=hook_too if is_async else hook,
        )
        for number in range(1, 4):
            assert (await request(app, user_agent="GPTBot/1.1")).status == 200
            while len(heard) < number:
                await anyio.sleep(0.001)
        await until(lambda: caplog.text.count("on_event failed") == 3)

    run(backend, test)


@pytest.mark.parametrize("error", [SystemExit(3), RuntimeError("down")], ids=repr)
def test_tenants_that_cannot_be_listed_opt_the_host_out(backend: str, error: BaseException) -> None:
    async def test() -> None:
        async def listed(host: str) -> list[str]:
            raise error

        app = AIPolicyMiddleware(
            answering(),
            CachedLookup(lambda host: False),
            merge_own=False,
            tenants=PathTenants(lambda scope: None, listed),
        )
        assert "train-ai=n" in (await request(app, "/robots.txt")).text

    run(backend, test)


def test_ctrl_c_ends_the_server_while_a_load_runs(backend: str) -> None:
    async def load(host: str) -> bool:
        signal.raise_signal(signal.SIGINT)
        await anyio.sleep_forever()
        return True

    lookup = CachedLookup(load, timeout=20)

    async def main() -> None:
        await lookup.find(b"blog.example")

    with pytest.raises(KeyboardInterrupt):
        anyio.run(main, backend=backend)


@pytest.mark.parametrize("where", ["load", "hook", "tenants"])
def test_ctrl_c_where_nobody_handles_it_is_raised_from_whatever_runs(backend: str, where: str) -> None:
    if backend == "trio":
        return  # it always handles it

    def interrupted(*_: object) -> Any:
        signal.raise_signal(signal.SIGINT)

    async def interrupted_too(*_: object) -> Any:
        interrupted()

    app = AIPolicyMiddleware(
        answering(),
        CachedLookup(interrupted_too if where == "load" else lambda host: True),
        enforce="monitor",
        on_event=interrupted_too if where == "hook" else None,
        tenants=PathTenants(interrupted, listing="headers") if where == "tenants" else None,
    )

    async def main() -> None:
        await request(app, user_agent="GPTBot/1.1")
        await asyncio.sleep(10)

    loop = asyncio.new_event_loop()
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(main())
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), asyncio.CancelledError()], ids=repr)
def test_a_site_that_cannot_be_named_gets_the_default(backend: str, error: BaseException) -> None:
    async def test() -> None:
        def site_of(scope: Any) -> str:
            raise error

        tenants = PathTenants(site_of, listing="headers")
        app = AIPolicyMiddleware(
            answering(), CachedLookup(lambda host: False), merge_own=False, tenants=tenants
        )
        assert (await request(app)).one("content-usage") == "train-ai=n"

    run(backend, test)
