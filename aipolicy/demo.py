"""A blog platform with a few blogs, to see every signal at work: ``aipolicy demo`` serves it.

The blogs' names end in ``.localhost``, which is always this machine (RFC 6761 §6.3).
"""

from dataclasses import dataclass, field
from html import escape
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.core.hosts import canonical_host
from aipolicy.core.policy import Preset, SitePolicy
from aipolicy.lookup import LocalLookup
from aipolicy.registry import Registry


@dataclass(frozen=True, slots=True)
class Blog:
    """One blog of the demo: its host, what its owner chose, and in whose words."""

    host: str
    about: str
    preset: Preset = "unset"
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def policy(self) -> SitePolicy:
        return SitePolicy.from_preset(self.preset, site=self.host, **self.fields)


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
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{host}</title>
<style>body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }}
li {{ margin: .3rem 0 }} code {{ background: #eee; padding: .1rem .3rem }}</style></head>
<body><h1>{host}</h1><p>{about}.</p>
<p>What crawlers read here: <a href="/robots.txt">robots.txt</a>,
<a href="/.well-known/tdmrep.json">tdmrep.json</a>, and the headers of this page.</p>
<h2>All blogs</h2><ul>{links}</ul></body></html>
"""


def fill(registry: Registry) -> None:
    """Put every blog's policy into ``registry``."""
    for blog in BLOGS:
        registry.put(blog.policy, by="demo")


def app(registry_url: str) -> ASGIApp:
    """The blog server with the middleware around it, reading policies from the registry at that URL."""
    routes = [Route("/robots.txt", _own_robots), Route("/{path:path}", _page)]
    return AIPolicyMiddleware(Starlette(routes=routes), LocalLookup(registry_url), max_age=0)


async def _own_robots(request: Request) -> Response:
    own = _OWN_ROBOTS.get(canonical_host(request.headers.get("host", "")) or "")
    return PlainTextResponse(own) if own else PlainTextResponse("no such file\n", 404)


async def _page(request: Request) -> Response:
    host = canonical_host(request.headers.get("host", "")) or ""
    about = next((blog.about for blog in BLOGS if blog.host == host), "No such blog")
    port = f":{request.url.port}" if request.url.port else ""
    links = "".join(
        f'<li><a href="http://{b.host}{port}/">{b.host}</a>: {escape(b.about)}</li>' for b in BLOGS
    )
    known = any(blog.host == host for blog in BLOGS)
    page = _PAGE.format(host=escape(host), about=escape(about), links=links)
    return HTMLResponse(page, 200 if known and request.url.path == "/" else 404)
