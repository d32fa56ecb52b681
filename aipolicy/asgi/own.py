"""The wrapped application's own robots.txt: asked in-process, kept for a while, merged with the policy."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from cachetools import LRUCache
from starlette.types import ASGIApp, Message, Scope

from aipolicy.core.fields import MAX_ROBOTS_BYTES
from aipolicy.core.hosts import canonical_host
from aipolicy.core.memo import Memo
from aipolicy.core.merge import fitted_robots_txt
from aipolicy.core.render import Document, Rendering, robots_document
from aipolicy.lookup.renderer import LARGE, in_background

logger = logging.getLogger("aipolicy.asgi")

_KEPT_BYTES = 32 * 1024 * 1024  # of memory, for the applications' files and as much again for merged ones
_READY = 1024  # hosts
_OVERHEAD = 512  # bytes of an entry, roughly, beside the file itself
_REDIRECTS = 5  # RFC 9309 §2.3.1.2
# What would make the answer partial, conditional or compressed.
_LEFT_OUT = frozenset({b"accept-encoding", b"content-length", b"content-type", b"range", b"if-range"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the application answered: status, headers and as much of the body as crawlers read."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    @property
    def robots(self) -> bytes | None:
        """Its robots.txt, or None where it has none: a 4xx means "no rules" (RFC 9309 §2.3.1.3).

        A page is no robots.txt: applications that answer everything with one are common.
        """
        if not 200 <= self.status < 300 or self.header(b"content-type").startswith(b"text/html"):
            return None
        if len(self.body) <= MAX_ROBOTS_BYTES:
            return self.body
        return self.body[:MAX_ROBOTS_BYTES].rpartition(b"\n")[0]

    def header(self, name: bytes) -> bytes:
        return next((value for key, value in self.headers if key.lower() == name), b"")


class AnswerFailed(Exception):  # noqa: N818 (it carries an answer to pass on)
    """The application failed to answer, and no earlier answer is known."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"the application answered /robots.txt with status {answer.status}")
        self.answer = answer


class OwnRobots:
    """host → the merged robots.txt, with the application's own asked at most every ``ttl`` seconds a host."""

    def __init__(self, app: ASGIApp, ttl: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._app, self._ttl, self._clock = app, ttl, clock
        self._own: LRUCache[str, tuple[bytes | None, float]] = LRUCache(
            _KEPT_BYTES, getsizeof=lambda kept: len(kept[0] or b"") + _OVERHEAD
        )
        # What the last answers were, at hand without any of the rest.
        self._ready: Memo[bytes, tuple[Rendering, float, Document]] = Memo(_READY)
        # Equal files of equal policies are kept once, however many blogs have them.
        self._merged: LRUCache[tuple[Rendering, bytes], Document] = LRUCache(
            _KEPT_BYTES, getsizeof=lambda document: len(document.body) + _OVERHEAD
        )

    async def document(self, scope: Scope, host: bytes, rendering: Rendering, known: bool) -> Document:
        """The file for a request. ``known``: whether the host is a site's; for others nothing is kept.

        Raises AnswerFailed, or what the application raises, where no earlier answer is known.
        """
        ready = self._ready.get(host)
        if ready is not None and ready[0] is rendering and self._clock() < ready[1]:
            return ready[2]
        name = canonical_host(host) if known else None
        base, until = await self._base(scope, name)
        document = rendering.robots if base is None else await self._merge(rendering, base)
        # Other spellings are not kept: strangers choose them. Nor are large files: memory is bounded.
        if name and name.encode() == host and len(document.body) <= LARGE:
            self._ready.keep(host, (rendering, until, document))
        return document

    async def _merge(self, rendering: Rendering, base: bytes) -> Document:
        key = (rendering, base)
        try:
            return self._merged[key]
        except KeyError:
            pass
        large = len(base) + len(rendering.robots.body) > LARGE
        merged = await in_background(_merge, *key) if large else _merge(*key)
        self._merged[key] = merged
        return merged

    async def _base(self, scope: Scope, host: str | None) -> tuple[bytes | None, float]:
        """The application's own, and until when it is used."""
        kept = self._own.get(host) if host else None
        now = self._clock()
        if kept and now < kept[1]:
            return kept
        try:
            base = await self._ask(scope)
        except Exception as error:
            if kept is None:
                raise
            logger.warning("%s keeps its last robots.txt: %s", host, error)
            base = kept[0]
        if host:
            self._own[host] = (base, now + self._ttl)
        return base, now + self._ttl

    async def _ask(self, scope: Scope) -> bytes | None:
        for _ in range(_REDIRECTS + 1):
            answer = await ask(self._app, scope)
            if answer.status >= 500:
                raise AnswerFailed(answer)
            elsewhere = _redirected(scope, answer)
            if elsewhere is None:
                return answer.robots
            scope = elsewhere
        return None


def _merge(rendering: Rendering, base: bytes) -> Document:
    fitted = fitted_robots_txt(rendering.policy, rendering.signals, base)
    if fitted.cut:
        logger.error("the application's robots.txt is cut: %s", fitted.cut)
    return robots_document(fitted.body)


def _redirected(scope: Scope, answer: Answer) -> Scope | None:
    """The scope to follow a redirect within the application, or None where there is none to follow."""
    location = answer.header(b"location").decode("latin-1")
    if not 300 <= answer.status < 400 or not location:
        return None
    target = urlsplit(urljoin(scope["path"], location))
    host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
    if target.netloc not in ("", host):
        logger.warning("/robots.txt redirects to another host, %s: its rules are not merged", target.netloc)
        return None
    path = target.path or "/"
    return {**scope, "path": path, "raw_path": path.encode(), "query_string": target.query.encode()}


async def ask(app: ASGIApp, scope: Scope) -> Answer:
    """GET ``scope``'s path from ``app`` in-process."""
    status, headers, body = 500, [], bytearray()
    finished = asyncio.Event()
    requested = False

    async def receive() -> Message:
        nonlocal requested
        if requested:
            await finished.wait()
            return {"type": "http.disconnect"}
        requested = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            if len(body) <= MAX_ROBOTS_BYTES:
                body.extend(message.get("body", b""))
            if not message.get("more_body", False):
                finished.set()

    kept = [(k, v) for k, v in scope["headers"] if k not in _LEFT_OUT and not k.startswith(b"if-")]
    # Without extensions the application sends its file as a body, not as a path for the server to open.
    await app({**scope, "method": "GET", "headers": kept, "extensions": {}}, receive, send)
    return Answer(status, headers, bytes(body))
