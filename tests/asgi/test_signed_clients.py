"""Signed requests from end to end: server, signing client, directory of its keys, and impostors."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import trustme
import uvicorn
from starlette.types import ASGIApp

from aipolicy.asgi import AIPolicyMiddleware, DisallowedFetch
from aipolicy.core.policy import SitePolicy
from aipolicy.identity import Verification
from aipolicy.lookup import CachedLookup
from aipolicy.web.fetcher import Fetcher
from tests.asgi.apps import answering
from tests.identity.address_lists import RANGES
from tests.identity.signatures.signing import Signer
from tests.web.server import Server, answer, localhost, trusting

PATH = "/.well-known/http-message-signatures-directory"
CA = trustme.CA()
LICENSED = SitePolicy.from_preset("no-ai", licensed=["YouBot"])
YOUBOT = "Mozilla/5.0 (compatible; YouBot/1.0; +https://docs.you.com/youbot)"


@pytest.fixture
async def signing() -> AsyncIterator[Server]:
    async with localhost(CA) as running:
        yield running


def fetcher_inside() -> Fetcher:
    return Fetcher(allow_private=True, seconds=5, tls=trusting(CA))


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """Serve with uvicorn behind a proxy that names the client; return the origin."""
    config = uvicorn.Config(
        app, lifespan="off", ws="none", log_level="error", forwarded_allow_ips="127.0.0.1"
    )
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running


async def test_a_client_that_signs_is_allowed_and_one_that_only_says_so_is_not(signing: Server) -> None:
    signer, events = Signer(), list[DisallowedFetch]()

    async def hook(event: DisallowedFetch) -> None:
        events.append(event)

    signing.answers[PATH] = answer(signer.directory)
    verification = Verification(RANGES, dns=False, agents={signing.origin: "YouBot"}, fetcher=fetcher_inside)
    app = AIPolicyMiddleware(
        answering(),
        CachedLookup(lambda host: LICENSED),
        enforce="verified",
        verification=verification,
        on_event=hook,
    )
    async with served(app) as origin, httpx.AsyncClient(base_url=origin, trust_env=False) as client:

        async def fetch(path: str, by: Signer | None, signed_path: str | None = None) -> httpx.Response:
            headers = {"User-Agent": YOUBOT, "X-Forwarded-For": "8.8.8.8", "X-Forwarded-Proto": "https"}
            if by is not None:
                signed = by.sign(
                    url=origin + (signed_path or path),
                    agent=f'sig1="{signing.origin}"',
                    created=time.time(),
                )
                headers |= dict(signed.headers)
            return await client.get(path, headers=headers)

        first = await fetch("/robots.txt", signer)
        assert first.status_code == 200
        await asyncio.to_thread(verification.wait_until_idle)
        assert (await fetch("/post?page=2", signer)).text == "hello"
        assert (await fetch("/other", signer)).status_code == 200

        unsigned = await fetch("/post", None)
        assert unsigned.status_code == 403
        assert "web-bot-auth" in unsigned.headers["accept-signature"]
        assert unsigned.json()["verify_by"]["web_bot_auth"] == signing.origin
        assert (await fetch("/post", Signer())).status_code == 403  # with a key that isn't the agent's
        replayed = await fetch("/other", signer, signed_path="/post")
        assert replayed.status_code == 403
        assert replayed.json()["identity"] == "spoofed"
        browser = await client.get("/post", headers={"User-Agent": "Mozilla/5.0 Firefox/140.0"})
        assert browser.status_code == 200
    assert len(signing.requests) == 1
    assert [event.path for event in events] == ["/post", "/post", "/other"]
