"""What a request asks for, as the client sent it."""

from starlette.types import Scope


def target_of(scope: Scope) -> bytes:
    """Path and query, with their escapes: what path patterns are matched against, and signatures cover."""
    path: bytes = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
    query: bytes = scope.get("query_string", b"")
    return path + b"?" + query if query else path
