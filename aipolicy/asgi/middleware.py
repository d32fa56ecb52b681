"""The ASGI middleware: every signal of a site's policy, on every response, in one line.

    app = AIPolicyMiddleware(app, CachedLookup(load))

Pure ASGI. A request costs one cache look-up and one list concatenation; all thinking happens when a policy is
loaded.
"""

import logging
from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aipolicy.core.headers import Header, merge_headers
from aipolicy.core.render import HeaderSet, Rendering
from aipolicy.lookup import Lookup
from aipolicy.asgi.own import AnswerFailed, OwnRobots

logger = logging.getLogger("aipolicy.asgi")

_ROBOTS, _TDMREP, _AI_TXT = "/robots.txt", "/.well-known/tdmrep.json", "/ai.txt"
_FILES = frozenset({_ROBOTS, _TDMREP, _AI_TXT})
_ENDINGS = frozenset(file[-5:] for file in _FILES)  # few other paths end so: a look at these is enough
_LONGEST_CACHING = 3600  # a new opt-out must not hide in a cache for longer


class AIPolicyMiddleware:
    """Answers crawlers according to each site's policy. Raises ValueError or TypeError when made wrong.

    ``app``             the ASGI application to wrap.
    ``lookup``          host → rendering: ``CachedLookup`` or ``LocalLookup``.
    ``max_age``         seconds for which robots.txt and the well-known files may be cached, at most 3600.
    ``merge_own``       whether the application's own ``/robots.txt`` is merged into ours.
    ``own_robots_ttl``  seconds for which the application's own is kept, a host.
    ``host_header``     the header that names the site: change it only behind a proxy that always sets it.

    A host that is malformed or no site's gets the lookup's default policy.
    """

    def __init__(
        self,
        app: ASGIApp,
        lookup: Lookup,
        *,
        max_age: int = 600,
        merge_own: bool = True,
        own_robots_ttl: float = 60.0,
        host_header: str = "host",
    ) -> None:
        if not callable(app):
            raise TypeError(f"app is {app!r}: give an ASGI application")
        if not callable(getattr(lookup, "peek", None)):
            raise TypeError(f"lookup is {lookup!r}: give CachedLookup(load) or LocalLookup(registry)")
        if not 0 <= max_age <= _LONGEST_CACHING:
            raise ValueError(f"max_age is {max_age!r}: give seconds from 0 to {_LONGEST_CACHING}")
        self.app = app
        self.lookup = lookup
        self._peek = lookup.peek
        self._host_header = host_header.lower().encode("latin-1")
        self._own = OwnRobots(app, own_robots_ttl) if merge_own else None
        self._caching: Header = (b"cache-control", b"public, max-age=%d" % max_age)
        # An answer that stands in for one we could not get must not outlive the failure.
        self._brief_caching: Header = (b"cache-control", b"public, max-age=%d" % min(max_age, 60))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        host, host_header = None, self._host_header
        for name, value in scope["headers"]:
            if name == host_header:
                # Two of them: servers pass both on, and who is meant can't be known (RFC 9112 §3.2).
                host = value if host is None else b""
        try:
            rendering = self._peek(host or b"") or await self.lookup.find(host or b"")
        except Exception:
            logger.exception("the lookup failed: the default policy is sent")
            rendering = self.lookup.default
        if scope["path"][-5:] in _ENDINGS:
            file = _file_path(scope)
            if file in _FILES and await self._serve(file, scope, send, host or b"", rendering):
                return None
        header_set = rendering.headers_at(_target(scope)) if rendering.paths else rendering.site
        if not header_set.headers:
            return await self.app(scope, receive, send)
        return await self.app(scope, receive, _adding(header_set, send))

    async def _serve(self, file: str, scope: Scope, send: Send, host: bytes, rendering: Rendering) -> bool:
        """Answer with one of our files; False where we have none, and the application answers."""
        documents = {_ROBOTS: rendering.robots, _TDMREP: rendering.tdmrep, _AI_TXT: rendering.ai_txt}
        document, known = documents[file], rendering is not self.lookup.default
        if document is None:
            return False
        if scope["method"] not in ("GET", "HEAD"):
            await _send(send, 405, [(b"allow", b"GET, HEAD"), (b"content-length", b"0")])
            return True
        if file == _ROBOTS and self._own is not None and rendering.takes_own_robots:
            try:
                document = await self._own.document(scope, host, rendering, known)
            except AnswerFailed as failed:
                # A 5xx keeps crawlers out for now (RFC 9309 §2.3.1.4): safer than rules we can't know.
                answer = failed.answer
                await _send(send, answer.status, answer.headers, answer.body, scope)
                return True
        caching = self._caching if known else self._brief_caching
        if _has_tag(scope, document.etag):
            await _send(send, 304, [(b"etag", document.etag), caching])
        else:
            await _send(send, 200, [*document.headers, caching], document.body, scope)
        return True


def _adding(header_set: HeaderSet, send: Send) -> Send:
    """``send``, with our headers in the response's start. A plain function costs half an async one."""
    extra, names = header_set.headers, header_set.names

    def send_with_headers(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            # Copied, never changed: an application may send one message object again and again.
            headers = [*message.get("headers", ())]
            for name, _ in headers:
                if name in names:
                    headers = _merged(headers, extra)
                    break
            else:
                headers.extend(extra)
            message = dict(message, headers=headers)
        return send(message)

    return send_with_headers


def _merged(theirs: list[Header], ours: tuple[Header, ...]) -> list[Header]:
    try:
        return merge_headers(theirs, ours)
    except Exception:
        logger.exception("headers could not be merged: ours are appended")
        return [*theirs, *ours]


def _file_path(scope: Scope) -> str:
    """The path below the mount path, also of an absolute-form target (RFC 9112 §3.2.2)."""
    path: str = scope["path"]
    if not path.startswith("/"):
        path = "/" + path.partition("://")[2].partition("/")[2]
    root: str = scope.get("root_path", "").rstrip("/")
    if path.startswith(f"{root}/"):
        path = path[len(root) :]
    return path


def _target(scope: Scope) -> str:
    """Path and query, as the client sent them: what path patterns are matched against."""
    path: bytes = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
    query: bytes = scope.get("query_string", b"")
    return (path + b"?" + query if query else path).decode("utf-8", "surrogateescape")


def _has_tag(scope: Scope, etag: bytes) -> bool:
    """Whether the client has this version: ``If-None-Match``, compared weakly (RFC 9110 §13.1.2)."""
    given = b",".join(value for name, value in scope["headers"] if name == b"if-none-match")
    return any(tag.strip().removeprefix(b"W/") in (etag, b"*") for tag in given.split(b","))


async def _send(
    send: Send, status: int, headers: list[Header], body: bytes = b"", scope: Scope | None = None
) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    head = scope is not None and scope["method"] == "HEAD"
    await send({"type": "http.response.body", "body": b"" if head else body})
