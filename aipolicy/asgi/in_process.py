"""An in-process HTTP client for the wrapped application's robots.txt.

All clients of a host share the response, so no client may influence it. Every request has the same form: the
site's canonical host and scheme, no query, no cookie, one fixed address. Of the scope only the application's
own objects and its lifespan state are passed on.
"""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urljoin, urlsplit

import anyio
from anyio.lowlevel import checkpoint
from starlette.types import ASGIApp, Message, Scope

from aipolicy.asgi.background import Calls
from aipolicy.core.hosts import canonical_host
from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.lookup.base import error_text
from aipolicy.signals.header_field import Header
from aipolicy.version import __version__

USER_AGENT = f"aipolicy/{__version__} (reads the robots.txt that it merges)".encode()
ROBOTS = "/robots.txt"

# Access logs and rate limiters read the client's address without a check, and an error there would lose
# the site's own rules. This address is reserved for documentation (RFC 6676). No client has it, and no
# application trusts it, as it might trust a loopback or private address: a site could redirect to a page that
# only those may read.
CLIENT = ("233.252.0.1", 0)

_END_TIMEOUT = 0.1  # seconds
_MAX_REDIRECTS = 5  # at least five (RFC 9309 §2.3.1.2)
_PORTS = {"http": 80, "https": 443}
# The application's own objects, the same for every request. Frameworks need them if the middleware is
# registered inside of them.
_OBJECTS = ("app", "router", "litestar_app", "route_handler", "path_template")
_PAGES = frozenset({"text/html", "application/xhtml+xml", "application/json"})
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|body|\?xml|!--)", re.IGNORECASE)

# Every header of a response is kept, as in a shared HTTP cache (RFC 9111 §3.1), except those that belong to
# one connection, to the bytes before the merge, to the time of the response, to caches that would hide a new
# opt-out, or to one client.
_DROPPED = re.compile(
    r"""(?:proxy-.*|connection|keep-alive|te|trailer|transfer-encoding|upgrade
    |content-(?:type|length|encoding|range|location|disposition|md5|digest)|.*digest|etag|last-modified|accept-ranges
    |signature.*|age|cache-control|date|expires|pragma|server|server-timing|vary|warning|.*cdn-cache-control
    |surrogate-control|edge-control|x-accel-.*|x-sendfile|x-lighttpd-.*|x-cache.*|x-varnish
    |location|refresh|allow|retry-after|.*ratelimit.*|.*rate-limit.*|clear-site-data|www-authenticate
    |.*(?:cookie|csrf|xsrf|auth|session|token).*|.*(?:request|correlation|trace|transaction|span)-?id|trace(?:parent|state)
    |x-runtime|x-response-time|x-process-time)""",
    re.VERBOSE,
)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_MAX_HEADERS, _MAX_HEADER_BYTES = 32, 8192


class RobotsLocation(NamedTuple):
    """The location of a robots.txt: canonical host (empty for a malformed one), mount path and path."""

    host: str
    root_path: str = ""
    path: str = ROBOTS


class UpstreamFile(NamedTuple):
    """The application's own robots.txt: its bytes, and the headers that are sent with the merged file."""

    body: bytes
    headers: tuple[Header, ...] = ()
    cache_control: bytes = b""


class UnreadableError(Exception):
    """The application's robots.txt can't be read now, although there may be one.

    Attributes:
        status: The status of the application's response if it is the reason, otherwise 0.
    """

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


