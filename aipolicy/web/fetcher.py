"""One GET, bounded in time and size, that leads nowhere but where it may."""

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
_SHOWN = 200  # characters of a URL in a message


class Fetcher:
    """Fetches http and https URLs; an async context manager that holds the connections.

    Names are looked up once, and only public addresses are connected to, at any hop, unless
    ``allow_private``. ``seconds`` bound a fetch from its start to the end of its body, ``octets`` the body.
    ``tls`` are other certificates to trust than the system's. No cookie is kept, no proxy used: a proxy would
    look the names up anew.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        user_agent: str = USER_AGENT,
        seconds: float = 10.0,
        octets: int = 1 << 20,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._user_agent = user_agent
        self._seconds = seconds
        self._octets = octets
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
        self, url: str, *, headers: Iterable[tuple[str, str]] = (), octets: int | None = None
    ) -> Response:
        """GET ``url``; a redirect is an answer like others. Raises FetchError.

        ``headers`` are sent besides ``Host``, ``Accept``, ``Accept-Encoding`` and ``User-Agent``, or instead.
        """
        return _whole(await self._get(_read(url), headers, self._octets if octets is None else octets))

    async def follow(
        self,
        url: str,
        *,
        hops: int = 5,
        headers: Iterable[tuple[str, str]] = (),
        octets: int | None = None,
        partial: bool = False,
    ) -> Response:
        """GET ``url`` and follow at most ``hops`` redirects, each guarded alike. Raises FetchError.

        ``partial``: a head that came is an answer, too, although its body can't be read, or its redirect not
        followed: ``trouble`` says so.
        """
        headers, most = tuple(headers), self._octets if octets is None else octets
        followed: list[Hop] = []
        target = _read(url)
        while True:
            answer = replace(await self._get(target, headers, most), hops=tuple(followed))
            locations = answer.values("location")
            if answer.status not in _REDIRECTS or not locations:
                return answer if partial else _whole(answer)
            if len(followed) == hops:
                raise FetchError(url, FetchTrouble.REDIRECTS, f"more than {hops} redirects")
            followed.append(Hop(answer.url, answer.status, locations[0]))
            try:
                target = _read(locations[0], base=target)
            except FetchError as error:
                if not partial:
                    raise
                reason = f"it redirects to what can't be fetched ({error.reason})"
                return replace(answer, trouble=error.kind, reason=reason)

    async def _get(self, url: httpx.URL, headers: Iterable[tuple[str, str]], most: int) -> Response:
        """Raises FetchError where no head comes; what goes wrong after it is the answer's ``trouble``."""
        shown = str(url)
        start = time.monotonic()
        response: Response | None = None
        try:
            with _troubles(shown), anyio.fail_after(self._seconds):
                async with self._stream(url, headers) as got:
                    answered = tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in got.headers)
                    response = Response(shown, got.status, answered, address=_peer(got))
                    chunks: AsyncIterator[bytes] = got.aiter_stream()
                    body, cut = await read_body(chunks, response.header("content-encoding"), most)
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
            "timeout": {"connect": self._seconds / 2},  # the name's next address has a chance, too
            "trace": trace,
        }
        async with AsyncExitStack() as held:
            while True:
                asked = self._pool.stream("GET", str(url), headers=encoded, extensions=extensions)
                try:
                    got = await held.enter_async_context(asked)
                    break
                except (httpcore.NetworkError, httpcore.RemoteProtocolError):
                    # A kept connection may be closed just as it is used again: RFC 9112 §9.3.1 has a
                    # client ask anew then. One made for this request says what the server does.
                    if connected:
                        raise
            yield got


@contextmanager
def _troubles(url: str) -> Iterator[None]:
    """What goes wrong below, as a FetchError."""
    try:
        yield
    except (TimeoutError, httpcore.TimeoutException):
        raise FetchError(url, FetchTrouble.TIMEOUT, "no whole answer in time") from None
    except NotPublicError as error:
        raise FetchError(url, FetchTrouble.ADDRESS, f"{error} is not a public address") from None
    except NoSuchNameError as error:
        raise FetchError(url, FetchTrouble.DNS, f"the name has no address ({error})") from None
    except httpcore.ConnectError as error:
        tls = _caused_by(error, ssl.SSLError)
        kind = FetchTrouble.CONNECT if tls is None else FetchTrouble.TLS
        raise FetchError(url, kind, str(tls or error) or "no connection") from None
    except BodyError as error:
        raise FetchError(url, FetchTrouble.CODING, str(error)) from None
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        reason = str(error) or "the connection was closed before the answer was whole"
        raise FetchError(url, FetchTrouble.PROTOCOL, reason) from None
    except (ValueError, TypeError) as error:  # a URL that only the libraries below find fault with
        raise FetchError(url, FetchTrouble.URL, f"it can't be asked for ({error})") from None


def _whole(answer: Response) -> Response:
    if answer.trouble is not None:
        raise FetchError(answer.url, answer.trouble, answer.reason)
    return answer


def _caused_by(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, kind):
        cause = cause.__cause__ or cause.__context__
    return cause


def _read(text: str, *, base: httpx.URL | None = None) -> httpx.URL:
    """The URL to ask for: absolute, http or https, without name and password, without fragment."""
    shown = text[:_SHOWN].encode("unicode_escape").decode("ascii")
    try:
        url = httpx.URL(text) if base is None else base.join(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError(shown, FetchTrouble.URL, f"not a URL ({error})") from None
    if url.scheme not in _SCHEMES:
        raise FetchError(shown, FetchTrouble.SCHEME, "give one that begins with http:// or https://")
    # url.host is decoded, which not every name that begins with xn-- can be; % is for what no name has in it.
    if not url.raw_host or b"%" in url.raw_host:
        raise FetchError(shown, FetchTrouble.URL, "it names no host")
    if url.port is not None and not 0 < url.port < 1 << 16:
        raise FetchError(shown, FetchTrouble.URL, f"{url.port} is not a port")
    if url.userinfo:
        shown = str(url.copy_with(username="***", password=None))
        raise FetchError(shown[:_SHOWN], FetchTrouble.URL, "it has a user name in it: leave that out")
    return url.copy_with(fragment=None)


def _peer(got: httpcore.Response) -> str:
    address = got.extensions["network_stream"].get_extra_info("server_addr")
    return str(address[0]) if address else ""
