"""The target of a request: as the client sent it, and as every server and application may read it."""

from collections.abc import Iterator
from typing import Self

from starlette.types import Scope

from aipolicy.core.crawlers import Crawler
from aipolicy.core.paths import PathReadings, decoded, escaped, is_plain, octets, read_path
from aipolicy.core.validation import Visibility
from aipolicy.rendering import HeaderSet, Rendering

_MOST_SEARCHES = 20_000  # some 5 ms


class RequestTarget:
    """The readings of one request's path: the most restrictive of what holds for each holds for it."""

    __slots__ = ("_query", "_readings", "sent")

    def __init__(self, sent: str, readings: PathReadings | None, query: str = "") -> None:
        self.sent, self._readings, self._query = sent + query, readings, query

    @classmethod
    def of(cls, scope: Scope) -> Self:
        """Return the target of a request: never raises for what a client can send."""
        sent, seen = _paths(scope)
        readings = read_path(sent, seen, scope.get("root_path") or "")
        query = _query(scope).decode("utf-8", "surrogateescape")
        return cls(sent, readings, f"?{query}" if query else "")

    def header_set(self, rendering: Rendering) -> HeaderSet:
        """Return the headers of the response, where the site is known."""
        return rendering.headers_over(self._targets(rendering) or [None])

    def is_closed(self, rendering: Rendering, crawler: Crawler) -> bool:
        """Return True if a site closes a reading to a crawler."""
        targets = self._targets(rendering)
        if not targets:
            is_private = rendering.policy.visibility is Visibility.PRIVATE
            return is_private or (
                crawler.product_token not in rendering.policy.licensed
                and _closes_any_path(rendering, crawler)
            )
        return any(rendering.closed_to(crawler, target) for target in targets)

    def needs_licence(self, rendering: Rendering, crawler: Crawler) -> bool:
        """Return True if a reading is open to a crawler by its licence alone."""
        targets = self._targets(rendering)
        if not targets:
            return crawler.product_token in rendering.policy.licensed and _closes_any_path(rendering, crawler)
        return any(rendering.opened_by_licence(crawler, target) for target in targets)

    def _targets(self, rendering: Rendering) -> tuple[str, ...]:
        """Return every reading that the rules of a site are to be applied to; none: any path may be meant."""
        if self._readings is None:
            return ()
        certain, others = self._readings
        # Clients choose the readings, owners the patterns, and all is compared in the event loop. A path that
        # has one reading is always compared.
        count = len(certain) + len(others)
        if count > 1 and count * rendering.most_searches > _MOST_SEARCHES:
            return ()
        usual = rendering.site.preferences
        spelled = [path + self._query for path in others] if rendering.paths else []
        return (
            *(path + self._query for path in certain),
            *(other for other in spelled if rendering.headers_at(other).preferences != usual),
        )

    def is_within(self, files: frozenset[str], folder: str) -> bool:
        """Return True if every reading is one of ``files``, or in ``folder``, which ends with a slash."""
        if self._readings is None:
            return False
        # An empty segment makes no other file of it: //robots.txt is never anything else.
        paths = ("/" + path.lstrip("/") for path in (*self._readings.certain, *self._readings.others))
        return all(path in files or path.startswith(folder) for path in paths)

    def scopes(self, scope: Scope) -> Iterator[Scope]:
        """Return the request once for each reading, as a server would hand it over."""
        for path in self._readings.certain if self._readings else ():
            yield {**scope, "path": decoded(path), "raw_path": octets(path)}


def _closes_any_path(rendering: Rendering, crawler: Crawler) -> bool:
    strictest = rendering.headers_over([None]).preferences
    return rendering.policy.covers(crawler) and strictest.disallows(*crawler.purpose.categories)


def has_plain_path(scope: Scope) -> bool:
    """Return True, and quickly, if a request's path has one reading, which is what the client sent."""
    path: str = scope["path"]
    raw: bytes | None = scope.get("raw_path")
    return (
        is_plain(path) and not scope.get("root_path") and path.isascii() and (not raw or raw == path.encode())
    )


def target_of(scope: Scope) -> bytes:
    """Path and query as the client sent them: what signatures cover."""
    path: bytes = scope.get("raw_path") or octets(scope["path"])
    query = _query(scope)
    return path + b"?" + query if query else path


def below_mount(scope: Scope) -> RequestTarget:
    """Return the target below the path at which the application is mounted."""
    root = (scope.get("root_path") or "").rstrip("/")
    sent, seen = (
        path[len(root) :] if root and path.startswith(f"{root}/") else path for path in _paths(scope)
    )
    return RequestTarget(sent, read_path(sent, seen))


def below_the_host(path: str) -> str:
    """The path, also of an absolute-form target (RFC 9112 §3.2.2)."""
    return path if path.startswith("/") else "/" + path.partition("://")[2].partition("/")[2]


def _paths(scope: Scope) -> tuple[str, str]:
    """Return the path as it was sent, and as the application sees it."""
    seen: str = scope["path"]
    raw: bytes | None = scope.get("raw_path")
    if not raw:
        return escaped(seen), seen
    # Some servers leave the query in it.
    return raw.partition(b"?")[0].decode("utf-8", "surrogateescape"), seen


def _query(scope: Scope) -> bytes:
    query: bytes = scope.get("query_string") or b""
    return query
