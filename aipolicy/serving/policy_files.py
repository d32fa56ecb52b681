"""The policy files that are served in the application's place: robots.txt, tdmrep.json and ai.txt."""

from collections.abc import Iterable
from typing import NamedTuple

from aipolicy.rendering import Document, Rendering
from aipolicy.serving.exchange import Response
from aipolicy.serving.request_target import path_below_host
from aipolicy.signals.header_field import Header

ROBOTS, TDMREP, AI_TXT = "/robots.txt", "/.well-known/tdmrep.json", "/ai.txt"
POLICY_FILES = frozenset({ROBOTS, TDMREP, AI_TXT})
MAX_CACHE_SECONDS = 3600  # a new opt-out must not hide in a cache for longer
BRIEF_CACHE_SECONDS = 60  # for unknown hosts, and for a file that may lack rules of the site

METHOD_NOT_ALLOWED = Response(405, [(b"allow", b"GET, HEAD"), (b"content-length", b"0")])


class MergedRobots(NamedTuple):
    """A robots.txt in which the application's own is merged.

    Attributes:
        document: Its bytes and entity tag.
        headers: Headers that the application sends with its own robots.txt.
        cache_control: The application's own ``Cache-Control``, if it is at least as strict as ours.
        is_brief: True if rules of the site may be missing for now.
    """

    document: Document
    headers: tuple[Header, ...] = ()
    cache_control: bytes = b""
    is_brief: bool = False


class PolicyFileResponses:
    """Responses with policy files.

    Args:
        max_age: Seconds for which caches may keep a file.
        host_header: The header that names the site.
    """

    def __init__(self, max_age: int, host_header: bytes) -> None:
        self._caching = b"public, max-age=%d" % max_age
        self._brief_caching = b"public, max-age=%d" % min(max_age, BRIEF_CACHE_SECONDS)
        # Caches distinguish sites by Host alone.
        self._vary: tuple[Header, ...] = () if host_header == b"host" else ((b"vary", host_header),)

    def response(self, request_headers: Iterable[Header], document: Document, *, is_site: bool) -> Response:
        """Return the response to a GET or HEAD request.

        Args:
            request_headers: The request's headers, names in lower case.
            document: The file that was asked for.
            is_site: True if the lookup knows the host.
        """
        return self._response(request_headers, document, self._caching if is_site else self._brief_caching)

    def merged_response(
        self, request_headers: Iterable[Header], file: MergedRobots, *, is_site: bool
    ) -> Response:
        """Return the response with a merged robots.txt, as ``response`` does."""
        caching = self._caching if is_site and not file.is_brief else self._brief_caching
        return self._response(request_headers, file.document, file.cache_control or caching, file.headers)

    def _response(
        self,
        request_headers: Iterable[Header],
        document: Document,
        caching: bytes,
        more: tuple[Header, ...] = (),
    ) -> Response:
        for name, value in request_headers:
            if name == b"if-none-match" and _has_tag(value, document.etag):
                return Response(304, [(b"etag", document.etag), (b"cache-control", caching), *self._vary])
        headers = [*document.headers, (b"cache-control", caching), *self._vary, *more]
        return Response(200, headers, document.body)


def policy_document(rendering: Rendering, file: str) -> Document | None:
    """Return one of a site's policy files; None if the policy states nothing in it."""
    if file == ROBOTS:
        return rendering.robots
    return rendering.tdmrep if file == TDMREP else rendering.ai_txt


def path_below_mount(path: str, root_path: str) -> str:
    """Return a request's path below the mount path; the target may have the absolute form."""
    if not root_path and path in POLICY_FILES:
        return path
    root = root_path.rstrip("/")
    path = path_below_host(path)
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def _has_tag(condition: bytes, etag: bytes) -> bool:
    """Return True if ``If-None-Match`` names this version, compared weakly (RFC 9110 §13.1.2)."""
    return any(tag.strip(b" \t").removeprefix(b"W/") in (etag, b"*") for tag in condition.split(b","))
