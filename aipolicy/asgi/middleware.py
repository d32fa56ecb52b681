"""The middleware itself: which site is asked, by whom, and what its answer carries.

Pure ASGI. A request costs one cache look-up and one list concatenation; all thinking happens when a policy is
loaded.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aipolicy.asgi.enforcement import MODES, Enforcer
from aipolicy.asgi.events import Hook
from aipolicy.asgi.in_process import Application
from aipolicy.asgi.metrics import Metrics
from aipolicy.asgi.path_tenants import PathTenants
from aipolicy.asgi.policy_files import FILES, LONGEST_CACHING, Files, answer, file_path
from aipolicy.asgi.refusals import Refusal, refuse_handshake
from aipolicy.asgi.request_target import RequestTarget, below_mount, has_plain_path, target_of
from aipolicy.asgi.response_headers import adding, merged
from aipolicy.asgi.response_preferences import Posts
from aipolicy.asgi.upstream_robots import Callback, OwnRobots, Robots
from aipolicy.core.policy import SitePolicy
from aipolicy.lookup import Lookup
from aipolicy.lookup.base import seconds
from aipolicy.rendering import HeaderSet, Rendering, most_restrictive, render

if TYPE_CHECKING:
    from aipolicy.identity import Verification

logger = logging.getLogger("aipolicy.asgi")

_ENDINGS = frozenset(file[-1] for file in FILES)


class AIPolicyMiddleware:
    """Answers crawlers according to each site's policy. Raises ValueError or TypeError when made wrong.

    ``app``               the ASGI application to wrap.
    ``lookup``            host → rendering: ``CachedLookup`` or ``LocalLookup``.
    ``max_age``           seconds for which robots.txt and the well-known files may be cached, at most 3600.
    ``merge_own``         whether the application's own ``/robots.txt`` is merged into ours. It is asked for
                          in-process and in one form, whatever request came: canonical host, no query, no
                          cookie, the address 233.252.0.1, and a User-Agent of ``aipolicy/``. 404
                          and 410 mean that there is none; any other failure leaves the last copy.
    ``own_robots``        a callable that gives a site's own rules instead: canonical host → robots.txt as
                          bytes or str, or None where there is none. Sync (called in a thread) or async.
    ``own_robots_ttl``    seconds for which a site's own is kept; a change is in force within twice that.
    ``site_scheme``       the scheme under which the sites are reached, ``"https"`` or ``"http"``: that of the
                          requests for the application's own ``/robots.txt``, however clients come.
    ``host_header``       the header that names the site: change it only behind a proxy that always sets it.
    ``enforce``           ``"monitor"`` reports disallowed fetches by crawlers that declare themselves;
                          ``"declared"`` refuses them too, with 403, and their WebSocket handshakes;
                          ``"verified"`` also refuses clients that claim to be a licensed crawler and aren't,
                          as far as can be told, with 403, or 503 while that can't be told; it needs
                          ``asgi-aipolicy[identity]``, and the client's own address in ``scope["client"]``. By
                          default ``"off"``.
    ``verification``      who says for ``"verified"`` whether a client is the crawler that it claims to be; by
                          default ``aipolicy.identity.Verification()``.
    ``on_event``          called with each DisallowedFetch, sync or async; no response waits for it.
    ``html``              whether HTML pages get the signals as meta tags too, for CDNs that strip headers.
    ``post_preferences``  whether ``request.state.aipolicy`` may restrict one response.
    ``tenants``           sites that share a host, each under a path of its own.
    ``status_path``       a path like ``"/aipolicy/metrics"`` where Prometheus reads the lookup's status, on
                          every host; needs ``asgi-aipolicy[metrics]``. Keep the public from it.

    A host that is malformed or no site's gets the lookup's default policy. Where a path can be read in
    several ways, the most restrictive of them holds, for headers and refusals alike.
    """

    def __init__(
        self,
        app: ASGIApp,
        lookup: Lookup,
        *,
        max_age: int = 600,
        merge_own: bool = True,
        own_robots: Callable[[str], Robots | Awaitable[Robots]] | None = None,
        own_robots_ttl: float = 60.0,
        site_scheme: str = "https",
        host_header: str = "host",
        enforce: str = "off",
        verification: "Verification | None" = None,
        on_event: Hook | None = None,
        html: bool = False,
        post_preferences: bool = False,
        tenants: PathTenants | None = None,
        status_path: str | None = None,
    ) -> None:
        if not callable(app):
            raise TypeError(f"app is {app!r}: give an ASGI application")
        if not callable(getattr(lookup, "peek", None)):
            raise TypeError(f"lookup is {lookup!r}: give CachedLookup(load) or LocalLookup(registry)")
        if not 0 <= max_age <= LONGEST_CACHING:
            raise ValueError(f"max_age is {max_age!r}: give seconds from 0 to {LONGEST_CACHING}")
        if enforce not in MODES:
            raise ValueError(f"enforce is {enforce!r}: choose one of {', '.join(MODES)}")
        if on_event is not None and enforce == "off":
            raise ValueError("on_event is never called while enforce is 'off': add enforce='monitor'")
        if verification is not None and enforce != "verified":
            raise ValueError(
                f"verification is not used while enforce is {enforce!r}: enforce='verified' does"
            )
        if tenants is not None and not isinstance(tenants, PathTenants):
            raise TypeError(f"tenants is {tenants!r}: give PathTenants(site_of, listed)")
        if status_path is not None and (not status_path.startswith("/") or status_path in FILES):
            raise ValueError(
                f"status_path is {status_path!r}: give a path of its own, like '/aipolicy/metrics'"
            )
        if own_robots is not None and not merge_own:
            raise ValueError("own_robots is never called while merge_own is False; remove merge_own=False")
        if site_scheme not in ("https", "http"):
            raise ValueError(f"site_scheme is {site_scheme!r}; use 'https' or 'http'")
        seconds("own_robots_ttl", own_robots_ttl, zero=True)
        self.app = app
        self.lookup = lookup
        self._peek = lookup.peek
        self._host_header = host_header.lower().encode("latin-1")
        self._application = Application(app, site_scheme, self._host_header, self._is_same_site)
        source = self._application if own_robots is None else Callback(own_robots)
        own = OwnRobots(source, own_robots_ttl, max_age) if merge_own else None
        self._files = Files(app, max_age, own, tenants, self._host_header)
        self._enforcer = None if enforce == "off" else Enforcer(enforce, on_event, verification)
        self._html = html
        self._posts = Posts() if post_preferences else None
        self._tenants = tenants
        self._status_path = status_path
        self._metrics = Metrics(lookup) if status_path else None
        self._endings = _ENDINGS | {status_path[-1]} if status_path else _ENDINGS
        self._does_more = html or post_preferences

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket" and self._enforcer is not None:
                return await self._handshake(self._enforcer, scope, receive, send)
            if scope["type"] == "lifespan":
                self._application.start(scope)
            return await self.app(scope, receive, send)
        host, host_header = None, self._host_header
        for name, value in scope["headers"]:
            if name == host_header:
                # Two of them: servers pass both on, and who is meant can't be known (RFC 9112 §3.2).
                host = value if host is None else b""
        if host is None:
            host = b""
        site = host if self._tenants is None else self._tenants.site(scope, host)
        try:
            rendering = self._peek(site) or await self.lookup.find(site)
        except Exception:
            logger.exception("the lookup failed: the default policy is sent")
            rendering = self.lookup.default
        if scope["path"][-1:] in self._endings:
            file = file_path(scope)
            if self._metrics is not None and file == self._status_path:
                return await self._tell(self._metrics, scope, send)
            known = rendering is not self.lookup.default
            if self._enforcer is not None and file in FILES:
                self._enforcer.foresee(scope, rendering, host)
            if file in FILES and await self._files.serve(
                file, scope, receive, send, host=host, rendering=rendering, known=known
            ):
                return None
        several = None
        if self._tenants is not None and not has_plain_path(scope):
            several = list(dict.fromkeys([rendering, *await self._of_readings(scope, host)]))
            rendering = _combined(scope, several)
        if self._enforcer is not None and self._enforcer.declared(scope)[1]:
            refused = self._refusal(self._enforcer, scope, host, several or [rendering])
            if refused is not None:
                return await answer(send, *refused, scope)
        if self._does_more:
            return await self._do_more(scope, receive, send, rendering)
        header_set = _header_set(scope, rendering) if rendering.paths else rendering.site
        if not header_set.headers:
            return await self.app(scope, receive, send)
        return await self.app(scope, receive, adding(header_set, send))

    async def _is_same_site(self, host: str, other: str) -> bool:
        """Return True if both hosts are sites', with one policy: more a lookup can't tell."""
        renderings = [await self.lookup.find(name.encode()) for name in (host, other)]
        return renderings[0] is renderings[1] is not self.lookup.default

    async def _tell(self, metrics: Metrics, scope: Scope, send: Send) -> None:
        try:
            headers, body = metrics.answer()
        except Exception:
            logger.exception("the status can't be told")
            return await answer(send, 500, [(b"content-length", b"0")])
        return await answer(send, 200, headers, body, scope)

    async def _handshake(self, enforcer: Enforcer, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the handshake of a WebSocket where a page would be refused; pass on every other one."""
        refused = None
        if enforcer.declared(scope)[1]:
            hosts = [value for name, value in scope["headers"] if name == self._host_header]
            host = hosts[0] if len(hosts) == 1 else b""
            renderings = await self._of_readings(scope, host)
            refused = self._refusal(enforcer, scope, host, renderings)
        if refused is None:
            return await self.app(scope, receive, send)
        return await refuse_handshake(send, *refused, scope)

    async def _of_readings(self, scope: Scope, host: bytes) -> list[Rendering]:
        """Return what each site says whose page this may be, by any reading of its path."""
        if self._tenants is None:
            return [await self._found(host)]
        try:
            found = [await self._found(site) for site in self._tenants.sites(scope, host)]
        except Exception:
            logger.exception("the tenant of a request could not be found: no-ai is sent")
            found = []
        return found or [await self._found(host), _any_site()]

    async def _found(self, site: bytes) -> Rendering:
        try:
            return self._peek(site) or await self.lookup.find(site)
        except Exception:
            logger.exception("the lookup failed: the default policy is sent")
            return self.lookup.default

    def _refusal(
        self, enforcer: Enforcer, scope: Scope, host: bytes, renderings: Sequence[Rendering]
    ) -> Refusal | None:
        """The answer to a crawler that is refused, with the site's headers; None: it may go on."""
        try:
            if below_mount(scope).is_within(FILES, "/.well-known/"):
                return None
            target = RequestTarget.of(scope)
            refusal = enforcer.refusal(scope, renderings=renderings, host=host, target=target)
            if refusal is None:
                return None
            header_set = _header_set(scope, _combined(scope, renderings))
            return refusal._replace(headers=[*header_set.headers, *refusal.headers])
        except Exception:
            logger.exception("access check failed: request allowed")
            return None

    async def _do_more(self, scope: Scope, receive: Receive, send: Send, rendering: Rendering) -> None:
        """What is off by default: insert meta tags, hear what a post says."""
        there, posts = _header_set(scope, rendering), self._posts
        if not (there.headers or posts):
            return await self.app(scope, receive, send)

        if posts is not None:  # one state, whoever copies the scope on the way
            scope = {**scope, "state": {} if scope.get("state") is None else scope["state"]}

        def header_set() -> HeaderSet:  # of an answer that starts now
            return there if posts is None else posts.header_set(scope, rendering, there)

        def send_more(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                headers = merged([*(message.get("headers") or ())], header_set().headers)
                message = dict(message, headers=headers)
            return send(message)

        if not self._html or not (there.tags or posts):
            return await self.app(scope, receive, send_more)
        from aipolicy.asgi.html_meta import with_tags  # only where it is asked for

        return await with_tags(
            self.app,
            scope,
            receive,
            send_more,
            expected=there.tags,
            tags=lambda: header_set().tags,
            fixed=posts is None,
        )


def _header_set(scope: Scope, rendering: Rendering) -> HeaderSet:
    """Return the headers that hold for the request's path in every reading."""
    if not rendering.paths:
        return rendering.site
    try:
        if has_plain_path(scope):
            return rendering.headers_at(target_of(scope).decode("utf-8", "surrogateescape"))
        return RequestTarget.of(scope).header_set(rendering)
    except Exception:
        logger.exception("a request's path could not be read: the most restrictive headers are sent")
        return rendering.headers_over([None])


def _combined(scope: Scope, renderings: Sequence[Rendering]) -> Rendering:
    """Return what holds for a page that may be any of these sites'."""
    if len(renderings) == 1:
        return renderings[0]
    try:
        return most_restrictive([(rendering, _header_set(scope, rendering)) for rendering in renderings])
    except Exception:
        logger.exception("the policies of several sites could not be combined: no-ai is sent")
        return _any_site()


@cache
def _any_site() -> Rendering:
    """Return what is said where a path has more readings than are looked at, and any site may be meant."""
    return render(SitePolicy.from_preset("no-ai"))
