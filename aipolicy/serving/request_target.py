"""The target of a request: as the client sent it, and in every way that it may be read."""

from collections.abc import Iterator
from typing import Self

from aipolicy.core.crawlers import Crawler
from aipolicy.core.paths import PathReadings, decoded, escaped, is_plain, read_path, to_bytes
from aipolicy.core.validation import Visibility
from aipolicy.rendering import HeaderSet, Rendering

_MAX_SEARCHES = 20_000  # about 5 ms


class RequestTarget:
    """The readings of one request's path; the most restrictive counts.

    Attributes:
        sent: Path and query as the client sent them.
    """

    __slots__ = ("_query", "_readings", "sent")

    def __init__(self, sent: str, readings: PathReadings | None, query: str = "") -> None:
        self.sent, self._readings, self._query = sent + query, readings, query

    @classmethod
    def of(cls, path: str, raw_path: bytes | None, root_path: str | None, query: bytes | None) -> Self:
        """Return the target of a request. Never raises for anything that a client can send.

        Args:
            path: The decoded path, as the application sees it.
            raw_path: The path as the client sent it, if the server keeps it.
            root_path: The path at which the application is mounted.
            query: The query without its ``?``.
        """
        sent, received = _paths(path, raw_path)
        readings = read_path(sent, received, root_path or "")
        text = query.decode("utf-8", "surrogateescape") if query else ""
        return cls(sent, readings, f"?{text}" if text else "")

    @classmethod
    def below_mount(cls, path: str, raw_path: bytes | None, root_path: str) -> Self:
        """Return the target without its query, below the path at which the application is mounted."""
        root = root_path.rstrip("/")
        sent, received = (
            path[len(root) :] if root and path.startswith(f"{root}/") else path
            for path in _paths(path, raw_path)
        )
        return cls(sent, read_path(sent, received))

    def header_set(self, rendering: Rendering) -> HeaderSet:
        """Return the headers of the response by a site's policy."""
        return rendering.headers_over(self._targets(rendering) or [None])

    def is_closed(self, rendering: Rendering, crawler: Crawler) -> bool:
        """Return True if a site closes any reading to a crawler."""
        targets = self._targets(rendering)
        if not targets:
            is_private = rendering.policy.visibility is Visibility.PRIVATE
            return is_private or (
                crawler.product_token not in rendering.policy.licensed
                and _closes_any_path(rendering, crawler)
            )
        return any(rendering.closed_to(crawler, target) for target in targets)

    def needs_licence(self, rendering: Rendering, crawler: Crawler) -> bool:
        """Return True if any reading is open to a crawler only because it is licensed."""
        targets = self._targets(rendering)
        if not targets:
            return crawler.product_token in rendering.policy.licensed and _closes_any_path(rendering, crawler)
        return any(rendering.opened_by_licence(crawler, target) for target in targets)

    def is_within(self, files: frozenset[str], folder: str) -> bool:
        """Return True if every reading is one of ``files``, or in ``folder``, which ends with a slash."""
        if self._readings is None:
            return False
        # Servers read //robots.txt as /robots.txt.
        paths = ("/" + path.lstrip("/") for path in (*self._readings.certain, *self._readings.others))
        return all(path in files or path.startswith(folder) for path in paths)

    def paths(self) -> Iterator[tuple[str, bytes]]:
        """Return each reading as a server would pass it on: the decoded path, and the path as sent."""
        for path in self._readings.certain if self._readings else ():
            yield decoded(path), to_bytes(path)

    def _targets(self, rendering: Rendering) -> tuple[str, ...]:
        """Return every reading to which a site's rules apply; empty if any path may be meant."""
        if self._readings is None:
            return ()
        certain, others = self._readings
        # Clients choose the readings, owners the patterns, and all are compared in the event loop: so the
        # work is bounded. A path that has one reading is always compared.
        count = len(certain) + len(others)
        if count > 1 and count * rendering.max_searches > _MAX_SEARCHES:
            return ()
        usual = rendering.site.preferences
        spelled = [path + self._query for path in others] if rendering.paths else []
        return (
            *(path + self._query for path in certain),
            *(other for other in spelled if rendering.headers_at(other).preferences != usual),
        )


def has_plain_path(path: str, raw_path: bytes | None, root_path: str | None) -> bool:
    """Return True if a request's path has a single reading, which is the path that the client sent."""
    return is_plain(path) and not root_path and path.isascii() and (not raw_path or raw_path == path.encode())


def target_of(path: str, raw_path: bytes | None, query: bytes | None) -> bytes:
    """Return path and query as the client sent them, which is what signatures cover."""
    sent = raw_path or to_bytes(path)
    return sent + b"?" + query if query else sent


def path_below_host(path: str) -> str:
    """Return the path of a target, which may have the absolute form (RFC 9112 §3.2.2)."""
    return path if path.startswith("/") else "/" + path.partition("://")[2].partition("/")[2]


def _closes_any_path(rendering: Rendering, crawler: Crawler) -> bool:
    strictest = rendering.headers_over([None]).preferences
    return rendering.policy.covers(crawler) and strictest.disallows(*crawler.purpose.categories)


def _paths(path: str, raw_path: bytes | None) -> tuple[str, str]:
    """Return the path as it was sent, and as the application sees it."""
    if not raw_path:
        return escaped(path), path
    # Some servers leave the query in it.
    return raw_path.partition(b"?")[0].decode("utf-8", "surrogateescape"), path
