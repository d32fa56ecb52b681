"""Applications to wrap, and a lookup with the policies that a test chooses."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.core.policy import SitePolicy
from aipolicy.lookup import CachedLookup

OPTED_OUT = SitePolicy.from_preset("no-training")
UNSET = SitePolicy.from_preset("unset")
Headers = list[tuple[bytes, bytes]]


def lookup(**policies: SitePolicy | bool | None) -> CachedLookup:
    """Return a lookup: ``opted_out=True`` is the blog opted-out.example; blog.example has opted out."""
    sites = {"blog": True} | policies
    by_host = {f"{name.replace('_', '-')}.example": policy for name, policy in sites.items()}

    async def load(host: str) -> SitePolicy | bool | None:
        return by_host.get(host)

    return CachedLookup(load, default="no-training")


def wrapped(app: ASGIApp, **policies: SitePolicy | bool | None) -> AIPolicyMiddleware:
    return AIPolicyMiddleware(app, lookup(**policies))


def answering(
    status: int = 200, headers: Headers | None = None, *bodies: bytes, robots: bytes | None = None
) -> ASGIApp:
    """Return an application with one response to everything, and 404 (or ``robots``) for /robots.txt."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        is_robots = scope["path"] == "/robots.txt"
        sent_headers = [(b"content-type", b"text/plain")] if is_robots else list(headers or [])
        code = (200 if robots is not None else 404) if is_robots else status
        chunks = [robots or b"no such file"] if is_robots else list(bodies) or [b"hello"]
        await send({"type": "http.response.start", "status": code, "headers": sent_headers})
        for index, chunk in enumerate(chunks):
            more = index < len(chunks) - 1
            await send({"type": "http.response.body", "body": chunk, "more_body": more})

    return app


class Recording:
    """An application that records its scopes and messages, and answers 200."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.sent: list[Message] = []
        self.sends: list[Send] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        self.sends.append(send)
        if scope["type"] == "http":
            start: Message = {"type": "http.response.start", "status": 200, "headers": [(b"x-app", b"1")]}
            self.sent.append(start)
            await send(start)
            await send({"type": "http.response.body", "body": b"hello"})