class InProcessApplication:
    """The wrapped application as the source of robots.txt.

    Args:
        app: The ASGI application.
        scheme: The scheme of the sites' URLs.
        host_header: Header that names the site, besides ``Host``.
        same_site: Returns True if the second host is another name of the first host's site.
    """

    is_application = True

    def __init__(
        self,
        app: ASGIApp,
        scheme: str,
        host_header: bytes,
        same_site: Callable[[str, str], Awaitable[bool]],
    ) -> None:
        self._app, self._scheme, self._host_header = app, scheme, host_header
        self._same_site = same_site
        self._state: MutableMapping[str, Any] = {}

    def start(self, scope: Scope) -> None:
        """Keep the state that the application fills in while it starts (ASGI lifespan)."""
        self._state = scope.get("state", {})

    def location(self, scope: Scope, host: str) -> RobotsLocation:
        """Return the location of a robots.txt. Not every server includes the mount path in ``path``."""
        root: str = scope.get("root_path", "").rstrip("/")
        if not root:
            return RobotsLocation(host)
        return RobotsLocation(host, root, root + ROBOTS if scope["path"].startswith(root + "/") else ROBOTS)

    async def read(self, location: RobotsLocation, scope: Scope, calls: Calls) -> UpstreamFile | None:
        """Return the robots.txt, or None if the application has none.

        Args:
            location: The location of the robots.txt.
            scope: A request's scope, for the application's own objects only.
            calls: Runs the application, which may continue after its response.

        Raises:
            UnreadableError: The response is neither a robots.txt nor "not found".
        """
        scheme, host, path, query = self._scheme, location.host, location.path, b""
        for _ in range(_MAX_REDIRECTS + 1):
            exchange = _Exchange()
            calls.start(exchange.run, self._app, self._request(scope, scheme, host, location, path, query))
            await exchange.finished.wait()
            # Most applications end now, and close their files. Others have more work to do.
            with anyio.move_on_after(_END_TIMEOUT):
                await exchange.ended.wait()
            status, headers, body = exchange.answer()
            if status in (301, 302, 303, 307, 308):
                scheme, host, path, query = await self._target(
                    scheme, host, path, _values(headers, "location")
                )
            elif status in (404, 410):
                return None
            else:
                return _upstream_file(status, headers, body)
        raise UnreadableError(
            f"it redirects more than {_MAX_REDIRECTS} times, the last time to {path!r}; "
            "serve it without redirects"
        )

    def _request(
        self, scope: Scope, scheme: str, host: str, location: RobotsLocation, path: str, query: bytes
    ) -> Scope:
        name = host.encode()
        headers = [(b"host", name)] if name else []
        if name and self._host_header != b"host":
            headers.append((self._host_header, name))
        headers += [
            (b"user-agent", USER_AGENT),
            (b"accept", b"*/*"),
            (b"accept-encoding", b"identity"),
            # Some applications learn the scheme only from this.
            (b"x-forwarded-proto", scheme.encode()),
        ]
        objects = {key: scope[key] for key in _OBJECTS if key in scope}
        return objects | {
            "type": "http",
            "asgi": dict(scope.get("asgi", {"version": "3.0"})),
            "http_version": "1.1",
            "method": "GET",
            "scheme": scheme,
            "path": path,
            "raw_path": quote(path, "/:@!$&'()*+,;=~").encode(),
            "query_string": query,
            "root_path": location.root_path,
            "headers": headers,
            "client": CLIENT,
            "server": (host.strip("[]"), _PORTS[scheme]) if host else None,
            "state": dict(self._state),
            "path_params": {},
            # With extensions the application might send the path of its file for the server to open.
            "extensions": {},
        }

    async def _target(
        self, scheme: str, host: str, path: str, locations: list[bytes]
    ) -> tuple[str, str, str, bytes]:
        if len(locations) != 1:
            raise UnreadableError(f"it redirects with {len(locations)} Location headers; send exactly one")
        location = locations[0].decode("utf-8", "replace").strip(" \t")
        try:
            url = urlsplit(urljoin(f"{scheme}://{host}{quote(path)}", location))
            other, port = canonical_host(url.hostname or "") if url.netloc else host, url.port
        except ValueError as error:
            raise UnreadableError(
                f"it redirects to {location[:200]!r}, which is not a valid URL: {error}"
            ) from error
        if ":" in (url.hostname or ""):
            other = canonical_host(f"[{url.hostname}]")
        known = url.scheme in _PORTS and "@" not in url.netloc and port in (None, _PORTS.get(url.scheme))
        if other is None or not known or (other != host and not await self._same_site(host, other)):
            raise UnreadableError(
                f"it redirects to {location[:200]!r}, which is not a name of this site; "
                "redirect within the site"
            )
        return url.scheme, other, unquote(url.path or "/"), url.query.encode("utf-8", "replace")


