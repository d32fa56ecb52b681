"""The contract's addresses."""

from collections.abc import AsyncIterator

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import include, path

from tests.frameworks.contract import CHUNKS, OWN_ROBOTS, OWN_SIGNALS, PAGE, POST, Failure


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(PAGE)


def signals(request: HttpRequest) -> HttpResponse:
    return HttpResponse(PAGE, headers=OWN_SIGNALS)


def stream(request: HttpRequest) -> StreamingHttpResponse:
    async def chunks() -> AsyncIterator[str]:
        for chunk in CHUNKS:
            yield chunk

    # Each interface has its own kind of iterator, and warns of the other.
    pieces = chunks() if isinstance(request, ASGIRequest) else iter(CHUNKS)
    return StreamingHttpResponse(pieces, content_type="text/plain")


def crash(request: HttpRequest) -> HttpResponse:
    raise Failure


def robots(request: HttpRequest) -> HttpResponse:
    return HttpResponse(OWN_ROBOTS, content_type="text/plain")


def post(request: HttpRequest) -> HttpResponse:
    return HttpResponse(POST)


urlpatterns = [
    path("", page),
    path("post", post),
    path("signals", signals),
    path("stream", stream),
    path("crash", crash),
    path("robots.txt", robots),
]
if settings.WITH_WAGTAIL:
    urlpatterns.append(path("", include("wagtail.urls")))
