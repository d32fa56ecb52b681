"""What a request asks for, as the client sent it, and as an application may read it."""

import re
from urllib.parse import quote

from starlette.types import Scope

from aipolicy.core.paths import octets, without_dot_segments

# A segment that is ".", ".." or empty; a backslash parts segments, too, where the server's system says so.
_WINDING = re.compile(r"[/\\](?=\.{1,2}(?:[/\\]|$)|[/\\])|\\")
_SLASHES = re.compile(r"[/\\]+")
_PLAIN = "/:@!$&'()*+,;=~"


def target_of(scope: Scope) -> bytes:
    """Path and query, with their escapes: what path patterns are matched against, and signatures cover."""
    path: bytes = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
    query: bytes = scope.get("query_string", b"")
    return path + b"?" + query if query else path


def below_the_host(path: str) -> str:
    """The path, also of an absolute-form target (RFC 9112 §3.2.2)."""
    return path if path.startswith("/") else "/" + path.partition("://")[2].partition("/")[2]


def targets_of(scope: Scope) -> tuple[str, ...]:
    """The target as it was sent; and, where the path winds, what applications may make of it, too.

    ``/press/../post`` is ``/post`` for a URL (RFC 3986 §5.2.4), and for Starlette's StaticFiles;
    ``/press//../post`` is ``/press/post`` for the one and ``/post`` for the other, as for file systems. No
    client that reads URLs as it should sends dots, for it carries them out itself (RFC 3986 §5.2).
    """
    sent = target_of(scope).decode("utf-8", "surrogateescape")
    query: bytes = scope.get("query_string", b"")
    behind = f"?{query.decode('utf-8', 'surrogateescape')}" if query else ""
    others = readings_of(below_the_host(scope["path"]))[1:]
    return (sent, *(quote(octets(each), _PLAIN) + behind for each in others))


def readings_of(path: str) -> tuple[str, ...]:
    """The path as it is; and, where it winds, what applications may make of it, too."""
    if not _WINDING.search(path):
        return (path,)
    return (path, without_dot_segments(path), without_dot_segments(_SLASHES.sub("/", path)))
