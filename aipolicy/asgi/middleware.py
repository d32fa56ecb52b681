"""The middleware itself: which site is asked, by whom, and what its answer carries.

Pure ASGI. A request costs one cache look-up and one list concatenation; all thinking happens when a policy is
loaded.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aipolicy.asgi.enforcement import MODES, Enforcer
from aipolicy.asgi.events import Hook
from aipolicy.asgi.files import FILES, LONGEST_CACHING, Files, answer, file_path
from aipolicy.asgi.inprocess import Application
from aipolicy.asgi.metrics import Metrics
from aipolicy.asgi.own import Callback, OwnRobots, Robots
from aipolicy.asgi.posts import Posts
from aipolicy.asgi.refusals import Refusal
from aipolicy.asgi.responses import adding, merged
from aipolicy.asgi.targets import readings_of, target_of, targets_of
from aipolicy.asgi.tenants import PathTenants
from aipolicy.core.render import HeaderSet, Rendering
from aipolicy.lookup import Lookup
from aipolicy.lookup.base import seconds

if TYPE_CHECKING:
    from aipolicy.check.identity import Verification

logger = logging.getLogger("aipolicy.asgi")

_ENDINGS = frozenset(file[-1] for file in FILES)


class AIPolicyMiddleware:
    """Answers crawlers according to each site's policy. Raises ValueError or TypeError when made wrong.

    ``app``               the ASGI application to wrap.
    ``lookup``            host → rendering: ``CachedLookup`` or ``LocalLookup``.
    ``max_age``           seconds for which robots.txt and the well-known files may be cached, at most 3600.
    ``merge_own``         whether the application's own ``/robots.txt`` is merged into ours. It is asked for
                          in-process and in one form, whatever request came: canonical host, no query, no
                          cookie, no client's address, and a User-Agent that begins with ``aipolicy/``. 404
                          and 410 mean that there is none; any other failure leaves the last copy.
    ``own_robots``        a callable that gives a site's own rules instead: canonical host → robots.txt as
                          bytes or str, or None where there is none. Sync (called in a thread) or async.
    ``own_robots_ttl``    seconds for which a site's own is kept; a change is in force within twice that.
    ``site_scheme``       the scheme under which the sites are reached, ``"https"`` or ``"http"``: that of the
                          requests for the application's own ``/robots.txt``, however clients come.
    ``host_header``       the header that names the site: change it only behind a proxy that always sets it.
    ``enforce``           ``"monitor"`` reports disallowed fetches by crawlers that declare themselves;
                          ``"declared"`` refuses them too, with 403; ``"verified"`` also refuses clients
                          that claim to be a licensed crawler and aren't, as far as can be told, with 403,
                          or 503 while that can't be told; it needs ``aipolicy[identity]``, and the client's
                          own address in ``scope["client"]``. By default ``"off"``.
    ``verification``      who says for ``"verified"`` whether a client is the crawler that it claims to be; by
                          default ``aipolicy.check.identity.Verification()``.
    ``on_event``          called with each DisallowedFetch, sync or async; no response waits for it.
    ``html``              whether HTML pages get the signals as meta tags too, for CDNs that strip headers.
    ``post_preferences``  whether ``request.state.aipolicy`` may restrict one response.
    ``tenants``           sites that share a host, each under a path of its own.
    ``status_path``       a path like ``"/aipolicy/metrics"`` where Prometheus reads the lookup's status, on
                          every host; needs ``aipolicy[metrics]``. Keep the public from it.

    A host that is malformed or no site's gets the lookup's default policy.
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
        if self._enforcer is not None and self._enforcer.declared(scope)[1]:
            refused = self._refusal(self._enforcer, scope, host, rendering)
            if refused is not None:
                return await answer(send, *refused, scope)
        if self._does_more:
            return await self._do_more(scope, receive, send, rendering)
        header_set = rendering.headers_at(_target(scope)) if rendering.paths else rendering.site
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

    def _refusal(self, enforcer: Enforcer, scope: Scope, host: bytes, rendering: Rendering) -> Refusal | None:
        """The answer to a crawler that is refused, with the site's headers; None: it may go on."""
        try:
            if _is_exempt(scope):
                return None
            targets = targets_of(scope)
            refusal = enforcer.refusal(scope, rendering=rendering, host=host, targets=targets)
            if refusal is None:
                return None
            return refusal._replace(headers=[*rendering.headers_at(targets[0]).headers, *refusal.headers])
        except Exception:
            logger.exception("it could not be told what a crawler may fetch: it is let in")
            return None

    async def _do_more(self, scope: Scope, receive: Receive, send: Send, rendering: Rendering) -> None:
        """What is off by default: insert meta tags, hear what a post says."""
        there = rendering.headers_at(_target(scope))
        if not (there.headers or self._posts):
            return await self.app(scope, receive, send)

        if self._posts is not None:  # one state, whoever copies the scope on the way
            scope = {**scope, "state": scope.get("state", {})}

        def header_set() -> HeaderSet:  # of an answer that starts now
            return self._posts.header_set(scope, rendering, there) if self._posts else there

        def send_more(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                headers = merged([*message.get("headers", ())], header_set().headers)
                message = dict(message, headers=headers)
            return send(message)

        if not self._html:
            return await self.app(scope, receive, send_more)
        from aipolicy.asgi.html import with_tags  # only where it is asked for

        return await with_tags(
            self.app, scope, receive, send_more, expected=there.tags, tags=lambda: header_set().tags
        )


def _is_exempt(scope: Scope) -> bool:
    """Whether a crawler reads there what is asked of it, however the path is read: none is refused there."""
    return all(path in FILES or path.startswith("/.well-known/") for path in readings_of(file_path(scope)))


def _target(scope: Scope) -> str:
    return target_of(scope).decode("utf-8", "surrogateescape")
