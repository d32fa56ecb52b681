"""Starlette, in both ways of mounting."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from aipolicy.asgi import AIPolicyMiddleware
from tests.frameworks.contract import (
    CHUNKS,
    OWN_ROBOTS,
    OWN_SIGNALS,
    PAGE,
    STATIC,
    Application,
    Failure,
    LifespanContract,
    WebsocketContract,
)


async def page(request: Request) -> HTMLResponse:
    return HTMLResponse(PAGE)


async def signals(request: Request) -> HTMLResponse:
    return HTMLResponse(PAGE, headers=OWN_SIGNALS)


async def stream(request: Request) -> StreamingResponse:
    return StreamingResponse(iter(CHUNKS), media_type="text/plain")


async def crash(request: Request) -> HTMLResponse:
    raise Failure


async def robots(request: Request) -> PlainTextResponse:
    return PlainTextResponse(OWN_ROBOTS)


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.close()


class TestStarlette(LifespanContract, WebsocketContract):
    """The application is wrapped: every response passes the middleware."""

    needs: ClassVar = {"starlette": "starlette"}

    def bare(self) -> Starlette:
        @asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            self.events.append("started")
            yield
            self.events.append("ended")

        return Starlette(
            routes=[
                Route("/", page),
                Route("/signals", signals),
                Route("/stream", stream),
                Route("/crash", crash),
                Route("/robots.txt", robots),
                WebSocketRoute("/echo", echo),
                Mount("/static", StaticFiles(directory=STATIC)),
            ],
            lifespan=lifespan,
        )


class TestStarletteAddMiddleware(TestStarlette):
    """The middleware is registered: Starlette answers uncaught errors outside of it.

    So a 500 lacks the headers, also one of a handler for ``Exception`` or ``500``. Every other response has
    them.
    """

    lost: ClassVar = frozenset({"crash"})

    def mounted(self) -> Application:
        app = self.bare()
        app.add_middleware(AIPolicyMiddleware, lookup=self.lookup())
        return app
