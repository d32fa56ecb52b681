"""A blog platform with seven blogs that shows every signal at work: ``aipolicy demo`` serves it.

The blogs' names end in ``.localhost``, which is always this machine (RFC 6761 §6.3).
"""

import base64
import hashlib
import time
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any
from urllib.parse import parse_qs

import anyio
from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.core.hosts import canonical_host
from aipolicy.core.policy import Preset, SitePolicy
from aipolicy.core.preferences import Preferences
from aipolicy.core.validation import Visibility
from aipolicy.lookup import LocalLookup
from aipolicy.registry import Registry

_MAX_FORM_BYTES = 1000  # bytes
_MAX_WAIT = 10.0  # seconds until a change must be in force
_SIGNALS = ("content-usage", "x-robots-tag", "tdm-reservation")


@dataclass(frozen=True, slots=True)
class Blog:
    """One blog of the demo: its host, the owner's choice in a sentence, and the policy that states it."""

    host: str
    about: str
    preset: Preset = "unset"
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def policy(self) -> SitePolicy:
        """The policy at the start of the demo."""
        return SitePolicy.from_preset(self.preset, site=self.host, **self.fields)

    @property
    def other_policy(self) -> SitePolicy:
        """The policy that the button on the blog's page switches to."""
        if self.policy == SitePolicy(site=self.host):
            return SitePolicy.from_preset("no-training", site=self.host)
        return replace(self.policy, preferences=Preferences(), visibility=Visibility.PUBLIC)


@dataclass(frozen=True, slots=True)
class Switch:
    """A change made on a blog's page, with its measured times in milliseconds."""

    number: int
    stored: float
    in_force: float


BLOGS = (
    Blog("opted-out.localhost", "The owner opted out of AI training", "no-training"),
    Blog("no-ai.localhost", "The owner opted out of AI search and answers too", "no-ai"),
    Blog(
        "licensed.localhost",
        "Opted out, with GPTBot as a licensed partner",
        "no-training",
        {"licensed": ["GPTBot"]},
    ),
    Blog("discouraged.localhost", "Search engines are discouraged", "unset", {"visibility": "discouraged"}),
    Blog("private.localhost", "A private blog", "unset", {"visibility": "private"}),
    Blog("own-rules.localhost", "Opted out, with a robots.txt of its own", "no-training"),
    Blog("silent.localhost", "The owner said nothing"),
)

_OWN_ROBOTS = {
    "own-rules.localhost": """# Rules of the blog itself
User-agent: *
Disallow: /drafts/

User-agent: GPTBot
Allow: /
"""
}
_STYLE = """:root { color-scheme: light dark; --line: #8886; --soft: #8882 }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; overflow-wrap: anywhere } h2 { font-size: 1.1rem; margin-top: 2rem }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: .4rem; padding: .7rem;
  overflow: auto; max-height: 22rem; font-size: .85rem }
form { border: 1px solid var(--line); border-radius: .4rem; padding: 1rem }
form p { margin: 0 0 .7rem } button { font: inherit; padding: .5rem 1rem; cursor: pointer }
.measured { border-left: .3rem solid #2a7; padding-left: .7rem }
li { margin: .3rem 0; overflow-wrap: anywhere }"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_SECURITY = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{host}</title><style>{style}</style></head>
<body><h1>{host}</h1><p>{about}.</p>
{body}
<h2>All blogs of this platform</h2><ul>{links}</ul></body></html>
"""
_BLOG = """<form method="post" action="/flag"><p>The owner's choice now: <strong>{now}</strong>.</p>{measured}
<input type="hidden" name="choice" value="{choice}"><button>Switch to: {then}</button></form>
<h2>Headers on every page</h2>
<pre>{headers}</pre>
<h2><a href="/robots.txt">robots.txt</a></h2>
<pre>{robots}</pre>
<h2><a href="/.well-known/tdmrep.json">/.well-known/tdmrep.json</a></h2>
<pre>{tdmrep}</pre>
"""


def fill(registry: Registry) -> None:
    """Put the policy of each blog into the registry."""
    for blog in BLOGS:
        registry.put(blog.policy, by="demo")


def app(registry_url: str) -> ASGIApp:
    """Return the blog server with the middleware around it, which reads policies from a registry's file."""
    return Platform(registry_url).app


