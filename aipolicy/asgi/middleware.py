"""The middleware: it serves the policy files, refuses crawlers, and adds the policy's headers.

Policies are rendered when they are loaded, so a hit costs one look-up in a cache and one list concatenation.
See docs/explanation/request-path.md.
"""

from __future__ import annotations  # else each request makes the annotations of a nested function anew

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aipolicy.asgi.events import Hook, Reporter
from aipolicy.asgi.in_process import InProcessApplication
from aipolicy.asgi.messages import PeekedRequest, refuse_handshake, request_of, respond
from aipolicy.asgi.path_tenants import PathTenants
from aipolicy.asgi.upstream_robots import RobotsCallback, RobotsText, UpstreamRobots
from aipolicy.core.policy import PRESETS
from aipolicy.lookup import Lookup
from aipolicy.lookup.base import seconds
from aipolicy.rendering import HeaderSet, Rendering
from aipolicy.serving.enforcement import ENFORCE_MODES, Candidate, Enforcement, EnforceMode
from aipolicy.serving.metrics import Metrics
from aipolicy.serving.policy_files import (
    MAX_CACHE_SECONDS,
    METHOD_NOT_ALLOWED,
    POLICY_FILES,
    ROBOTS,
    PolicyFileResponses,
    path_below_mount,
    policy_document,
)
from aipolicy.serving.request_target import has_plain_path
from aipolicy.serving.response_headers import any_site, combined, header_set_of, merged, with_headers
from aipolicy.serving.response_preferences import ResponsePreferences

if TYPE_CHECKING:
    from aipolicy.identity import Verification

logger = logging.getLogger("aipolicy.asgi")


