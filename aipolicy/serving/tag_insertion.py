"""The insertion of the signals into HTML pages as meta tags, for sites whose CDN strips headers.

Responses that a change would harm are left alone: compressed and signed bodies, downloads, and those with
``no-transform``.

A page with other tags is another representation, with another entity tag (RFC 9110 §8.8.3). The application
doesn't know about the tags, so it can't tell if a client has the current page. Of a request's conditions it
gets only entity tags of pages with today's tags; the others are evaluated on its response.
"""

import re
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from typing import NamedTuple, Self

from aipolicy.signals.header_field import Header

MAX_PROLOGUE = 16 * 1024  # bytes before the head; a page with more gets no tags

READING = frozenset({"GET", "HEAD"})

# The parts of a page that may precede its head, and the head's own tag. Possessive: it never backtracks.
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


class Conditions(NamedTuple):
    """The conditions of a GET or HEAD request: entity tags, or a date; of other requests neither."""

    tags: tuple[bytes, ...] | None = None
    since: bytes | None = None

    @classmethod
    def of(cls, method: str, headers: Iterable[Header]) -> Self:
        """Return the conditions of a request."""
        if method not in READING:
            return cls()
        headers = list(headers)
        lines = [value for name, value in headers if name == b"if-none-match"]
        since = [value for name, value in headers if name == b"if-modified-since"]
        tags = tuple(_ENTITY_TAG.findall(b",".join(lines))) if lines else None
        return cls(tags, since[0] if len(since) == 1 else None)

    def hold(self, headers: Iterable[Header], *, is_page: bool) -> bool:
        """Return True if the client has the response with these headers already (RFC 9110 §13.2.2).

        For a page only its entity tag counts: a date doesn't show which tags it has.
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
    """The insertion of ``tags`` into the pages of one policy, with the headers that go with it."""

    def __init__(self, tags: bytes) -> None:
        self._tags = tags
        self._suffix = b"-ai" + blake2b(tags, digest_size=4).hexdigest().encode()

    def request_headers(self, method: str, headers: Iterable[Header], *, validated: bool) -> list[Header]:
        """Return a request's headers as the application should see them.

        Args:
            method: The request's method.
            headers: Its headers, names in lower case.
            validated: Let the application answer that the client has its page, with these tags.
        """
        kept = []
        for name, value in headers:
            if name == b"if-match":
                value = value.replace(self._suffix + b'"', b'"')
            elif method in READING and name in _CONDITIONAL:
                known = [
                    tag[0] for tag in _ENTITY_TAG.finditer(value) if tag[1].endswith(self._suffix + b'"')
                ]
                if not (validated and name == b"if-none-match" and known):
                    continue
                value = b", ".join(known).replace(self._suffix + b'"', b'"')
            kept.append((name, value))
        return kept

    def is_for(self, status: int, headers: Iterable[Header]) -> bool:
        """Return True if a response is a page that may be changed."""
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
        is_multipart = any(value.startswith(b"multipart/byteranges") for value in types)
        return status == 206 and (is_multipart or self.is_for(200, without_range))

    def into(self, page: bytes) -> bytes:
        """Return ``page`` with the tags at the start of its head; unchanged if it isn't a complete page."""
        found = _PROLOGUE.match(page, 0, MAX_PROLOGUE)  # a page may have megabytes in place of a head
        if found is None or not (found["document"] or found["head"]):
            return page
        return page[: found.end()] + self._tags + page[found.end() :]

    def headers(self, headers: Iterable[Header], *, length: int | None) -> list[Header]:
        """Return the headers of a page with tags; ``length`` is that of its body, if known."""
        # A date would vouch for a page with the tags of an earlier policy, and ranges would be those of the
        # page without tags.
        dropped = (b"content-length", b"accept-ranges", b"last-modified")
        kept = [(name, value) for name, value in self.retagged(headers) if name.lower() not in dropped]
        kept.append((b"accept-ranges", b"none"))
        return kept if length is None else [*kept, (b"content-length", str(length).encode())]

    def retagged(self, headers: Iterable[Header]) -> list[Header]:
        """Return ``headers`` with the entity tag of the page with tags."""
        return [
            (name, self._retagged(value) if name.lower() == b"etag" else value) for name, value in headers
        ]

    def has_page(self, conditions: Conditions) -> bool:
        """Return True if the client has a page with these tags."""
        return any(tag.endswith(self._suffix + b'"') for tag in conditions.tags or ())

    def _retagged(self, etag: bytes) -> bytes:
        etag = etag.strip()
        return etag[:-1] + self._suffix + b'"' if etag.endswith(b'"') else etag


def may_continue(start: bytearray) -> bool:
    """Return True if the start of a page ends before its head does."""
    found = _PROLOGUE.match(start)
    if found is None or found["head"]:
        return False
    rest = bytes(start[found.end() :][:16]).lower()
    return any(
        opening.startswith(rest) or (rest.startswith(opening) and _is_complete(opening, rest))
        for opening in _OPENINGS
    )


def content_length(headers: Iterable[Header]) -> int | None:
    """Return the length of a response's body by its ``Content-Length``, if that is valid."""
    lengths = {bytes(value).strip() for name, value in headers if name.lower() == b"content-length"}
    length = lengths.pop() if len(lengths) == 1 else b""
    return int(length) if length.isdigit() and len(length) < 20 else None


def _is_complete(opening: bytes, rest: bytes) -> bool:
    """Return True if ``rest`` begins with that tag, not with one of a longer name such as <header>."""
    after = rest[len(opening) : len(opening) + 1]
    return opening in (b"<!--", b"<?") or not after.isalpha()


def _is_no_later(date: bytes, than: bytes) -> bool:
    try:
        return parsedate_to_datetime(date.decode()) <= parsedate_to_datetime(than.decode())
    except (TypeError, ValueError):  # an invalid date, or one without a time zone
        return False
