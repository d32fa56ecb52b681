"""Litestar: wrapped, in place, and registered, which is not enough there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from aipolicy.asgi import AIPolicyMiddleware
from tests.frameworks.contract import (
    CHUNKS,
    OPTED_OUT,
    OURS,
    OWN_ROBOTS,
    OWN_SIGNALS,
    PAGE,
    STATIC,
    Application,
    Failure,
    LifespanContract,
    Mounting,
    WebsocketContract,
)
from tests.frameworks.exchange import exchange, raw

if TYPE_CHECKING:
    from litestar import Litestar


def litestar_app(events: list[str], **options: Any) -> "Litestar":
    from litestar import Litestar, MediaType, Response, WebSocket, get, websocket
    from litestar.response import Stream
    from litestar.static_files import create_static_files_router

    @get("/", media_type=MediaType.HTML)
    async def page() -> str:
        return PAGE

    @get("/signals", media_type=MediaType.HTML)
    async def signals() -> Response[str]:
        return Response(PAGE, headers=OWN_SIGNALS)

    @get("/stream")
    async def stream() -> Stream:
        return Stream(iter(CHUNKS), media_type=MediaType.TEXT)

    @get("/crash")
    async def crash() -> str:
        raise Failure

    @get("/robots.txt", media_type=MediaType.TEXT)
    async def robots() -> str:
        return OWN_ROBOTS

    @websocket("/echo")
    async def echo(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        await socket.close()

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        events.append("started")
        yield
        events.append("ended")

    files = create_static_files_router("/static", [STATIC])
    handlers: list[Any] = [page, signals, stream, crash, robots, echo, files]
    return Litestar(handlers, lifespan=[lifespan], logging_config=None, **options)


class TestLitestar(LifespanContract, WebsocketContract):
    """The application is wrapped: every response passes the middleware."""

    needs: ClassVar = {"litestar": "litestar"}
    complete_kinds: ClassVar = frozenset({"unchanged", "part"})

    def bare(self) -> Application:
        return litestar_app(self.events)


class TestLitestarAsgiHandler(TestLitestar):
    """The handler is wrapped in place: nothing bypasses it, and ``app`` is still a Litestar."""

    def mounted(self) -> Application:
        app = self.bare()
        app.asgi_handler = AIPolicyMiddleware(app.asgi_handler, self.lookup())
        return app


class TestLitestarMiddleware(Mounting):
    """The middleware is registered, which is not enough: Litestar's middleware belongs to routes.

    A request without a route is answered before any middleware: a 404 or 405 lacks the headers, tdmrep.json
    is never served, and robots.txt only if the application has a route for it, and for that route's methods.
    """

    needs: ClassVar = {"litestar": "litestar"}

    def bare(self) -> Application:
        return litestar_app([])

    def mounted(self) -> Application:
        from litestar.middleware import DefineMiddleware

        registered = DefineMiddleware(AIPolicyMiddleware, lookup=self.lookup())  # type: ignore[arg-type]
        return litestar_app([], middleware=[registered])

    @pytest.mark.parametrize("kind", ["page", "stream", "file", "crash"])
    async def test_what_has_a_route_carries_the_three_headers(self, kind: str) -> None:
        bare = await self.answer(self.bare(), kind, OPTED_OUT)
        assert raw(await self.answer(self.mounted(), kind, OPTED_OUT)) == raw(bare) + OURS

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/missing", 404),
            ("GET", "/.well-known/tdmrep.json", 404),
            ("POST", "/", 405),
            ("HEAD", "/robots.txt", 405),
        ],
    )
    async def test_what_has_no_route_is_lost(self, method: str, path: str, status: int) -> None:
        bare = await exchange(self.bare(), path, OPTED_OUT, method=method)
        mounted = await exchange(self.mounted(), path, OPTED_OUT, method=method)
        assert (mounted.status, raw(mounted)) == (status, raw(bare))
