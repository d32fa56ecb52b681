"""Our files, answered in the application's place: robots.txt, tdmrep.json and ai.txt."""

from starlette.types import Scope, Send

from aipolicy.asgi.own import AnswerFailed, OwnRobots
from aipolicy.asgi.targets import below_the_host
from aipolicy.asgi.tenants import PathTenants
from aipolicy.core.headers import Header
from aipolicy.core.render import Document, Rendering

ROBOTS, TDMREP, AI_TXT = "/robots.txt", "/.well-known/tdmrep.json", "/ai.txt"
FILES = frozenset({ROBOTS, TDMREP, AI_TXT})
LONGEST_CACHING = 3600  # seconds; a new opt-out must not hide in a cache for longer


class Files:
    """Answers for our files.

    ``own``: the application's own robots.txt, to be merged; ``tenants``: the sites that share a host.
    """

    def __init__(self, max_age: int, own: OwnRobots | None, tenants: PathTenants | None) -> None:
        self._own, self._tenants = own, tenants
        self._caching: Header = (b"cache-control", b"public, max-age=%d" % max_age)
        # An answer that stands in for one we could not get must not outlive the failure.
        self._brief_caching: Header = (b"cache-control", b"public, max-age=%d" % min(max_age, 60))

    async def serve(
        self, file: str, scope: Scope, send: Send, *, host: bytes, rendering: Rendering, known: bool
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
        if file == ROBOTS and self._own is not None and rendering.takes_own_robots:
            try:
                document = await self._own.document(scope, host, rendering, known)
            except AnswerFailed as failed:
                # A 5xx keeps crawlers out for now (RFC 9309 §2.3.1.4): safer than rules we can't know.
                theirs = failed.answer
                await answer(send, theirs.status, theirs.headers, theirs.body, scope)
                return True
        caching = self._caching if known else self._brief_caching
        for name, value in scope["headers"]:
            if name == b"if-none-match" and _has_tag(value, document.etag):
                await answer(send, 304, [(b"etag", document.etag), caching])
                return True
        headers = [*document.headers, caching]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else document.body})
        return True


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
