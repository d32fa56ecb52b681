"""The signals as meta tags in HTML pages, for sites whose CDN strips headers.

A page is changed as it streams: only what stands before its head is held back. Whatever would be harmed by a
change is left alone: compressed and signed bodies, downloads, and what says ``no-transform``.

A page with other tags is another representation, with another entity tag (RFC 9110 §8.8.3). Whether a client
has the current one can't be left to the application, which knows nothing of the tags: of the conditions of a
request it sees only entity tags of pages with today's tags, and the others are evaluated on its answer. A
page is never sent in part: it is asked for again, whole.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from typing import NamedTuple, Self

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aipolicy.signals.header_field import Header

logger = logging.getLogger("aipolicy.asgi")

_MOST_HELD = 16 * 1024  # octets before the head; a page with more gets no tags

# What may stand before a page's head, and the head's own tag. Possessive: it never tries a second way.
_ATTRIBUTES = rb"""(?:\s(?:"[^"]*"|'[^']*'|[^>"'])*+)?"""
_PROLOGUE = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:\s|<!--(?s:.)*?-->|<\?[^>]*>|(?P<document><!doctype[^>]*>|<html%b>))*+(?P<head><head%b>)?"
    % (_ATTRIBUTES, _ATTRIBUTES),
    re.IGNORECASE,
)
_OPENINGS = (b"<!--", b"<?", b"<!doctype", b"<html", b"<head")
_UNTOUCHABLE = frozenset(
    {
        *(b"content-encoding", b"content-range", b"content-disposition"),
        *(b"content-digest", b"repr-digest", b"digest"),
    }
)
_ENTITY_TAG = re.compile(rb'(?:W/)?("[^"]*"|[^\s",]+)')
_CONDITIONAL = frozenset({b"if-none-match", b"if-modified-since"})
_READING = frozenset({"GET", "HEAD"})
_RANGE = frozenset({b"range", b"if-range"})
_FILE_SENDING = frozenset({"http.response.pathsend", "http.response.zerocopysend"})
# Of a body that "not modified" has not (RFC 9110 §15.4.5).
_OF_BODY = frozenset(
    {b"content-length", b"content-type", b"content-encoding", b"content-language", b"content-range"}
    | {b"accept-ranges", b"transfer-encoding", b"trailer"}
)
_MOST_DROPPED = 1024 * 1024  # bytes of a body that the client has already
_MOST_REPLAYED = 64 * 1024  # bytes of a request's body


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
    """Have ``app`` answer, and insert the tags where the answer is a page.

    Args:
        expected: The tags that the site's pages have.
        tags: Returns those of this answer, asked as it starts.
        fixed: Whether they can't be other than the expected ones.
    """
    conditions = Conditions.of(scope)
    inner = TagInsertion(expected).scope(scope, validated=fixed)
    ranged = scope["method"] in _READING and any(name in _RANGE for name, _ in scope["headers"])
    body = _Replay(receive) if ranged else None
    state = scope.get("state")
    before = dict(state) if ranged and state else {}
    response = _Response(send, scope, conditions, tags, may_ask_again=ranged)
    await response.of(app, inner, receive if body is None else body.receive)
    if response.is_part and body is not None:
        if state:  # what the first call noted of the request, frameworks would take for true of the second
            for name in state.keys() - before.keys():
                del state[name]
            state.update(before)
        whole = [header for header in inner["headers"] if header[0] not in _RANGE]
        inner = TagInsertion(expected).scope({**scope, "headers": whole}, validated=fixed)
        await _Response(send, scope, conditions, tags).of(app, inner, body.again())


class Conditions(NamedTuple):
    """The conditions of a request: entity tags, or a date; nothing where it doesn't read."""

    tags: tuple[bytes, ...] | None = None
    since: bytes | None = None

    @classmethod
    def of(cls, scope: Scope) -> Self:
        """Return the conditions of a request."""
        if scope["method"] not in _READING:
            return cls()
        lines = [value for name, value in scope["headers"] if name == b"if-none-match"]
        since = [value for name, value in scope["headers"] if name == b"if-modified-since"]
        tags = tuple(_ENTITY_TAG.findall(b",".join(lines))) if lines else None
        return cls(tags, since[0] if len(since) == 1 else None)

    def hold(self, headers: Iterable[Header], *, is_page: bool) -> bool:
        """Return True if the client has what a response with these headers has (RFC 9110 §13.2.2).

        A page is the client's only by its entity tag: no date tells which tags it has.
        """
        fields = {name.lower(): value for name, value in headers}
        if self.tags is not None:
            etag = _ENTITY_TAG.fullmatch(fields.get(b"etag", b"").strip())
            return (etag is not None and etag[1] in self.tags) or (b"*" in self.tags and not is_page)
        modified = fields.get(b"last-modified")
        if self.since is None or modified is None or is_page:
            return False
        return self.since == modified or _is_no_later(modified, self.since)