class Platform:
    """The blog server: pages that show their own signals and change them."""

    def __init__(self, registry_url: str) -> None:
        self._registry_url, self._lookup = registry_url, LocalLookup(registry_url)
        self._switches: dict[str, Switch] = {}
        routes = [
            Route("/robots.txt", _own_robots),
            Route("/post", _post),
            Route("/flag", self._switch, methods=["POST"]),
            Route("/{path:path}", self._page),
        ]
        self.app = AIPolicyMiddleware(Starlette(routes=routes), self._lookup, max_age=0)

    async def _page(self, request: Request) -> Response:
        blog = _blog(request)
        if request.url.path != "/":
            return _html(request, "No such page", "", 404)
        if blog is None:
            return _html(request, "This host is not a blog, and gets the default policy. Choose a blog", "")
        _, headers, _ = await self._answer(blog.host, "/post")
        _, _, robots = await self._answer(blog.host, "/robots.txt")
        status, _, tdmrep = await self._answer(blog.host, "/.well-known/tdmrep.json")
        signals = "\n".join(f"{name}: {value}" for name, value in headers if name in _SIGNALS)
        policy = await self._policy(blog.host)
        is_first = policy == blog.policy
        switch = self._switches.get(blog.host)
        body = _BLOG.format(
            now=escape(_words(policy)),
            then=escape(_words(blog.other_policy if is_first else blog.policy)),
            choice="other" if is_first else "first",
            measured=_measured(switch) if switch else "",
            headers=escape(signals) or "(none: the owner said nothing)",
            robots=escape(robots),
            tdmrep=escape(tdmrep) if status == 200 else f"({status}: the owner reserves nothing)",
        )
        return _html(request, blog.about, body)

    async def _switch(self, request: Request) -> Response:
        blog = _blog(request)
        if blog is None:
            return PlainTextResponse("no such blog\n", 404)
        origin = request.headers.get("origin")
        if origin not in (None, f"{request.url.scheme}://{request.headers.get('host')}"):
            return PlainTextResponse("the form belongs to another site\n", 403)
        choice = await _choice(request)
        if choice not in ("first", "other"):
            return PlainTextResponse("choice must be 'first' or 'other'\n", 400)
        policy = blog.policy if choice == "first" else blog.other_policy

        def put() -> tuple[int, float, float]:
            with Registry(self._registry_url, create=False) as registry:
                began = time.perf_counter()
                change = registry.put(policy, by="demo")
                return change.seq, began, time.perf_counter()

        number, began, stored = await to_thread.run_sync(put)
        with anyio.move_on_after(_MAX_WAIT) as wait:
            while await self._policy(blog.host) != policy:
                await anyio.sleep(0.001)
        if wait.cancelled_caught:
            return PlainTextResponse(f"change {number} is not yet in force\n", 503)
        in_force = time.perf_counter()
        self._switches[blog.host] = Switch(number, (stored - began) * 1e3, (in_force - stored) * 1e3)
        return RedirectResponse("/", 303)

    async def _policy(self, host: str) -> SitePolicy:
        """Return the policy that a request gets now, found as the middleware finds it."""
        name = host.encode()
        rendering = self._lookup.peek(name) or await self._lookup.find(name)
        return rendering.policy.for_site(host)  # sites with equal policies share a rendering

    async def _answer(self, host: str, path: str) -> tuple[int, list[tuple[str, str]], str]:
        """Return status, headers and body of what a client gets at a path of this server."""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", host.encode())],
            "client": ("127.0.0.1", 0),
            "server": ("127.0.0.1", 80),
        }
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in sent[0]["headers"]]
        body = b"".join(message.get("body", b"") for message in sent)
        return sent[0]["status"], headers, body.decode()


async def _own_robots(request: Request) -> Response:
    own = _OWN_ROBOTS.get(canonical_host(request.headers.get("host", "")) or "")
    return PlainTextResponse(own) if own else PlainTextResponse("no such file\n", 404)


async def _post(request: Request) -> Response:
    return HTMLResponse("<!doctype html><title>A post</title><h1>A post</h1>", headers=_SECURITY)


async def _choice(request: Request) -> str:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM_BYTES:
            return ""
    return parse_qs(body.decode("latin-1")).get("choice", [""])[0]


def _blog(request: Request) -> Blog | None:
    host = canonical_host(request.headers.get("host", ""))
    return next((blog for blog in BLOGS if blog.host == host), None)


def _words(policy: SitePolicy) -> str:
    if policy.visibility is not Visibility.PUBLIC:
        return str(policy.visibility)
    words = {
        "unset": "says nothing",
        "no-training": "no AI training",
        "no-ai": "no AI training, search, answers",
    }
    licensed = f", licensed to {', '.join(policy.licensed)}" if policy.licensed and policy.opted_out else ""
    return words[policy.preset or "unset"] + licensed


def _measured(switch: Switch) -> str:
    return (
        f'<p class="measured">Change {switch.number} was stored in {switch.stored:.1f} ms '
        f"and was in force {switch.in_force:.1f} ms later (measured).</p>"
    )


def _html(request: Request, about: str, body: str, status: int = 200) -> Response:
    host = canonical_host(request.headers.get("host", "")) or ""
    port = f":{request.url.port}" if request.url.port else ""
    links = "".join(
        f'<li><a href="http://{blog.host}{port}/">{blog.host}</a>: {escape(blog.about)}</li>'
        for blog in BLOGS
    )
    page = _PAGE.format(host=escape(host), about=escape(about), body=body, links=links, style=_STYLE)
    return HTMLResponse(page, status, headers=_SECURITY)