class AIPolicyMiddleware:
    """ASGI middleware that answers crawlers by each site's policy.

    A malformed or unknown host gets the lookup's default policy. If a path can be read in several ways, the
    most restrictive reading counts, for headers and for refusals.

    Args:
        app: The ASGI application to wrap.
        lookup: ``CachedLookup`` or ``LocalLookup``.
        max_age: Seconds for which caches may keep robots.txt and the well-known files, at most 3600.
        merge_own: Merge the application's own ``/robots.txt`` into ours. It is requested in-process, always
            in the same form: canonical host, no query, no cookie, client address 233.252.0.1, User-Agent
            ``aipolicy/VERSION``. Status 404 or 410 means that there is none; after any other failure the
            last copy is used.
        own_robots: A function that returns a site's own robots.txt for its canonical host, instead of that
            request: bytes or str, or None if there is none. Sync (called in a thread) or async.
        own_robots_ttl: Seconds for which a site's own robots.txt is used; a change is in force within twice
            that.
        site_scheme: The scheme of the requests for the application's own robots.txt: ``"https"`` or
            ``"http"``.
        host_header: The header that names the site. Change it only behind a proxy that always sets it.
        enforce: ``"monitor"`` reports disallowed fetches by crawlers that declare themselves, to ``on_event``
            or else to the log. ``"declared"`` refuses them with 403, and their WebSocket handshakes.
            ``"verified"`` also refuses clients that claim to be a licensed crawler and can't be verified,
            with 403, or with 503 until the verification is done; it needs ``asgi-aipolicy[identity]``, and
            the client's own address in ``scope["client"]``. By default ``"off"``.
        verification: The verification for ``"verified"``, by default ``aipolicy.identity.Verification()``.
        on_event: Called with each ``DisallowedFetch``, sync or async; no response waits for it.
        report_client_address: Put the client's address, which is personal data in many countries, into each
            ``DisallowedFetch``.
        html: Insert the signals into HTML pages as meta tags too, for CDNs that strip headers.
        post_preferences: Let ``request.state.aipolicy`` restrict a single response.
        tenants: The sites that share a host, each under a path of its own.
        status_path: A path like ``"/aipolicy/metrics"`` where Prometheus reads metrics, on every host; needs
            ``asgi-aipolicy[metrics]``. Don't make it public.

    Raises:
        ValueError, TypeError: An argument is invalid.
        MissingExtraError: An argument needs an extra that is not installed.
    """

    def __init__(
        self,
        app: ASGIApp,
        lookup: Lookup,
        *,
        max_age: int = 600,
        merge_own: bool = True,
        own_robots: Callable[[str], RobotsText | Awaitable[RobotsText]] | None = None,
        own_robots_ttl: float = 60.0,
        site_scheme: str = "https",
        host_header: str = "host",
        enforce: EnforceMode = "off",
        verification: Verification | None = None,
        on_event: Hook | None = None,
        report_client_address: bool = False,
        html: bool = False,
        post_preferences: bool = False,
        tenants: PathTenants | None = None,
        status_path: str | None = None,
    ) -> None:
        if not callable(app):
            raise TypeError(f"app is {app!r}; use an ASGI application")
        if not callable(getattr(lookup, "peek", None)):
            raise TypeError(f"lookup is {lookup!r}; use CachedLookup(load) or LocalLookup(registry)")
        if not hasattr(lookup, "strict_default"):
            raise TypeError(
                f"lookup {lookup!r} has no strict_default; add all that aipolicy.lookup.Lookup has"
            )
        if not 0 <= max_age <= MAX_CACHE_SECONDS:
            raise ValueError(f"max_age is {max_age!r}; use seconds from 0 to {MAX_CACHE_SECONDS}")
        if enforce not in ENFORCE_MODES:
            raise ValueError(f"enforce is {enforce!r}; use one of {', '.join(ENFORCE_MODES)}")
        if enforce == "off" and (on_event is not None or report_client_address):
            name = "on_event" if on_event is not None else "report_client_address"
            raise ValueError(f"{name} has no effect while enforce is 'off'; add enforce='monitor'")
        if verification is not None and enforce != "verified":
            raise ValueError(
                f"verification has no effect while enforce is {enforce!r}; add enforce='verified'"
            )
        if tenants is not None and not isinstance(tenants, PathTenants):
            raise TypeError(f"tenants is {tenants!r}; use PathTenants(site_of, listed)")
        if status_path is not None and (not status_path.startswith("/") or status_path in POLICY_FILES):
            raise ValueError(f"status_path is {status_path!r}; use a path like '/aipolicy/metrics'")
        if own_robots is not None and not merge_own:
            raise ValueError("own_robots has no effect while merge_own is False; remove merge_own=False")
        if site_scheme not in ("https", "http"):
            raise ValueError(f"site_scheme is {site_scheme!r}; use 'https' or 'http'")
        seconds("own_robots_ttl", own_robots_ttl, zero=True)
        self.app = app
        self.lookup = lookup
        self._peek = lookup.peek
        self._host_header = host_header.lower().encode("latin-1")
        self._application = InProcessApplication(app, site_scheme, self._host_header, self._is_same_site)
        source = self._application if own_robots is None else RobotsCallback(own_robots)
        self._upstream_robots = UpstreamRobots(source, own_robots_ttl, max_age) if merge_own else None
        self._policy_files = PolicyFileResponses(max_age, self._host_header)
        self._enforcement: Enforcement | None = None
        if enforce != "off":
            self._enforcement = Enforcement(
                enforce,
                None if on_event is None else Reporter(on_event).report,
                verification=verification,
                client_addresses=report_client_address,
            )
        self._html = html
        self._preferences = ResponsePreferences() if post_preferences else None
        self._tenants = tenants
        self._status_path = status_path
        counts = None if self._enforcement is None else self._enforcement.counts
        self._metrics = Metrics(lookup, counts) if status_path else None
        self._served_paths = (*POLICY_FILES, status_path) if status_path else tuple(POLICY_FILES)
        self._changes_responses = html or post_preferences

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._serve_other(scope, receive, send)

        # Every request takes these five steps. They are written out because each call to a method would add
        # about 3 % to the cost that benchmarks/middleware.py measures.

        # 1. Find the site.
        host, host_header = None, self._host_header
        for name, value in scope["headers"]:
            if name == host_header:
                # Servers may pass on two of them, and then it is unknown which one is meant (RFC 9112 §3.2).
                host = value if host is None else b""
        if host is None:
            host = b""
        site = host if self._tenants is None else self._tenants.site(scope, host)

        # 2. Look up its rendering.
        try:
            if site is None:
                rendering = self.lookup.strict_default
            else:
                rendering = self._peek(site) or await self.lookup.find(site)
        except Exception:
            rendering = self._strict_default_after_error()

        # 3. Serve a policy file. Paths end with its name, whatever mount path or scheme and host come before.
        if scope["path"].endswith(self._served_paths) and await self._serve_policy_file(
            scope, receive, send, host, rendering
        ):
            return None

        # With path tenants, a path with several readings may belong to several sites.
        candidates: list[Candidate] | None = None
        if self._tenants is not None and not _is_plain(scope):
            candidates = [(site or b"", rendering), *await self._candidates(scope, host)]
            candidates = list(dict.fromkeys(candidates))
            rendering = combined(request_of(scope), list(dict.fromkeys(each for _, each in candidates)))

        # 4. Refuse a crawler.
        enforcement = self._enforcement
        if enforcement is not None and enforcement.crawlers(scope["headers"]):
            refusal = enforcement.refusal(request_of(scope), host, candidates or [(site or b"", rendering)])
            if refusal is not None:
                return await respond(send, refusal, scope)

        # 5. Add the headers.
        if self._changes_responses:
            return await self._serve_changed(scope, receive, send, rendering)
        header_set = _header_set(scope, rendering) if rendering.paths else rendering.site
        if not header_set.headers:
            return await self.app(scope, receive, send)
        return await self.app(scope, receive, _adding(header_set, send))

    async def _serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a WebSocket, whose handshake is refused where a page would be, or the lifespan."""
        if scope["type"] == "lifespan":
            self._application.start(scope)
        enforcement = self._enforcement
        if (
            scope["type"] == "websocket"
            and enforcement is not None
            and enforcement.crawlers(scope["headers"])
        ):
            hosts = [value for name, value in scope["headers"] if name == self._host_header]
            host = hosts[0] if len(hosts) == 1 else b""
            refusal = enforcement.refusal(request_of(scope), host, await self._candidates(scope, host))
            if refusal is not None:
                return await refuse_handshake(send, refusal, scope)
        return await self.app(scope, receive, send)

    async def _serve_policy_file(
        self, scope: Scope, receive: Receive, send: Send, host: bytes, rendering: Rendering
    ) -> bool:
        """Serve a policy file or the metrics; return False if the application has to answer."""
        path = path_below_mount(scope["path"], scope.get("root_path") or "")
        if self._metrics is not None and path == self._status_path:
            await respond(send, self._metrics.response(), scope)
            return True
        if path not in POLICY_FILES:
            return False
        is_site = self._is_of_site(rendering)
        if self._enforcement is not None:
            self._enforcement.prepare(request_of(scope), host, rendering)
        if self._tenants is not None:
            rendering = await self._tenants.of_host(host, rendering, is_site=is_site)
        document = policy_document(rendering, path)
        if document is None:
            return False
        if scope["method"] not in ("GET", "HEAD"):
            await respond(send, METHOD_NOT_ALLOWED, scope)
            return True
        upstream = self._upstream_robots
        if path != ROBOTS or upstream is None or not rendering.takes_own_robots:
            response = self._policy_files.response(scope["headers"], document, is_site=is_site)
            await respond(send, response, scope)
            return True
        file = upstream.cached(scope, host, rendering)
        if file is None:
            request = PeekedRequest(receive)
            file = await upstream.merged(scope, request.peek, host, rendering, is_site=is_site)
            if file is None:
                await self.app(scope, request.receive, send)
                return True
        response = self._policy_files.merged_response(scope["headers"], file, is_site=is_site)
        await respond(send, response, scope)
        return True

    async def _serve_changed(self, scope: Scope, receive: Receive, send: Send, rendering: Rendering) -> None:
        """Serve a page with meta tags, or with preferences that the application states for it."""
        site, preferences = _header_set(scope, rendering), self._preferences
        if not (site.headers or preferences):
            return await self.app(scope, receive, send)

        if preferences is not None:  # so that copies of the scope share one state
            scope = {**scope, "state": {} if scope.get("state") is None else scope["state"]}

        def header_set() -> HeaderSet:  # of a response that starts now
            return site if preferences is None else preferences.header_set(_stated(scope), rendering, site)

        def send_merged(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                headers = merged([*(message.get("headers") or ())], header_set().headers)
                message = dict(message, headers=headers)
            return send(message)

        if not self._html or not (site.tags or preferences):
            return await self.app(scope, receive, send_merged)
        from aipolicy.asgi.html_meta import with_tags  # loaded only if needed

        return await with_tags(
            self.app,
            scope,
            receive,
            send_merged,
            expected=site.tags,
            tags=lambda: header_set().tags,
            fixed=preferences is None,
        )

    async def _candidates(self, scope: Scope, host: bytes) -> list[Candidate]:
        """Return every site that a request may be for, by any reading of its path."""
        if self._tenants is None:
            return [(host, await self._find(host))]
        try:
            found = [(site or b"", await self._find(site)) for site in self._tenants.sites(scope, host)]
        except Exception:
            logger.exception("the tenant of a request can't be found; no-ai is sent")
            found = []
        return found or [(host, await self._find(host)), (host, any_site())]

    async def _find(self, site: bytes | None) -> Rendering:
        if site is None:
            return self.lookup.strict_default
        try:
            return self._peek(site) or await self.lookup.find(site)
        except Exception:
            return self._strict_default_after_error()

    def _strict_default_after_error(self) -> Rendering:
        logger.exception("the lookup failed; the strict default is sent")
        return self.lookup.strict_default

    async def _is_same_site(self, host: str, other: str) -> bool:
        """Return True if both hosts are known and have the same policy; a lookup can't tell more."""
        renderings = [await self.lookup.find(name.encode()) for name in (host, other)]
        return renderings[0] is renderings[1] and self._is_of_site(renderings[0])

    def _is_of_site(self, rendering: Rendering) -> bool:
        """Return True if a rendering is that of a site, and not one for hosts of which nothing is known."""
        return rendering is not self.lookup.default and rendering is not self.lookup.strict_default


def _adding(header_set: HeaderSet, send: Send) -> Send:
    """Return a ``send`` that adds the policy's headers to the start of the response."""

    def send_with_headers(message: Message) -> Awaitable[None]:  # costs half of what an async one does
        if message["type"] == "http.response.start":
            # Copied: an application may send the same message object again and again.
            message = dict(message, headers=with_headers([*(message.get("headers") or ())], header_set))
        return send(message)

    return send_with_headers


def _header_set(scope: Scope, rendering: Rendering) -> HeaderSet:
    get = scope.get
    return header_set_of(rendering, scope["path"], get("raw_path"), get("root_path"), get("query_string"))


def _is_plain(scope: Scope) -> bool:
    return has_plain_path(scope["path"], scope.get("raw_path"), scope.get("root_path"))


def _stated(scope: Scope) -> object:
    """Return the preferences that the application states for a response in ``request.state.aipolicy``."""
    try:
        return scope["state"].get("aipolicy")
    except (Exception, SystemExit, KeyboardInterrupt):
        logger.exception("request.state.aipolicy can't be read; no-ai is sent")
        return PRESETS["no-ai"]
