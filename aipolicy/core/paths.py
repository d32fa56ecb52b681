"""URL paths and path patterns in the one spelling that every parser compares alike (RFC 9309 §2.2.2)."""

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from aipolicy.errors import PolicyError

WHITE_SPACE = " \t"
"""White space in robots.txt (RFC 9309 §2.2) and around HTTP field values (RFC 9110 §5.6.3).

A bare ``str.strip()`` also takes U+00A0, U+0085 and others, which are part of a value.
"""

MAX_READINGS = 64
MAX_AMBIGUOUS = 1024  # characters of a path that isn't plain

# Not after a lone "%", where decoding could create a new escape ("%%341" would become "%41").
_ESCAPE = re.compile(rb"(?<!%)(?<!%[0-9A-Fa-f])%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# The characters that a path may contain unescaped: RFC 3986 pchar, "/", "?", the wildcards, and a lone "%".
_PLAIN = _UNRESERVED | frozenset(b"/?:@!$&'()*+,;=%[]")
_NOT_PLAIN = re.compile(b"[^%s]" % re.escape(bytes(_PLAIN)))
_NORMAL = re.compile(f"[{re.escape(bytes(_PLAIN - {ord('%')}).decode())}]*")

# Sources of a second reading: empty and dot segments, escapes of ASCII, backslashes, parameters, "?".
_AMBIGUOUS = re.compile(r"//|/\.\.?(?:/|\Z)|%(?![89A-Fa-f][0-9A-Fa-f])|[\\;?]")
_SLASHES = re.compile("//+")
_PARAMETERS = re.compile(";[^/]*")
_DOT = re.compile("%2e", re.IGNORECASE)
# Escapes of the characters that have a meaning in a path: / \ % ; ?
_MEANINGFUL = re.compile("%(?:2F|5C|25|3B|3F)", re.IGNORECASE)
# RFC 9112 §3.2.2; without a host it is not a valid target, but parsers may read it as a URL (RFC 3986 §4.3).
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[/\\]{2}[^/\\?#]*)?")


def normalise(path: str | bytes) -> str:
    """Return ``path`` in its canonical encoding: ASCII, upper-case hex, unreserved characters plain.

    RFC 9309 §2.2.2: bytes outside ASCII are percent-encoded before comparison, and a percent-encoded
    unreserved character is compared as that character. ``%2F``, ``%2A`` and ``%24`` keep their meaning.
    """
    if isinstance(path, str) and _NORMAL.fullmatch(path):  # the usual case
        return path
    raw = _ESCAPE.sub(_canonical_escape, to_bytes(path) if isinstance(path, str) else path)
    if not _NOT_PLAIN.search(raw):
        return raw.decode("ascii")
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in raw)


def without_dot_segments(path: str) -> str:
    """Return ``path``, which begins with a slash, without ``.`` and ``..`` segments (RFC 3986 §5.2.4)."""
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


class PathReadings(NamedTuple):
    """Every path that one request's path can be read as, in ASCII; no two are equal.

    Attributes:
        certain: The path as it was sent, and the paths that a server or an application can read it as.
        others: The same paths with reserved characters spelled another way (``(`` for ``%28``), and these
            paths below the application's mount path. Path patterns are seldom written for them; they count
            where a pattern matches one.
    """

    certain: tuple[str, ...]
    others: tuple[str, ...]


def is_plain(path: str) -> bool:
    """Return True if ``path`` can be read in one way only."""
    return path[:1] == "/" and not _AMBIGUOUS.search(path)


def read_path(sent: str, received: str | None = None, root: str = "") -> PathReadings | None:
    """Return every reading of a request's path, or None if there is no path or there are too many readings.

    Escapes are decoded not at all, once and twice; empty and dot segments are removed or kept; a backslash
    separates segments or not; parameters (``;v=1``) are part of a segment or not: all of it in any order. An
    absolute-form target is read below its host. Case and a trailing dot are significant, as in every URL.

    Args:
        sent: The path of the request line, without its query.
        received: The path that the application receives, if that isn't ``sent`` decoded once.
        root: The path at which the application is mounted; the path may begin with it or not.
    """
    once = decoded(sent)
    received = once if received is None else received
    root = f"/{root.strip('/')}".rstrip("/")
    if not root and is_plain(sent) and once == received:
        return PathReadings((sent if sent.isascii() else normalise(sent),), ())
    if "*" in (sent, received) or max(len(sent), len(received)) > MAX_AMBIGUOUS:
        return None
    certain = [(_rooted(sent), 0)]
    others: list[tuple[str, int]] = []
    if not sent.startswith("/"):
        certain += [(_rooted(once), 1), (_rooted(decoded(once)), 2)]
    path = _rooted(received)
    if path != _rooted(once):
        in_other_place = root and _rooted(once) in (_without(root, path), root + path)
        (others if in_other_place else certain).append((path, 1))
    if root:
        others += [(root + (_without(root, path) or path), 1)]
    return _all_readings(certain, others, root)


def _all_readings(
    certain: list[tuple[str, int]], others: list[tuple[str, int]], root: str
) -> PathReadings | None:
    """Return every reading of the paths, each given with the number of times that it was decoded."""
    waiting = [*((*path, False) for path in others), *((*path, True) for path in reversed(certain))]
    visited: dict[tuple[str, int], bool] = {}
    found: dict[str, bool] = {}
    while waiting:
        path, times, is_certain = waiting.pop()
        if (path, times) in visited and visited[path, times] >= is_certain:
            continue
        visited[path, times] = is_certain
        for spelled in _spellings(path, times):
            found[spelled] = found.get(spelled, False) or is_certain
        if len(found) > MAX_READINGS or len(visited) > 4 * MAX_READINGS:
            return None
        if times < 2 and "%" in path:
            # One decoding changes the path only where it decodes a character with a meaning.
            is_other = times == 0 and not _MEANINGFUL.search(path)
            waiting.append((decoded(path), times + 1, is_certain and not is_other))
            waiting.append((_DOT.sub(".", path), times, is_certain))
        below = _without(root, path) if root else None
        if below is not None:
            waiting.append((below, times, False))
        steps = (
            path.replace("\\", "/"),
            _PARAMETERS.sub("", path),
            _SLASHES.sub("/", path),
            without_dot_segments(path) if "/." in path else path,
        )
        waiting += [(changed, times, is_certain) for changed in steps if changed != path]
    return PathReadings(
        tuple(path for path, is_certain in found.items() if is_certain),
        tuple(path for path, is_certain in found.items() if not is_certain),
    )


def _spellings(path: str, times: int) -> tuple[str, ...]:
    """Return the path as in a request target, for a path that was decoded ``times`` times."""
    if times == 0:
        return (normalise(path),)
    spelled = escaped(path)
    # A "?" that was escaped may be read as the beginning of the query.
    return (spelled, spelled.replace("%3F", "?")) if "?" in path else (spelled,)


def escaped(path: str) -> str:
    """Return a decoded path as in a request target: normalised, with ``%`` and ``?`` escaped."""
    return normalise(to_bytes(path).replace(b"%", b"%25")).replace("?", "%3F")


def decoded(path: str) -> str:
    """Return a path of a request target as an application receives it, with surrogate escapes."""
    return unquote_to_bytes(to_bytes(path)).decode("utf-8", "surrogateescape")


def _rooted(path: str) -> str:
    """Return the path with a slash at its beginning, without the host of an absolute-form target."""
    absolute = _ABSOLUTE.match(path)
    if absolute:
        path = path[absolute.end() :]
    return path if path.startswith("/") else "/" + path


def _without(root: str, path: str) -> str | None:
    """Return ``path`` below ``root``, or None if it isn't below it."""
    rest = path[len(root) :]
    # Some servers put the root even before an absolute-form target.
    is_below = path.startswith(root) and (rest[:1] in ("", "/", "\\") or _ABSOLUTE.match(rest))
    return _rooted(rest) if is_below else None


def to_bytes(text: str) -> bytes:
    """Return the bytes that ``text`` was decoded from: UTF-8 with surrogate escapes. Never raises."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate that isn't an escaped byte
        return text.encode("utf-8", "replace")


def _canonical_escape(escape: re.Match[bytes]) -> bytes:
    byte = int(escape[1], 16)
    return bytes([byte]) if byte in _UNRESERVED else b"%" + escape[1].upper()


def path_pattern(pattern: str) -> str:
    """Return a validated and normalised path pattern of a site policy.

    Raises:
        PolicyError: The pattern is invalid.
    """
    if not isinstance(pattern, str) or not pattern.startswith("/"):
        raise PolicyError(f"path pattern {pattern!r} must start with '/'; write {'/' + str(pattern)!r}")
    return normalise(pattern)
