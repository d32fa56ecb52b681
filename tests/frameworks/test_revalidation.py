"""With meta tags, frameworks that revalidate pages never hang, and never keep an old page valid."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from starlette.types import ASGIApp

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.lookup import CachedLookup
from tests.asgi_client import Response
from tests.frameworks.contract import OPTED_OUT, POST, STATIC
from tests.frameworks.exchange import exchange

TAG = b'<meta name="tdm-reservation" content="1">'
ETAG, DATE = '"v1"', "Mon, 23 Nov 2026 00:00:00 GMT"
VALIDATORS = {"ETag": ETAG, "Last-Modified": DATE}


def is_current(headers: Mapping[str, str]) -> bool:
    """Return True if the client has the page, by the rules of these applications."""
    return ETAG in headers.get("if-none-match", "") or headers.get("if-modified-since") == DATE


def starlette_app() -> ASGIApp:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
    from starlette.middleware.gzip import GZipMiddleware
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, Response
    from starlette.routing import Mount, Route
    from starlette.staticfiles import StaticFiles

    class Passing(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
            return await call_next(request)

    async def post(request: Request) -> Response:
        await request.body()
        if is_current(request.headers):
            return Response(status_code=304, headers=VALIDATORS)
        return HTMLResponse(POST, headers=VALIDATORS)

    return Starlette(
        routes=[Route("/post", post), Mount("/static", StaticFiles(directory=STATIC))],
        middleware=[Middleware(Passing), Middleware(GZipMiddleware)],
    )


def fastapi_app() -> ASGIApp:
    from fastapi import FastAPI, Request, Response
    from fastapi.responses import HTMLResponse
    from fastapi.staticfiles import StaticFiles

    app = FastAPI()
    app.mount("/static", StaticFiles(directory=STATIC))

    @app.api_route("/post", methods=["GET", "HEAD"])
    async def post(request: Request) -> Response:
        await request.body()
        if is_current(request.headers):
            return Response(status_code=304, headers=VALIDATORS)
        return HTMLResponse(POST, headers=VALIDATORS)

    return app


def litestar_app() -> Any:
    from litestar import Litestar, Request, Response, route
    from litestar.static_files import create_static_files_router

    @route("/post", http_method=["GET", "HEAD"])
    async def post(request: Request[Any, Any, Any]) -> Response[str | None]:
        await request.body()
        if is_current(request.headers):
            return Response(None, status_code=304, headers=VALIDATORS)
        return Response(POST, media_type="text/html", headers=VALIDATORS)

    return Litestar([post, create_static_files_router(path="/static", directories=[STATIC])])


def quart_app() -> Any:
    from quart import Quart, Response, request

    app = Quart("blog", static_folder=str(STATIC))

    @app.get("/post")
    async def post() -> Response:
        await request.get_data()
        response = Response(POST, headers=VALIDATORS)
        return await response.make_conditional(request)

    return app


def flask_app() -> Any:
    import a2wsgi
    from flask import Flask, Response, request

    app = Flask("blog", static_folder=str(STATIC))

    @app.get("/post")
    def post() -> Any:
        request.get_data()
        return Response(POST, headers=VALIDATORS).make_conditional(request)

    return a2wsgi.WSGIMiddleware(app)  # type: ignore[arg-type]


def django_app() -> Any:
    from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
    from django.core.asgi import get_asgi_application

    return ASGIStaticFilesHandler(get_asgi_application())


FRAMEWORKS = [starlette_app, fastapi_app, litestar_app, quart_app, flask_app, django_app]


@pytest.fixture(params=FRAMEWORKS, ids=lambda make: make.__name__.removesuffix("_app"))
def bare(request: pytest.FixtureRequest) -> Any:
    make: Callable[[], Any] = request.param
    pytest.importorskip(make.__name__.removesuffix("_app"))
    if make is django_app:
        request.getfixturevalue("django_project")
        from django.conf import settings
        from django.test import override_settings

        middleware = [*settings.MIDDLEWARE, "django.middleware.http.ConditionalGetMiddleware"]
        with override_settings(MIDDLEWARE=middleware):
            return make()
    return make()


async def get(app: Any, path: str = "/post", method: str = "GET", **headers: str) -> Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    async with asyncio.timeout(60):  # only what hangs takes so long
        return await exchange(app, path, OPTED_OUT, method=method, headers=names)


def mounted(bare: Any) -> AIPolicyMiddleware:
    return AIPolicyMiddleware(bare, CachedLookup(lambda host: True), html=True)


async def test_a_page_from_before_the_opt_out_is_sent_again(bare: Any) -> None:
    before = await get(bare)
    tag = before.one("etag") or ""
    assert (await get(bare, if_none_match=tag)).status == 304
    app = mounted(bare)
    conditions = [{"if_none_match": tag}]
    if before.one("last-modified"):
        conditions += [{"if_modified_since": DATE}, {"if_none_match": tag, "if_modified_since": DATE}]
    for headers in conditions:
        response = await get(app, **headers)
        assert (response.status, TAG in response.body) == (200, True)
        assert (await get(app, method="HEAD", **headers)).status == 200


async def test_a_page_that_has_the_tags_is_not_modified(bare: Any) -> None:
    app = mounted(bare)
    first = await get(app)
    tag = first.one("etag") or ""
    assert (TAG in first.body, first.one("last-modified")) == (True, None)
    heads = (await get(bare, method="HEAD")).one("etag")  # Django's own has none
    for method in ("GET", "HEAD") if heads else ("GET",):
        again = await get(app, method=method, if_none_match=tag, if_modified_since=DATE)
        assert (again.status, again.one("etag"), again.body) == (304, tag, b"")
        assert again.one("content-usage") == "train-ai=n"


async def test_a_page_is_sent_completely_whatever_part_is_asked_for(bare: Any) -> None:
    app = mounted(bare)
    complete = await get(app)
    tag = (await get(bare)).one("etag") or ""
    for headers in ({"range": "bytes=0-9"}, {"range": "bytes=9-", "if_range": tag}):
        response = await get(app, **headers)
        assert (response.status, response.body) == (200, complete.body)


async def test_a_static_file_is_revalidated_and_sent_in_part_as_before(bare: Any) -> None:
    app = mounted(bare)
    expected = await get(bare, "/static/note.txt")
    validators = {"if_none_match": "etag", "if_modified_since": "last-modified"}
    conditions = {ask: value for ask, name in validators.items() if (value := expected.one(name))}
    assert (await get(app, "/static/note.txt", **conditions)).status == 304
    part, same = [await get(each, "/static/note.txt", range="bytes=2-5") for each in (app, bare)]
    assert (part.status, part.body) == (same.status, same.body)


async def test_a_compressed_page_is_revalidated_as_it_is(bare: Any) -> None:
    app = mounted(bare)
    response = await get(app, accept_encoding="gzip")
    tag = response.one("etag") or ""
    again = await get(app, accept_encoding="gzip", if_none_match=tag)
    assert (again.status, again.one("etag")) == (304, tag)
