"""Meta tags in the HTML pages of an application, inserted while a page streams.

Only the part before a page's head is held back. A page is never sent in part: if the application answers with
a range, it is asked again for the complete page.
"""

import logging
from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aipolicy.serving.tag_insertion import (
    MAX_PROLOGUE,
    READING,
    Conditions,
    TagInsertion,
    content_length,
    may_continue,
)
from aipolicy.signals.header_field import Header

logger = logging.getLogger("aipolicy.asgi")

_RANGE = frozenset({b"range", b"if-range"})
_FILE_SENDING = frozenset({"http.response.pathsend", "http.response.zerocopysend"})
# Headers of a body, which a 304 doesn't have (RFC 9110 §15.4.5).
_BODY_HEADERS = frozenset(
    {b"content-length", b"content-type", b"content-encoding", b"content-language", b"content-range"}
    | {b"accept-ranges", b"transfer-encoding", b"trailer"}
)
_MAX_DROPPED = 1024 * 1024  # bytes of a body that the client has already
_MAX_REPLAYED = 64 * 1024  # bytes of a request's body


async def with_tags(
    app: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    expected: bytes,
    tags: Callable[[], bytes],
    fixed: bool,
) -> None:
    """Run ``app``, and insert the tags if its response is a page.

    Args:
        expected: The tags of the site's pages.
        tags: Returns the tags of this response; called when it starts.
        fixed: True if ``tags`` always returns the expected ones.
    """
    conditions = Conditions.of(scope["method"], scope["headers"])
    inner = _inner_scope(scope, expected, validated=fixed)
    ranged = scope["method"] in READING and any(name in _RANGE for name, _ in scope["headers"])
    body = _Replay(receive) if ranged else None
    state = scope.get("state")
    before = dict(state) if ranged and state else {}
    response = _Response(send, scope, conditions, tags, may_retry=ranged)
    await response.run(app, inner, receive if body is None else body.receive)
    if response.is_part and body is not None:
        if state:  # frameworks keep notes about the first call here
            for name in state.keys() - before.keys():
                del state[name]
            state.update(before)
        headers = [header for header in inner["headers"] if header[0] not in _RANGE]
        inner = _inner_scope({**scope, "headers": headers}, expected, validated=fixed)
        await _Response(send, scope, conditions, tags).run(app, inner, body.replayed())


def _inner_scope(scope: Scope, tags: bytes, *, validated: bool) -> Scope:
    """Return the request as the application should see it: to be answered with a body, not with a file."""
    headers = TagInsertion(tags).request_headers(scope["method"], scope["headers"], validated=validated)
    extensions = {k: v for k, v in (scope.get("extensions") or {}).items() if k not in _FILE_SENDING}
    return {**scope, "headers": headers, "extensions": extensions}


