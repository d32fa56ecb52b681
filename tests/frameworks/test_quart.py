"""Quart, in both ways of mounting."""

from collections.abc import AsyncIterator
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


class TestQuart(LifespanContract, WebsocketContract):
    """The application is wrapped: every response passes the middleware."""

    needs: ClassVar = {"quart": "quart"}

    def bare(self) -> Application:
        from quart import Quart, Response, websocket

        app = Quart("blog", static_folder=str(STATIC))

        @app.before_serving
        async def started() -> None:
            self.events.append("started")

        @app.after_serving
        async def ended() -> None:
            self.events.append("ended")

        @app.get("/")
        async def page() -> str:
            return PAGE

        @app.get("/signals")
        async def signals() -> tuple[str, dict[str, str]]:
            return PAGE, OWN_SIGNALS

        @app.get("/stream")
        async def stream() -> Response:
            async def chunks() -> AsyncIterator[str]:
                for chunk in CHUNKS:
                    yield chunk

            return Response(chunks(), mimetype="text/plain")

        @app.get("/crash")
        async def crash() -> str:
            raise Failure

        @app.get("/robots.txt")
        async def robots() -> Response:
            return Response(OWN_ROBOTS, mimetype="text/plain")

        @app.websocket("/echo")
        async def echo() -> None:
            await websocket.send(await websocket.receive())

        return app


class TestQuartAsgiApp(TestQuart):
    """The application is wrapped in place, as in Quart's documentation, and ``app`` is still a Quart."""

    def mounted(self) -> Application:
        app = self.bare()
        app.asgi_app = AIPolicyMiddleware(app.asgi_app, self.lookup())
        return app
