"""One middleware in several threads, each with an event loop of its own."""

import asyncio
import random
import sys
import threading
from collections.abc import Iterator

import pytest
from starlette.types import Receive, Scope, Send

from aipolicy.asgi import AIPolicyMiddleware, upstream_robots
from aipolicy.core.policy import SitePolicy
from aipolicy.lookup import CachedLookup
from aipolicy.serving import response_preferences
from tests.asgi_client import request

SITES, THREADS, REQUESTS = 150, 6, 1500


@pytest.fixture
def many_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def policy_of(host: str) -> SitePolicy:
    return SitePolicy.from_preset("no-training", license_url=f"https://{host}/licence")


async def blog(scope: Scope, receive: Receive, send: Send) -> None:
    is_robots = scope["path"] == "/robots.txt"
    if not is_robots:
        scope["state"]["aipolicy"] = "no-ai"
    kind = b"text/plain" if is_robots else b"text/html"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": b"User-agent: *\nDisallow: /drafts\n"})


@pytest.mark.usefixtures("many_switches")
def test_full_caches_fail_no_request_in_any_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_preferences, "_REMEMBERED", 20)
    monkeypatch.setattr(upstream_robots, "_SITES_BYTES", 20_000)
    app = AIPolicyMiddleware(blog, CachedLookup(policy_of), post_preferences=True, own_robots_ttl=0.001)
    faults: list[BaseException] = []
    answered = 0

    async def ask(chance: random.Random) -> None:
        nonlocal answered
        for _ in range(REQUESTS):
            host = f"b{chance.randrange(SITES)}.example"
            path = chance.choice(["/", "/robots.txt"])
            response = await request(app, path, host, state={})
            if path == "/":
                assert response.one("content-usage") == "train-ai=n, ai-use=n"
            else:
                assert "GPTBot" in response.text
            answered += 1

    def run(seed: int) -> None:
        try:
            asyncio.run(ask(random.Random(seed)))
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults[0]
    assert answered > 0
