"""A GET client that refuses private addresses and limits size and time."""

import ssl
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import anyio

from aipolicy.errors import FetchError, FetchTrouble, MissingExtraError
from aipolicy.version import __version__
from aipolicy.web.body import ACCEPTED, BodyError, read_body
from aipolicy.web.response import Hop, Response

try:
    import httpcore
    import httpx

    from aipolicy.web.guard import NoSuchNameError, NotPublicError, PublicBackend
except ImportError:
    raise MissingExtraError.for_extra("fetching needs httpx", "identity") from None

USER_AGENT = f"aipolicy/{__version__}"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SCHEMES = ("http", "https")
_MAX_SHOWN = 200  # characters of a URL in a message


class Fetcher:
    """A GET client for http and https URLs, and an async context manager that holds the connections.

    It stores no cookies and uses no proxy, because a proxy would resolve names again.

    Args:
        allow_private: Also connect to private addresses. Otherwise every redirect is checked too.
        user_agent: The User-Agent header.
        seconds: Maximum time of a request, to the end of its body.
        max_bytes: Maximum size of a decoded body; a longer one is cut.
        tls: Certificates to trust; by default the system's.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        user_agent: str = USER_AGENT,
        seconds: float = 10.0,
        max_bytes: int = 1 << 20,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._user_agent = user_agent
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context() if tls is None else tls,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=10.0,
            network_backend=PublicBackend(private=allow_private),
        )

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._pool.__aexit__(kind, error, traceback)

    async def fetch(
        self, url: str, *, headers: Iterable[tuple[str, str]] = (), max_bytes: int | None = None
    ) -> Response:
        """GET ``url`` without following redirects.

        Args:
            url: The URL.
            headers: Headers to add to ``Host``, ``Accept``, ``Accept-Encoding`` and ``User-Agent``, or to
                replace them.
            max_bytes: Maximum size of the body, instead of the client's.

        Raises:
            FetchError: There is no complete response.
        """
        limit = self._max_bytes if max_bytes is None else max_bytes
        return _complete(await self._get(_parse(url), headers, limit))

    async def follow(
        self,
        url: str,
        *,
        hops: int = 5,
        headers: Iterable[tuple[str, str]] = (),
        max_bytes: int | None = None,
        partial: bool = False,
    ) -> Response:
        """GET ``url`` and follow redirects with the same checks.

        Args:
            url: The URL.
            hops: Maximum number of redirects.
            headers: Headers to add or replace.
            max_bytes: Maximum size of the body, instead of the client's.
            partial: Return a response whose body can't be read, or whose redirect can't be followed, with the
                error in ``trouble``.

        Raises:
            FetchError: There is no complete response, or too many redirects.
        """
        headers, limit = tuple(headers), self._max_bytes if max_bytes is None else max_bytes
        followed: list[Hop] = []
        target = _parse(url)
        while True:
            response = replace(await self._get(target, headers, limit), hops=tuple(followed))
            locations = response.values("location")
            if response.status not in _REDIRECTS or not locations:
                return response if partial else _complete(response)
            if len(followed) == hops:
                raise FetchError(url, FetchTrouble.REDIRECTS, f"more than {hops} redirects")
            followed.append(Hop(response.url, response.status, locations[0]))
            try:
                target = _parse(locations[0], base=target)
            except FetchError as error:
                if not partial:
                    raise
                reason = f"the URL that it redirects to can't be fetched ({error.reason})"
                return replace(response, trouble=error.kind, reason=reason)

    async def _get(self, url: httpx.URL, headers: Iterable[tuple[str, str]], limit: int) -> Response:
        """Return a response; an error after its headers is in its ``trouble``.

        Raises:
            FetchError: No headers were received.
        """
        text = str(url)
        start = time.monotonic()
        response: Response | None = None
        try:
            with _fetch_errors(text), anyio.fail_after(self._seconds):
                async with self._stream(url, headers) as received:
                    lines = tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in received.headers)
                    response = Response(text, received.status, lines, address=_peer(received))
                    chunks: AsyncIterator[bytes] = received.aiter_stream()
                    body, cut = await read_body(chunks, response.header("content-encoding"), limit)
                    response = replace(response, body=body, cut=cut)
        except FetchError as error:
            if response is None:
                raise
            response = replace(response, trouble=error.kind, reason=error.reason)
        return replace(response, seconds=time.monotonic() - start)

    @asynccontextmanager
    async def _stream(
        self, url: httpx.URL, headers: Iterable[tuple[str, str]]
    ) -> AsyncIterator[httpcore.Response]:
        sent = {
            "host": ("Host", url.netloc.decode("ascii")),
            "accept": ("Accept", "*/*"),
            "accept-encoding": ("Accept-Encoding", ACCEPTED),
            "user-agent": ("User-Agent", self._user_agent),
        } | {name.lower(): (name, value) for name, value in headers}
        encoded = [(name, value.encode("latin-1")) for name, value in sent.values()]
        connected = False

        async def trace(event: str, _info: dict[str, Any]) -> None:
            nonlocal connected
            connected = connected or event == "connection.connect_tcp.started"

        extensions = {
            "timeout": {"connect": self._seconds / 2},  # leaves time for the name's next address
            "trace": trace,
        }
        async with AsyncExitStack() as stack:
            while True:
                request = self._pool.stream("GET", str(url), headers=encoded, extensions=extensions)
                try:
                    received = await stack.enter_async_context(request)
                    break
                except (httpcore.NetworkError, httpcore.RemoteProtocolError):
                    # The server may close a kept connection just when it is used again; RFC 9112 §9.3.1
                    # tells clients to retry then. An error of a new connection is final.
                    if connected:
                        raise
            yield received


@contextmanager
def _fetch_errors(url: str) -> Iterator[None]:
    """Raise the errors of the libraries as FetchError."""
    try:
        yield
    except (TimeoutError, httpcore.TimeoutException):
        raise FetchError(url, FetchTrouble.TIMEOUT, "no complete response in time") from None
    except NotPublicError as error:
        raise FetchError(url, FetchTrouble.ADDRESS, f"{error} is not a public address") from None
    except NoSuchNameError as error:
        raise FetchError(url, FetchTrouble.DNS, f"the host name has no address ({error})") from None
    except httpcore.ConnectError as error:
        tls = _caused_by(error, ssl.SSLError)
        kind = FetchTrouble.CONNECT if tls is None else FetchTrouble.TLS
        raise FetchError(url, kind, str(tls or error) or "no connection") from None
    except BodyError as error:
        raise FetchError(url, FetchTrouble.CODING, str(error)) from None
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        reason = str(error) or "the connection was closed before the response was complete"
        raise FetchError(url, FetchTrouble.PROTOCOL, reason) from None
    except (ValueError, TypeError) as error:  # a URL that only the libraries reject
        raise FetchError(url, FetchTrouble.URL, f"it can't be requested ({error})") from None


def _complete(response: Response) -> Response:
    if response.trouble is not None:
        raise FetchError(response.url, response.trouble, response.reason)
    return response


def _caused_by(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, kind):
        cause = cause.__cause__ or cause.__context__
    return cause


def _parse(text: str, *, base: httpx.URL | None = None) -> httpx.URL:
    """Return the URL to request: absolute, http or https, without user name and fragment."""
    shown = text[:_MAX_SHOWN].encode("unicode_escape").decode("ascii")
    try:
        url = httpx.URL(text) if base is None else base.join(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError(shown, FetchTrouble.URL, f"not a URL ({error})") from None
    if url.scheme not in _SCHEMES:
        raise FetchError(shown, FetchTrouble.SCHEME, "it must begin with http:// or https://")
    # Not url.host, which fails for invalid names that begin with xn--. A % is an invalid escaped character.
    if not url.raw_host or b"%" in url.raw_host:
        raise FetchError(shown, FetchTrouble.URL, "it has no host")
    if url.port is not None and not 0 < url.port < 1 << 16:
        raise FetchError(shown, FetchTrouble.URL, f"{url.port} is not a port")
    if url.userinfo:
        shown = str(url.copy_with(username="***", password=None))
        raise FetchError(shown[:_MAX_SHOWN], FetchTrouble.URL, "it has a user name in it: leave that out")
    return url.copy_with(fragment=None)


def _peer(response: httpcore.Response) -> str:
    address = response.extensions["network_stream"].get_extra_info("server_addr")
    return str(address[0]) if address else ""
