"""Flask, through a2wsgi: WSGI has no place for an ASGI middleware of its own."""

from collections.abc import Iterator
from typing import ClassVar

from tests.frameworks.contract import (
    CHUNKS,
    OWN_ROBOTS,
    OWN_SIGNALS,
    PAGE,
    STATIC,
    Application,
    Contract,
    Failure,
)


class TestFlask(Contract):
    """The application is wrapped: every response passes the middleware."""

    needs: ClassVar = {"flask": "flask", "a2wsgi": "a2wsgi"}

    def bare(self) -> Application:
        from a2wsgi import WSGIMiddleware
        from flask import Flask, Response

        app = Flask("blog", static_folder=STATIC)

        @app.get("/")
        def page() -> str:
            return PAGE

        @app.get("/signals")
        def signals() -> tuple[str, dict[str, str]]:
            return PAGE, OWN_SIGNALS

        @app.get("/stream")
        def stream() -> Response:
            def chunks() -> Iterator[str]:
                yield from CHUNKS

            return Response(chunks(), mimetype="text/plain")

        @app.get("/crash")
        def crash() -> str:
            raise Failure

        @app.get("/robots.txt")
        def robots() -> Response:
            return Response(OWN_ROBOTS, mimetype="text/plain")

        return WSGIMiddleware(app)  # type: ignore[arg-type]
