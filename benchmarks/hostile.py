"""The cost of hostile input: ``python -m benchmarks.hostile [WORD ...]`` (a WORD picks rows).

    pip install -e '.[bench,check]' && python -m benchmarks.hostile

Every robots.txt and site policy of ``tests/hostile.py`` goes through every public entry point. An event loop
must not be blocked for more than 50 ms at a time, and a command must not take more than 5 s of CPU time.
Exits with 1 if a limit is exceeded.

Python's garbage collector stops all threads while it visits every object of the process. Its longest
collection is a row of its own, with the same limit. The objects that exist before the work (the modules and
these inputs: some 270,000 objects, 70 ms) are frozen, so that the row is the time that the work itself adds.
"""

import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from unittest.mock import patch

import polars as pl

from aipolicy.accesslog.policies import Judge, policies_from_robots
from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.core.crawlers import crawler_named
from aipolicy.core.policy import SitePolicy
from aipolicy.lookup import CachedLookup, LocalLookup
from aipolicy.registry import Registry
from aipolicy.rendering import Rendering, render
from aipolicy.robotstxt import compare, explain, lint
from aipolicy.siteaudit.audit import audit
from aipolicy.siteaudit.expectation import Expectation, PolicyVersion
from tests.hostile import PATHS, POLICIES, files
from tests.siteaudit.observations import observe, robots

MOST_HELD, MOST_SECONDS = 0.050, 5.0
PLAIN = b"User-agent: *\nDisallow: /x\n"
HOST = b"blog.example"
FILES = files()
worst: dict[str, float] = {}


def took(function: Callable[[], object]) -> float:
    began = time.process_time()
    function()
    return time.process_time() - began


async def held(what: str, entry: str, work: Callable[[], Awaitable[object]]) -> None:
    """Print how long ``work`` blocked the event loop, and how long garbage collection took.

    In seconds of CPU: the loop's own between two beats of a task beside it (what runs in other threads gives
    way every 5 ms, and other programs are no fault of ours), and those of the thread that collects.
    """
    longest, last = 0.0, time.thread_time()
    collected, began = 0.0, 0.0

    async def heart() -> None:
        nonlocal longest, last
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            longest, last = max(longest, now - last), now

    def collecting(phase: str, _: object) -> None:
        nonlocal collected, began
        now = time.thread_time()  # no other collection begins before this one ends
        if phase == "start":
            began = now
        else:
            collected = max(collected, now - began)

    beating = asyncio.create_task(heart())
    await asyncio.sleep(0.02)
    gc.collect()
    gc.freeze()
    gc.callbacks.append(collecting)
    longest, last = 0.0, time.thread_time()
    try:
        await work()
        await asyncio.sleep(0.005)
    finally:
        gc.callbacks.remove(collecting)
        gc.unfreeze()
        beating.cancel()
    tell(what, entry, longest, MOST_HELD)
    tell(what, f"{entry}, collector", collected, MOST_HELD)


def tell(what: str, entry: str, figure: float, bound: float) -> None:
    key = f"{entry} ({'held' if bound is MOST_HELD else 'CPU'})"
    worst[key] = max(worst.get(key, 0.0), figure / bound)
    mark = "  <-- over" if figure > bound else ""
    print(f"{what:52} {entry:30} {figure * 1000:8.1f} ms{mark}", flush=True)


def command(what: str, entry: str, function: Callable[[], object]) -> None:
    tell(what, entry, took(function), MOST_SECONDS)