class _Exchange:
    """One request to the application, and the part of its response that crawlers read."""

    def __init__(self) -> None:
        self.finished = anyio.Event()
        self.ended = anyio.Event()
        self._status = 0
        self._headers: list[tuple[str, bytes]] = []
        self._body = bytearray()
        self._length = 0
        self._requested = self._complete = self._is_cut = False
        self._error: BaseException | None = None

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        """Run the application to its end. Never raises, unless it is cancelled."""
        try:
            await app(scope, self.receive, self.send)
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as error:  # a SystemExit must not end the server
            self._error = error
        finally:
            self.finished.set()
            self.ended.set()

    async def receive(self) -> Message:
        if not self._requested:
            self._requested = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.finished.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        await checkpoint()  # an application that sends without ever waiting would block the event loop
        if self._is_cut:
            raise OSError("the response is longer than crawlers read; the client disconnected")
        if message["type"] == "http.response.start" and not self._status:
            self._status = message["status"]
            self._headers = [
                (name.lower().decode("latin-1"), value) for name, value in message.get("headers", ())
            ]
        elif message["type"] == "http.response.body" and self._status and not self._complete:
            chunk = message.get("body", b"")
            self._length += len(chunk)
            self._body += chunk[: MAX_ROBOTS_BYTES + 1 - len(self._body)]
            self._is_cut = self._length > MAX_ROBOTS_BYTES
            self._complete = not message.get("more_body", False)
            if self._is_cut or self._complete:
                self.finished.set()

    def answer(self) -> tuple[int, list[tuple[str, bytes]], bytes]:
        """Return status, headers and body. Raises UnreadableError."""
        if not self._complete and not self._is_cut:
            if self._error is not None:
                raise UnreadableError(f"it raised {error_text(self._error)}") from self._error
            raise UnreadableError("its response is incomplete" if self._status else "it sent no response")
        if (
            self._error is not None and self._status >= 500
        ):  # a framework that sends an error page, then raises
            raise UnreadableError(
                f"it answered {self._status} and raised {self._error!r}", self._status
            ) from self._error
        body = bytes(self._body)
        if self._is_cut:
            return self._status, self._headers, body[:MAX_ROBOTS_BYTES].rpartition(b"\n")[0]
        lengths = {value.strip(b" \t") for value in _values(self._headers, "content-length")}
        if lengths - {b"%d" % self._length}:
            stated = b", ".join(lengths).decode("latin-1")
            raise UnreadableError(
                f"its response has {self._length} bytes, but its Content-Length is {stated}"
            )
        return self._status, self._headers, body


def _upstream_file(status: int, headers: list[tuple[str, bytes]], body: bytes) -> UpstreamFile:
    """Return the file in a response. Raises UnreadableError if it holds none."""
    if not 200 <= status < 300 or status == 206:
        refused = status in (401, 403, 429)
        fix = f"; let {USER_AGENT.decode()!r} read it, or use own_robots=..." if refused else ""
        raise UnreadableError(f"it answered {status}{fix}", status)
    coding = _text(headers, "content-encoding").strip(" \t").lower()
    if coding not in ("", "identity"):
        raise UnreadableError(
            f"its response is encoded ({coding}), although identity was asked for; send it uncompressed"
        )
    media_type = _text(headers, "content-type").partition(";")[0].strip(" \t").lower()
    if media_type in _PAGES or _MARKUP.match(body):
        page = f"it answered with a page ({media_type or 'no media type'}) instead of a robots.txt"
        raise UnreadableError(f"{page}; answer 404 if there is no robots.txt, or use merge_own=False")
    cache_control = b", ".join(_values(headers, "cache-control"))
    return UpstreamFile(body, _shared(headers), cache_control if _VALUE.fullmatch(cache_control) else b"")


def _shared(headers: list[tuple[str, bytes]]) -> tuple[Header, ...]:
    """Return the headers that may be sent to every client."""
    kept: list[Header] = []
    size = 0
    for name, value in headers:
        if _DROPPED.fullmatch(name) or not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            continue
        size += len(name) + len(value)
        if len(kept) == _MAX_HEADERS or size > _MAX_HEADER_BYTES:
            break
        kept.append((name.encode(), value))
    return tuple(kept)


def _text(headers: list[tuple[str, bytes]], name: str) -> str:
    return b",".join(_values(headers, name)).decode("latin-1")


def _values(headers: list[tuple[str, bytes]], name: str) -> list[bytes]:
    return [value for key, value in headers if key == name]