class TagInsertion:
    """``tags`` for the pages of one policy: the request as the application should see it, and its answer."""

    def __init__(self, tags: bytes) -> None:
        self._tags = tags
        # A page with other tags is another representation, and has another entity tag (RFC 9110 §8.8.3).
        self._suffix = b"-ai" + blake2b(tags, digest_size=4).hexdigest().encode()

    def scope(self, scope: Scope, *, validated: bool) -> Scope:
        """Return the request as the application should see it: to be answered with a body, not with a file.

        Args:
            validated: Whether the application may say that the client has its page, with these tags.
        """
        is_read = scope["method"] in _READING
        headers = []
        for name, value in scope["headers"]:
            if name == b"if-match":
                value = value.replace(self._suffix + b'"', b'"')
            elif is_read and name in _CONDITIONAL:
                known = [
                    tag[0] for tag in _ENTITY_TAG.finditer(value) if tag[1].endswith(self._suffix + b'"')
                ]
                if not (validated and name == b"if-none-match" and known):
                    continue
                value = b", ".join(known).replace(self._suffix + b'"', b'"')
            headers.append((name, value))
        extensions = {k: v for k, v in (scope.get("extensions") or {}).items() if k not in _FILE_SENDING}
        return {**scope, "headers": headers, "extensions": extensions}

    def is_for(self, status: int, headers: Iterable[Header]) -> bool:
        """Whether a response is a page that may be changed."""
        fields = {name.lower(): value.lower() for name, value in headers}
        media_type = fields.get(b"content-type", b"")
        return (
            status not in (204, 206, 304)
            and media_type.partition(b";")[0].strip(b" \t") == b"text/html"
            and b"utf-16" not in media_type
            and b"utf-32" not in media_type
            and b"no-transform" not in fields.get(b"cache-control", b"")
            and not _UNTOUCHABLE & fields.keys()
        )

    def is_for_part(self, status: int, headers: list[Header]) -> bool:
        """Return True if a response is a part of such a page, or of something in several parts."""
        without_range = [(name, value) for name, value in headers if name.lower() != b"content-range"]
        types = (value.lower() for name, value in headers if name.lower() == b"content-type")
        several = any(value.startswith(b"multipart/byteranges") for value in types)
        return status == 206 and (several or self.is_for(200, without_range))

    def into(self, page: bytes) -> bytes:
        """``page`` with the tags at the beginning of its head; as it is where it is only a part of a page."""
        found = _PROLOGUE.match(page, 0, _MOST_HELD)  # a page may have megabytes in place of a head
        if found is None or not (found["document"] or found["head"]):
            return page
        return page[: found.end()] + self._tags + page[found.end() :]

    def headers(self, headers: Iterable[Header], *, length: int | None) -> list[Header]:
        """The headers of a changed page; ``length``: of its body, where that is known."""
        # A date would vouch for a page with the tags of an earlier policy, and ranges would be of the page
        # without tags.
        left_out = (b"content-length", b"accept-ranges", b"last-modified")
        kept = [(name, value) for name, value in self.retagged(headers) if name.lower() not in left_out]
        kept.append((b"accept-ranges", b"none"))
        return kept if length is None else [*kept, (b"content-length", str(length).encode())]

    def retagged(self, headers: Iterable[Header]) -> list[Header]:
        """``headers`` with the entity tag of a page that has the tags."""
        return [
            (name, self._retagged(value) if name.lower() == b"etag" else value) for name, value in headers
        ]

    def has_page(self, conditions: Conditions) -> bool:
        """Whether the client has a page with these tags."""
        return any(tag.endswith(self._suffix + b'"') for tag in conditions.tags or ())

    def _retagged(self, etag: bytes) -> bytes:
        etag = etag.strip()
        return etag[:-1] + self._suffix + b'"' if etag.endswith(b'"') else etag


