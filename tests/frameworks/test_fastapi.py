"""FastAPI, in both ways of mounting."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, ClassVar

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

if TYPE_CHECKING:
    pass


class TestFastAPI(LifespanContract, WebsocketContract):
    """The application is wrapped: every response passes the middleware."""

    needs: ClassVar = {"fastapi": "fastapi"}

    def bare(self) -> Application:
        from fastapi import FastAPI, WebSocket
        from fastapi.responses import HTMLResponse, PlainTextResponse, StreamingResponse
        from fastapi.staticfiles import StaticFiles

        @asynccontextmanager
        async def lifespan(app: FastAPI) -> AsyncIterator[None]:
            self.events.append("started")
            yield
            self.events.append("ended")

        app = FastAPI(lifespan=lifespan)
        app.mount("/static", StaticFiles(directory=STATIC))

        @app.get("/", response_class=HTMLResponse)
        def page() -> str:
            return PAGE

        @app.get("/signals")
        async def signals() -> HTMLResponse:
            return HTMLResponse(PAGE, headers=OWN_SIGNALS)

        @app.get("/stream")
        async def stream() -> StreamingResponse:
            return StreamingResponse(iter(CHUNKS), media_type="text/plain")

        @app.get("/crash")
        async def crash() -> str:
            raise Failure

        @app.get("/robots.txt", response_class=PlainTextResponse)
        async def robots() -> str:
            return OWN_ROBOTS

        @app.websocket("/echo")
        async def echo(socket: WebSocket) -> None:
            await socket.accept()
            await socket.send_text(await socket.receive_text())
            await socket.close()

        return app


class TestFastAPIAddMiddleware(TestFastAPI):
    """The middleware is registered: as in Starlette, only an uncaught 500 lacks the headers."""

    lost: ClassVar = frozenset({"crash"})

    def mounted(self) -> Application:
        app = self.bare()
        app.add_middleware(AIPolicyMiddleware, lookup=self.lookup())
        return app