def commands(what: str, file: bytes) -> None:
    """Measure commands on one file."""
    command(what, "lint", lambda: lint(file))
    command(what, "diff", lambda: compare(file, PLAIN))
    command(what, "diff with itself, cut", lambda: compare(file, file[: len(file) // 2]))
    command(what, "explain", lambda: explain(file, "GPTBot", PATHS[2]))
    observation = observe(robots_txt=robots(file))
    expected = Expectation("--expect no-ai", PolicyVersion(POLICIES["no AI"]))
    command(what, "check site", lambda: audit(observation, expectation=expected))
    paths = [f"/{n % 997}/{n:x}/a-post" for n in range(10_000)]
    fetches = pl.DataFrame({"host": "a.example", "time": 0, "crawler": "GPTBot", "path": paths})
    policies = policies_from_robots(file, ["a.example"])
    command(what, "check logs, 10,000 paths", lambda: Judge(policies).judge(fetches))


def renderings(what: str, policy: SitePolicy) -> Rendering:
    made: list[Rendering] = []
    command(what, "render", lambda: made.append(render(policy)))
    return made[0]


async def requests(what: str, policy: SitePolicy) -> None:
    """Measure the time that requests block an event loop, for each lookup and for an upstream robots.txt."""
    file = policy.robots_base
    cached = CachedLookup(lambda host: policy, timeout=30)
    await held(what, "CachedLookup", lambda: cached.find(HOST))
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/registry.db"
        as_if_it_grew_later = patch("aipolicy.registry.write.check_fits", lambda policy: None)
        with as_if_it_grew_later, Registry(url) as registry:
            registry.put(policy.for_site("blog.example"), by="benchmark")
        local = LocalLookup(url)
        await held(what, "LocalLookup", lambda: local.find(HOST))
        local.close()
    own = (file or "").encode("utf-8", "surrogateescape")

    async def application(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
        )
        await send({"type": "http.response.body", "body": own})

    mounted = AIPolicyMiddleware(
        application, CachedLookup(lambda host: replace(policy, robots_base=None), timeout=30)
    )

    async def get(path: str) -> None:
        async def receive():  # type: ignore[no-untyped-def]
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message) -> None:  # type: ignore[no-untyped-def]
            pass

        scope = {
            "type": "http",
            "method": "GET",
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", HOST)],
            "extensions": {},
        }
        await mounted(scope, receive, send)

    await get("/")
    await held(what, "/robots.txt, merged", lambda: get("/robots.txt"))


def matching(what: str, rendering: Rendering) -> None:
    """Headers and refusal of one request."""
    crawler = crawler_named("GPTBot")
    assert crawler is not None
    for _ in range(2):
        slowest = max(took(lambda path=path: rendering.headers_at(path)) for path in PATHS)  # type: ignore[misc]
        closed = max(took(lambda path=path: rendering.closed_to(crawler, path)) for path in PATHS)  # type: ignore[misc]
    tell(what, "headers of a request", slowest, MOST_HELD)
    tell(what, "refusal of a request", closed, MOST_HELD)


def main() -> int:
    wanted = sys.argv[1:]
    chosen = {
        name: file for name, file in FILES.items() if not wanted or any(word in name for word in wanted)
    }
    for name, file in chosen.items():
        commands(name, file)
        text = file.decode("utf-8", "surrogateescape")
        for kind in ("no AI", "20 paths"):
            policy = replace(POLICIES[kind], robots_base=text)
            renderings(f"{name}; {kind}", policy)
        asyncio.run(requests(name, replace(POLICIES["no AI"], robots_base=text)))
    for name, policy in POLICIES.items():
        if wanted and not any(word in name for word in wanted):
            continue
        for own in ("", "User-agent: *\nDisallow: /x\n", FILES["rules that another rule opens"].decode()):
            rendering = renderings(f"{name}; own {len(own)} bytes", replace(policy, robots_base=own or None))
        matching(name, rendering)
        asyncio.run(requests(name, replace(policy, robots_base="User-agent: *\nDisallow: /x\n")))
    print("\nthe worst of each, as a part of its bound:")
    for entry, part in sorted(worst.items(), key=lambda item: -item[1]):
        print(f"{entry:40} {part:6.2f}")
    return int(any(part > 1 for part in worst.values()))


if __name__ == "__main__":
    sys.exit(main())
