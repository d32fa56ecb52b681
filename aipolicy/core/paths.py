"""URL paths and path patterns in the one spelling that every parser compares alike (RFC 9309 §2.2.2)."""

import re

from aipolicy.errors import PolicyError

# Not behind a lone "%": what is decoded there could make a new escape ("%%341" would be "%41").
_ESCAPE = re.compile(rb"(?<!%)(?<!%[0-9A-Fa-f])%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# Everything that may stand in a path as it is: RFC 3986 pchar, "/", "?", the pattern signs, and a lone "%".
_PLAIN = _UNRESERVED | frozenset(b"/?:@!$&'()*+,;=%[]")
_NOT_PLAIN = re.compile(b"[^%s]" % re.escape(bytes(_PLAIN)))
_NORMAL = re.compile(f"[{re.escape(bytes(_PLAIN - {ord('%')}).decode())}]*")


def normalise(path: str | bytes) -> str:
    """Return ``path`` percent-encoded the one way: ASCII, upper-case hex, unreserved characters plain.

    RFC 9309 §2.2.2: octets outside ASCII are percent-encoded before comparison, and a percent-encoded
    unreserved character is compared as that character. ``%2F``, ``%2A`` and ``%24`` keep their meaning.
    """
    if isinstance(path, str) and _NORMAL.fullmatch(path):  # as almost all are
        return path
    raw = _ESCAPE.sub(_canonical_escape, octets(path) if isinstance(path, str) else path)
    if not _NOT_PLAIN.search(raw):
        return raw.decode("ascii")
    return "".join(chr(octet) if octet in _PLAIN else f"%{octet:02X}" for octet in raw)


def without_dot_segments(path: str) -> str:
    """``path``, which begins with a slash, with what ``.`` and ``..`` mean carried out (RFC 3986 §5.2.4)."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1:] in (["."], [".."]):
        kept.append("")
    return "/" + "/".join(kept)


def octets(text: str) -> bytes:
    """``text`` as the octets it came from: UTF-8, and surrogate escapes for what was not. Never raises."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate that stands for no octet
        return text.encode("utf-8", "replace")


def _canonical_escape(escape: re.Match[bytes]) -> bytes:
    octet = int(escape[1], 16)
    return bytes([octet]) if octet in _UNRESERVED else b"%" + escape[1].upper()


def path_pattern(pattern: str) -> str:
    """Validate and normalise a path pattern of a site policy. Raises PolicyError."""
    if not isinstance(pattern, str) or not pattern.startswith("/"):
        raise PolicyError(f"path pattern {pattern!r} must start with '/': write {'/' + str(pattern)!r}")
    return normalise(pattern)
