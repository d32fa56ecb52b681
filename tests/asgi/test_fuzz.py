"""A hundred thousand random requests: no exception, and only our headers are added."""

import random
from collections.abc import Callable

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.core.policy import PRESETS, SitePolicy
from aipolicy.serving.policy_files import POLICY_FILES, path_below_mount
from tests.asgi.apps import lookup

REQUESTS = 100_000
OURS = {b"x-robots-tag", b"content-usage", b"tdm-reservation"}
POLICIES: dict[str, SitePolicy | bool | None] = {
    "blog": SitePolicy.from_preset("no-ai"),
    "silent": False,
    "private": SitePolicy(visibility="private"),
    "paths": SitePolicy.from_preset("no-training", path_preferences={"/press/*.pdf$": PRESETS["allow"]}),
}
HOSTS = [
    *(f"{name}.example".encode() for name in POLICIES),
    b"nobody.example",
    b"",
    b"BLOG.EXAMPLE:80",
    b"b\xfccher",
]
PATHS = [
    "/",
    "/post/1",
    "/press/kit.pdf",
    "/robots.txt",
    "/ai.txt",
    "/.well-known/tdmrep.json",
    "/a/robots.txt",
    "*",
    "",
]
NAMES = [
    b"user-agent",
    b"if-none-match",
    b"range",
    b"accept",
    b"cookie",
    b"x-robots-tag",
    b"content-usage",
    b"host",
]
ANSWERED = [
    b"content-type",
    b"etag",
    b"vary",
    b"X-Robots-Tag",
    b"content-usage",
    b"Content-Usage",
    b"TDM-Reservation",
]
VALUES = [
    b"",
    b"noindex",
    b"train-ai=y",
    b"ai-use=n, search=y",
    b"0",
    b"text/html",
    b'"1"',
    b"GPTBot/1.1",
    b"(;,",
]


def random_bytes(chance: random.Random) -> bytes:
    return chance.choice(VALUES) if chance.random() < 0.7 else chance.randbytes(chance.randrange(12))


def request_of(chance: random.Random) -> Scope:
    path = chance.choice(PATHS) if chance.random() < 0.8 else "/" + random_bytes(chance).decode("latin-1")
    headers = [(chance.choice(NAMES), random_bytes(chance)) for _ in range(chance.randrange(6))]
    if chance.random() < 0.95:
        headers.insert(chance.randrange(len(headers) + 1), (b"host", chance.choice(HOSTS)))
    return {
        "type": "http",
        "method": chance.choice(["GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "BREW"]),
        "path": path,
        "raw_path": path.encode("utf-8", "surrogatepass") if chance.random() < 0.9 else None,
        "query_string": random_bytes(chance),
        "root_path": chance.choice(["", "", "", "/a", "/a/"]),
        "headers": headers,
    }


def is_policy_file(scope: Scope) -> bool:
    return path_below_mount(scope["path"], scope.get("root_path") or "") in POLICY_FILES


def answering_by(seed: int) -> ASGIApp:
    """Return an application with random responses, the same for a seed; it has no robots.txt."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        chance = random.Random(seed)
        status = 404 if is_policy_file(scope) else chance.choice([200, 204, 206, 301, 304, 404, 500])
        headers = [(chance.choice(ANSWERED), random_bytes(chance)) for _ in range(chance.randrange(5))]
        start: Message = {"type": "http.response.start", "status": status, "headers": headers}
        if chance.random() < 0.1:
            del start["headers"]
        await send(start)
        for _ in range(chance.randrange(4)):
            await send({"type": "http.response.body", "body": chance.randbytes(3), "more_body": True})
        await send({"type": "http.response.body"})

    return app


async def messages(app: ASGIApp, scope: Scope) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(dict(scope), receive, send)
    return sent


def without_ours(sent: list[Message]) -> list[Message]:
    start, *rest = sent
    kept = [header for header in start.get("headers", ()) if header[0].lower() not in OURS]
    return [{**start, "headers": kept}, *rest]


def mounted(app: ASGIApp) -> ASGIApp:
    return AIPolicyMiddleware(app, SITES)


def mounted_with_more(app: ASGIApp) -> ASGIApp:
    return AIPolicyMiddleware(app, SITES, enforce="monitor", post_preferences=True)


SITES = lookup(**POLICIES)


@pytest.mark.slow
@pytest.mark.parametrize("mount", [mounted, mounted_with_more])
async def test_no_request_raises_and_no_response_changes_but_for_our_headers(
    mount: Callable[[ASGIApp], ASGIApp],
) -> None:
    for seed in range(REQUESTS // 2):
        scope, app = request_of(random.Random(seed)), answering_by(seed)
        answered, bare = await messages(mount(app), scope), await messages(app, scope)
        if is_policy_file(scope) and answered[0]["status"] != bare[0]["status"]:
            assert answered[0]["status"] in (200, 304, 405), scope  # it is our file
        else:
            assert without_ours(answered) == without_ours(bare), scope