class _Response:
    """One answer: its start is held back until it is known what comes first.

    ``is_part``: it was part of a page; nothing of it was sent, and the page is to be asked for again, whole.
    """

    def __init__(
        self,
        send: Send,
        scope: Scope,
        conditions: Conditions,
        tags: Callable[[], bytes],
        *,
        may_ask_again: bool = False,
    ) -> None:
        self._send, self._conditions, self._tags = send, conditions, tags
        self._is_head = scope["method"] == "HEAD"
        self._may_ask_again = may_ask_again
        self._insertion = TagInsertion(b"")
        self._start: Message | None = None
        self._held = bytearray()
        self._dropped: int | None = None  # bytes, of a body that is not sent
        self._is_over = False
        self.is_part = False

    async def of(self, app: ASGIApp, scope: Scope, receive: Receive) -> None:
        """Have ``app`` answer. Raises what it raises."""
        try:
            await app(scope, receive, self.send)
        except Exception:
            if self._dropped is None or self._dropped <= _MOST_DROPPED:
                raise  # else it was told that nobody reads on

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
            logger.exception("a page could not be given its tags: it is sent without them")
            return self._send(message)

    def _begun(self, message: Message, headers: list[Header]) -> Awaitable[None]:
        tags, status = self._tags(), message["status"]
        insertion = self._insertion = TagInsertion(tags)
        if status == 304:
            known = tags and insertion.has_page(self._conditions)
            return self._send({**message, "headers": insertion.retagged(headers)} if known else message)
        if tags and self._may_ask_again and insertion.is_for_part(status, headers):
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
        kept = [(name, value) for name, value in headers if name.lower() not in _OF_BODY]
        await self._send({"type": "http.response.start", "status": 304, "headers": kept})

    async def _drop(self, message: Message) -> None:
        """Take what nobody needs; of a long body, say that nobody reads on, as servers do."""
        if message["type"] != "http.response.body" and message["type"] not in _FILE_SENDING:
            return
        self._dropped = (self._dropped or 0) + len(message.get("body", b""))
        is_long = self._dropped > _MOST_DROPPED
        if not self._is_over and (is_long or not message.get("more_body", False)):
            self._is_over = True
            # Not before: once a response is over, servers tell the application that the client has gone.
            if not self.is_part:
                await self._send({"type": "http.response.body", "body": b""})
        if is_long:
            raise ConnectionAbortedError("nobody needs the rest of this body")

    async def _file_follows(self, start: Message, message: Message) -> None:
        """Send the page of an application that sends files unasked, without tags."""
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
        if more and len(self._held) < _MOST_HELD and _may_go_on(self._held):
            return
        held = bytes(self._held)
        body, headers = held, start["headers"]
        self._start = None
        self._held.clear()
        try:
            tagged = self._insertion.into(held)
            length = _length(headers)
            headers = self._insertion.headers(
                headers, length=None if length is None else length + len(tagged) - len(held)
            )
            body = tagged
        except Exception:
            logger.exception("a page could not be given its tags: it is sent without them")
        await self._send({**start, "headers": headers})
        await self._send({**message, "body": body})


class _Replay:
    """The body of a request, to be read twice. Of more than 64 KiB the beginning."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []
        self._size = 0

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._size += len(message.get("body", b""))
            if self._size <= _MOST_REPLAYED:
                self._messages.append(message)
        return message

    def again(self) -> Receive:
        """Return a ``receive`` that begins anew."""
        messages = list(self._messages)
        if self._size > _MOST_REPLAYED:
            messages.append({"type": "http.request", "body": b"", "more_body": False})
        messages.reverse()

        async def receive() -> Message:
            return messages.pop() if messages else await self._receive()

        return receive


def _may_go_on(held: bytearray) -> bool:
    """Whether what was held is only the beginning of what may stand before a head, and the head's tag."""
    found = _PROLOGUE.match(held)
    if found is None or found["head"]:
        return False
    rest = bytes(held[found.end() :][:16]).lower()
    return any(
        opening.startswith(rest) or (rest.startswith(opening) and _is_whole(opening, rest))
        for opening in _OPENINGS
    )


def _is_whole(opening: bytes, rest: bytes) -> bool:
    """Whether it is that tag, and not one whose name is longer, like <header>."""
    behind = rest[len(opening) : len(opening) + 1]
    return opening in (b"<!--", b"<?") or not behind.isalpha()


def _length(headers: Iterable[Header]) -> int | None:
    """Return the length that a response tells of its body, if it tells one."""
    lengths = {bytes(value).strip() for name, value in headers if name.lower() == b"content-length"}
    length = lengths.pop() if len(lengths) == 1 else b""
    return int(length) if length.isdigit() and len(length) < 20 else None


def _is_no_later(date: bytes, than: bytes) -> bool:
    try:
        return parsedate_to_datetime(date.decode()) <= parsedate_to_datetime(than.decode())
    except (TypeError, ValueError):  # no dates, or one of them without a zone
        return False


async def _nothing() -> None:
    pass