class _Response:
    """A response whose start is held back until its first bytes are known.

    Attributes:
        is_part: True if it was a range of a page: nothing was sent, and the complete page must be requested.
    """

    def __init__(
        self,
        send: Send,
        scope: Scope,
        conditions: Conditions,
        tags: Callable[[], bytes],
        *,
        may_retry: bool = False,
    ) -> None:
        self._send, self._conditions, self._tags = send, conditions, tags
        self._is_head = scope["method"] == "HEAD"
        self._may_retry = may_retry
        self._insertion = TagInsertion(b"")
        self._start: Message | None = None
        self._held = bytearray()
        self._dropped: int | None = None  # bytes, of a body that is not sent
        self._is_over = False
        self.is_part = False

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive) -> None:
        """Run ``app``. Raises its exceptions."""
        try:
            await app(scope, receive, self.send)
        except Exception:
            if self._dropped is None or self._dropped <= _MAX_DROPPED:
                raise  # otherwise it is our own ConnectionAbortedError

    def send(self, message: Message) -> Awaitable[None]:
        if self._dropped is not None:
            return self._drop(message)
        if message["type"] == "http.response.start":
            return self._started(message)
        if self._start is not None and message["type"] == "http.response.body":
            return self._hold(self._start, message)
        if self._start is not None and message["type"] in _FILE_SENDING:
            return self._file_follows(self._start, message)
        return self._send(message)

    def _started(self, message: Message) -> Awaitable[None]:
        headers: list[Header] = [*(message.get("headers") or ())]
        message = {**message, "headers": headers}
        try:
            return self._begun(message, headers)
        except Exception:
            logger.exception("the meta tags can't be inserted into a page; it is sent without them")
            return self._send(message)

    def _begun(self, message: Message, headers: list[Header]) -> Awaitable[None]:
        tags, status = self._tags(), message["status"]
        insertion = self._insertion = TagInsertion(tags)
        if status == 304:
            known = tags and insertion.has_page(self._conditions)
            return self._send({**message, "headers": insertion.retagged(headers)} if known else message)
        if tags and self._may_retry and insertion.is_for_part(status, headers):
            self.is_part, self._dropped = True, 0
            return _nothing()
        is_page = bool(tags) and insertion.is_for(status, headers)
        changed = insertion.headers(headers, length=None) if is_page else headers
        if 200 <= status < 300 and self._conditions.hold(changed, is_page=is_page):
            return self._not_modified(changed)
        if not is_page:
            return self._send(message)
        if self._is_head:
            return self._send({**message, "headers": changed})
        self._start = message
        return _nothing()

    async def _not_modified(self, headers: list[Header]) -> None:
        self._dropped = 0
        kept = [(name, value) for name, value in headers if name.lower() not in _BODY_HEADERS]
        await self._send({"type": "http.response.start", "status": 304, "headers": kept})

    async def _drop(self, message: Message) -> None:
        """Drop a body that nobody needs; end a long one with an error, as servers do."""
        if message["type"] != "http.response.body" and message["type"] not in _FILE_SENDING:
            return
        self._dropped = (self._dropped or 0) + len(message.get("body", b""))
        is_long = self._dropped > _MAX_DROPPED
        if not self._is_over and (is_long or not message.get("more_body", False)):
            self._is_over = True
            # Not earlier: when a response is complete, servers report a disconnect to the application.
            if not self.is_part:
                await self._send({"type": "http.response.body", "body": b""})
        if is_long:
            raise ConnectionAbortedError("the rest of this body is not needed")

    async def _file_follows(self, start: Message, message: Message) -> None:
        """Send a page without tags, because the application sends a file, which the scope didn't offer."""
        held = bytes(self._held)
        self._start = None
        self._held.clear()
        await self._send(start)
        if held:
            await self._send({"type": "http.response.body", "body": held, "more_body": True})
        await self._send(message)

    async def _hold(self, start: Message, message: Message) -> None:
        self._held += message.get("body", b"")
        more = message.get("more_body", False)
        if more and len(self._held) < MAX_PROLOGUE and may_continue(self._held):
            return
        held = bytes(self._held)
        body, headers = held, start["headers"]
        self._start = None
        self._held.clear()
        try:
            tagged = self._insertion.into(held)
            length = content_length(headers)
            headers = self._insertion.headers(
                headers, length=None if length is None else length + len(tagged) - len(held)
            )
            body = tagged
        except Exception:
            logger.exception("the meta tags can't be inserted into a page; it is sent without them")
        await self._send({**start, "headers": headers})
        await self._send({**message, "body": body})


class _Replay:
    """The body of a request, which can be read twice up to 64 KiB."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []
        self._size = 0

    async def receive(self) -> Message:
        """Return the next message of the request."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._size += len(message.get("body", b""))
            if self._size <= _MAX_REPLAYED:
                self._messages.append(message)
        return message

    def replayed(self) -> Receive:
        """Return a ``receive`` that starts again."""
        messages = list(self._messages)
        if self._size > _MAX_REPLAYED:
            messages.append({"type": "http.request", "body": b"", "more_body": False})
        messages.reverse()

        async def receive() -> Message:
            return messages.pop() if messages else await self._receive()

        return receive


async def _nothing() -> None:
    pass
