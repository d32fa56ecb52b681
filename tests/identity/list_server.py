"""An HTTPS server on loopback in place of the operators' servers, with validators and redirects."""

import contextlib
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import trustme

from aipolicy.web.fetcher import Fetcher
from aipolicy.web.response import Response


@dataclass
class Page:
    """The response for a path."""

    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200


class ListServer:
    """``pages`` by host and path, like ``openai.com/gptbot.json``; ``asked`` are the heads that came.

    A path in ``held`` is answered when its event is set; ``arrived`` is released for each that waits.
    """

    def __init__(self, authority: trustme.CA) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.held: dict[str, threading.Event] = {}
        self.arrived = threading.Semaphore(0)
        self.port = 0
        self.trusted = ssl.create_default_context()
        authority.configure_trust(self.trusted)

    @property
    def origin(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def put(self, url: str, body: str, *, status: int = 200, **headers: str) -> None:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[url.removeprefix("https://")] = Page(body.encode(), names, status)

    def fetcher(self) -> Fetcher:
        return LoopbackFetcher(self.origin, self.trusted)

    @property
    def unchanged(self) -> list[str]:
        """Return the conditional requests that were answered with 304."""
        return [name for name, sent in self.asked if self._still(self.pages.get(name), sent)]

    def answer(self, name: str, sent: dict[str, str]) -> Page:
        self.asked.append((name, sent))
        if name in self.held:
            self.arrived.release()
            self.held[name].wait(30)
        page = self.pages.get(name, Page(b"nothing", status=404))
        return Page(b"", page.headers, 304) if self._still(page, sent) else page

    @staticmethod
    def _still(page: Page | None, sent: dict[str, str]) -> bool:
        """Return True if the page is unchanged; If-None-Match has precedence (RFC 9110 §13.2.2)."""
        if page is None:
            return False
        if "if-none-match" in sent:
            return sent["if-none-match"] == page.headers.get("ETag")
        date = sent.get("if-modified-since")
        return date is not None and date == page.headers.get("Last-Modified")


class LoopbackFetcher(Fetcher):
    """A fetcher that requests every URL from the server on loopback, with the host in the path."""

    def __init__(self, origin: str, trusted: ssl.SSLContext, **options: Any) -> None:
        super().__init__(allow_private=True, tls=trusted, seconds=10)
        self._origin = origin

    async def follow(self, url: str, **options: Any) -> Response:
        return await super().follow(self._here(url), **options)

    async def fetch(self, url: str, **options: Any) -> Response:
        return await super().fetch(self._here(url), **options)

    def _here(self, url: str) -> str:
        parts = urlsplit(url)
        return f"{self._origin}/{parts.netloc}{parts.path}"


@contextlib.contextmanager
def list_server(authority: trustme.CA) -> Iterator[ListServer]:
    lists = ListServer(authority)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            page = lists.answer(
                self.path.removeprefix("/"), {name.lower(): value for name, value in self.headers.items()}
            )
            with contextlib.suppress(OSError):  # who asked may have been killed
                self.send_response(page.status)
                for name, value in page.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(page.body)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(page.body)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass  # a client that trusts nobody, or was killed

        def finish_request(self, request: Any, client_address: Any) -> None:
            with context.wrap_socket(request, server_side=True) as secured:  # in the request's own thread
                super().finish_request(secured, client_address)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Server(("127.0.0.1", 0), Handler) as server:
        lists.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield lists
        finally:
            server.shutdown()
            thread.join()
