"""Our files, answered in the application's place: robots.txt, tdmrep.json and ai.txt."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aipolicy.asgi.path_tenants import PathTenants
from aipolicy.asgi.request_target import below_the_host
from aipolicy.asgi.upstream_robots import BRIEF, OwnRobots, Served
from aipolicy.rendering import Document, Rendering
from aipolicy.signals.header_field import Header

ROBOTS, TDMREP, AI_TXT = "/robots.txt", "/.well-known/tdmrep.json", "/ai.txt"
FILES = frozenset({ROBOTS, TDMREP, AI_TXT})
LONGEST_CACHING = 3600  # seconds; a new opt-out must not hide in a cache for longer


class Files:
    """Answers for our files.

    ``app``: the application; ``own``: the sites' own robots.txt, to be merged; ``tenants``: the sites that
    share a host; ``host_header``: the header that names the site.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_age: int,
        own: OwnRobots | None,
        tenants: PathTenants | None,
        host_header: bytes,
    ) -> None:
        self._app, self._own, self._tenants = app, own, tenants
        self._caching = b"public, max-age=%d" % max_age
        # An answer that stands in for one we could not get must not outlive the failure.
        self._brief_caching = b"public, max-age=%d" % min(max_age, BRIEF)
        # Caches tell sites apart by Host alone.
        self._vary: tuple[Header, ...] = () if host_header == b"host" else ((b"vary", host_header),)

    async def serve(
        self,
        file: str,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        host: bytes,
        rendering: Rendering,
        known: bool,
    ) -> bool:
        """Answer; False where we have no such file, and the application answers.

        ``known``: whether the host is a site's.
        """
        if self._tenants is not None and known:
            rendering = await self._tenants.of_host(host, rendering)
        document: Document | None = rendering.robots
        if file != ROBOTS:
            document = rendering.tdmrep if file == TDMREP else rendering.ai_txt
        if document is None:
            return False
        method = scope["method"]
        if method not in ("GET", "HEAD"):
            await answer(send, 405, [(b"allow", b"GET, HEAD"), (b"content-length", b"0")])
            return True
        served = Served(document)
        if file == ROBOTS and self._own is not None and rendering.takes_own_robots:
            found = self._own.at_hand(scope, host, rendering)
            if found is None:
                request = _Request(receive)
                found = await self._own.served(
                    scope, request.take, host=host, rendering=rendering, known=known
                )
                if found is None:
                    await self._app(scope, request.receive, send)
                    return True
            served, document = found, found.document
        caching = self._caching if known and not served.brief else self._brief_caching
        common = ((b"cache-control", served.cache_control or caching), *self._vary)
        for name, value in scope["headers"]:
            if name == b"if-none-match" and _has_tag(value, document.etag):
                await answer(send, 304, [(b"etag", document.etag), *common])
                return True
        headers = [*document.headers, *common, *served.headers]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else document.body})
        return True


class _Request:
    """A request whose messages can be read ahead: the application gets them all the same."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._taken: list[Message] = []

    async def take(self) -> Message:
        """Read a message ahead."""
        message = await self._receive()
        self._taken.append(message)
        return message

    async def receive(self) -> Message:
        """Return the next message of the request."""
        return self._taken.pop(0) if self._taken else await self._receive()


def file_path(scope: Scope) -> str:
    """The path below the mount path, also of an absolute-form target (RFC 9112 §3.2.2)."""
    path: str = scope["path"]
    root: str = scope.get("root_path") or ""
    if not root and path in FILES:
        return path
    root = root.rstrip("/")
    path = below_the_host(path)
    if root and path.startswith(f"{root}/"):
        path = path[len(root) :]
    return path


async def answer(
    send: Send, status: int, headers: list[Header], body: bytes = b"", scope: Scope | None = None
) -> None:
    """One whole response; without its body where ``scope`` is of a HEAD request."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    head = scope is not None and scope["method"] == "HEAD"
    await send({"type": "http.response.body", "body": b"" if head else body})


def _has_tag(given: bytes, etag: bytes) -> bool:
    """Whether the client has this version: ``If-None-Match``, compared weakly (RFC 9110 §13.1.2)."""
    return any(tag.strip(b" \t").removeprefix(b"W/") in (etag, b"*") for tag in given.split(b","))
