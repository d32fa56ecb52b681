"""The signals as meta tags in HTML pages, for sites whose CDN strips headers.

A page is changed as it streams: only what stands before its head is held back. Whatever would be harmed by a
change is left alone: compressed, partial and signed bodies, downloads, and what says ``no-transform``.
"""

import mimetypes
import re
from collections.abc import Awaitable, Callable, Iterable
from hashlib import blake2b

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aipolicy.core.headers import Header

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
_VALIDATED = frozenset({b"if-none-match", b"if-match"})
_CONDITIONAL = frozenset({b"if-none-match", b"if-modified-since"})
_FILE_SENDING = frozenset({"http.response.pathsend", "http.response.zerocopysend"})


async def with_tags(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, *, expected: bytes, tags: Callable[[], bytes]
) -> None:
    """Have ``app`` answer, and insert the tags where the answer is a page.

    ``expected``: the tags that the site's pages have; ``tags``: those of this answer, asked as it starts.
    """
    asked, respond = dict(scope), send
    outdated: list[Message] = []  # "not modified", of a page that the client has without these tags

    def send_page(message: Message) -> Awaitable[None]:
        nonlocal respond
        if message["type"] == "http.response.start" and (now := tags()):
            insertion = TagInsertion(now)
            if message["status"] == 304 and _may_be_page(asked) and not insertion.has_page(asked):
                outdated.append(message)
            respond = insertion.sending(asked, send)
        return _nothing() if outdated else respond(message)

    def send_anew(message: Message) -> Awaitable[None]:
        nonlocal respond
        if message["type"] == "http.response.start":
            insertion = TagInsertion(tags())
            if not insertion.is_for(message["status"], message.get("headers", ())):
                return send(outdated[0])
            respond = insertion.sending(asked, send)
            outdated.clear()
        if not outdated:
            return respond(message)
        last = message["type"] == "http.response.body" and not message.get("more_body", False)
        return send({"type": "http.response.body", "body": b""}) if last else _nothing()

    await app(TagInsertion(expected).scope(scope), receive, send_page)
    if outdated:
        anew = TagInsertion(expected).scope(asked)
        anew["headers"] = [header for header in asked["headers"] if header[0] not in _CONDITIONAL]
        await app(anew, receive, send_anew)


class TagInsertion:
    """``tags`` for the pages of one policy: the request as the application should see it, and its answer."""

    def __init__(self, tags: bytes) -> None:
        self._tags = tags
        # A page with other tags is another representation, and has another entity tag (RFC 9110 §8.8.3).
        self._suffix = b"-ai" + blake2b(tags, digest_size=4).hexdigest().encode()

    def scope(self, scope: Scope) -> Scope:
        """The request with entity tags that the application knows, to be answered with a body, not a file."""
        headers = [
            (name, value.replace(self._suffix + b'"', b'"') if name in _VALIDATED else value)
            for name, value in scope["headers"]
        ]
        extensions = {k: v for k, v in scope.get("extensions", {}).items() if k not in _FILE_SENDING}
        return {**scope, "headers": headers, "extensions": extensions}

    def sending(self, scope: Scope, send: Send) -> Send:
        """``send`` for the answer to ``scope``, the request as it came."""
        response = _Response(self, send, scope)
        return response.send

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

    def into(self, page: bytes) -> bytes:
        """``page`` with the tags at the beginning of its head; as it is where it is only a part of a page."""
        found = _PROLOGUE.match(page)
        if found is None or not (found["document"] or found["head"]):
            return page
        return page[: found.end()] + self._tags + page[found.end() :]

    def headers(self, headers: Iterable[Header], *, length: int | None) -> list[Header]:
        """The headers of a changed page; ``length``: of its body, where that is known."""
        kept = [
            (name, value)
            for name, value in self.retagged(headers)
            if name.lower() not in (b"content-length", b"accept-ranges")
        ]
        if not any(name.lower() == b"etag" for name, _ in kept):
            # It would vouch for a page with the tags of an earlier policy.
            kept = [(name, value) for name, value in kept if name.lower() != b"last-modified"]
        # Ranges would be of the page without the tags.
        kept.append((b"accept-ranges", b"none"))
        return kept if length is None else [*kept, (b"content-length", str(length).encode())]

    def retagged(self, headers: Iterable[Header]) -> list[Header]:
        """``headers`` with the entity tag of a page that has the tags."""
        return [
            (name, self._retagged(value) if name.lower() == b"etag" else value) for name, value in headers
        ]

    def has_page(self, scope: Scope) -> bool:
        """Whether the client has a page with these tags."""
        return any(n in _VALIDATED and self._suffix + b'"' in value for n, value in scope["headers"])

    def _retagged(self, etag: bytes) -> bytes:
        return etag[:-1] + self._suffix + b'"' if etag.endswith(b'"') else etag


class _Response:
    """One answer: its start is held back until it is known what comes first."""

    def __init__(self, insertion: TagInsertion, send: Send, scope: Scope) -> None:
        self._insertion, self._send = insertion, send
        self._is_head = scope["method"] == "HEAD"
        self._has_page = insertion.has_page(scope)
        self._start: Message | None = None
        self._held = bytearray()

    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            return self._started(message)
        if self._start is not None and message["type"] == "http.response.body":
            return self._hold(self._start, message)
        return self._send(message)

    def _started(self, message: Message) -> Awaitable[None]:
        headers = list(message.get("headers", ()))
        if message["status"] == 304 and self._has_page:
            return self._send({**message, "headers": self._insertion.retagged(headers)})
        if not self._insertion.is_for(message["status"], headers):
            return self._send(message)
        if self._is_head:
            return self._send({**message, "headers": self._insertion.headers(headers, length=None)})
        self._start = message
        return _nothing()

    async def _hold(self, start: Message, message: Message) -> None:
        self._held += message.get("body", b"")
        more = message.get("more_body", False)
        if more and len(self._held) < _MOST_HELD and _may_go_on(self._held):
            return
        held = bytes(self._held)
        body = self._insertion.into(held)
        lengths = [v for name, v in start.get("headers", ()) if name.lower() == b"content-length"]
        length = int(lengths[0]) + len(body) - len(held) if lengths and lengths[0].isdigit() else None
        self._start = None
        self._held.clear()
        headers = self._insertion.headers(start.get("headers", ()), length=length)
        await self._send({**start, "headers": headers})
        await self._send({**message, "body": body})


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


def _may_be_page(scope: Scope) -> bool:
    """Whether what its name says is a page, or nothing."""
    return mimetypes.guess_type(scope["path"])[0] in (None, "text/html")


async def _nothing() -> None:
    pass
