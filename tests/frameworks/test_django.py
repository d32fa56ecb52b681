"""Django under ASGI, with the flag in a model."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.lookup import CachedLookup
from tests.asgi_client import request
from tests.frameworks.contract import OPTED_OUT, OURS, SILENT, Application, Contract
from tests.frameworks.exchange import exchange


@pytest.mark.usefixtures("django_project")
class TestDjango(Contract):
    """Wrapped, in asgi.py: everything is reached."""

    needs: ClassVar = {"django": "django"}
    complete_kinds: ClassVar = frozenset({"part"})

    def bare(self) -> Application:
        from tests.frameworks.project import asgi

        return asgi.application.app

    def mounted(self) -> Application:
        from tests.frameworks.project import asgi

        asgi.lookup.invalidate_all()
        return asgi.application


@pytest.fixture
def blog(django_project: None) -> Iterator[Any]:
    """Return a blog that has not opted out yet."""
    from tests.frameworks.project.models import Blog

    blog = Blog.objects.create(host="ada.example", opted_out=False)
    yield blog
    Blog.objects.filter(host=blog.host).delete()


async def has_headers(host: str) -> bool:
    """Return True if a page of ``host`` carries the headers."""
    from tests.frameworks.project import asgi

    return (await exchange(asgi.application, "/", host)).headers[-3:] == OURS


def in_a_thread(function: Callable[[], object]) -> Awaitable[object]:
    """Call a function in a thread without an event loop, as Django requires; close the connections."""
    from django.db import connection

    def call() -> object:
        try:
            return function()
        finally:
            connection.close()

    return asyncio.to_thread(call)


async def test_a_flag_that_is_saved_is_in_force_with_the_next_request(blog: Any) -> None:
    assert not await has_headers(blog.host)
    blog.opted_out = True
    await in_a_thread(blog.save)
    assert await has_headers(blog.host)


async def test_a_flag_that_is_saved_in_a_transaction_is_in_force_once_it_is_committed(blog: Any) -> None:
    from django.db import transaction

    def save_in_a_transaction() -> None:
        with transaction.atomic():
            blog.opted_out = True
            blog.save()
            # Another request asks meanwhile, and the old answer is cached anew.
            assert not asyncio.run(has_headers(blog.host))

    assert not await has_headers(blog.host)
    await in_a_thread(save_in_a_transaction)
    assert await has_headers(blog.host)


async def test_a_blog_that_is_deleted_gets_the_default_policy(blog: Any) -> None:
    assert not await has_headers(blog.host)
    await in_a_thread(blog.delete)
    assert await has_headers(blog.host)


def test_the_lookup_leaves_no_connection_in_its_threads(blog: Any) -> None:
    from django.db import connection

    from tests.frameworks.project import asgi

    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(asgi.opted_out, blog.host).result() is False
        assert threads.submit(lambda: connection.connection).result() is None


def limited(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A middleware that answers 429 to an address after its first request."""
    from django.http import HttpResponse

    addresses: set[str] = set()

    def middleware(request: Any) -> Any:
        address = request.META.get("REMOTE_ADDR")
        if address in addresses:
            return HttpResponse("slow down", status=429)
        if address is not None:
            addresses.add(address)
        return get_response(request)

    return middleware


def logged(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A middleware that reads the client's address without a check, as access logs do."""

    def middleware(request: Any) -> Any:
        response = get_response(request)
        response["X-Log"] = request.META["REMOTE_ADDR"]
        return response

    return middleware


MIDDLEWARE = "django.middleware."
STOCK: dict[str, dict[str, Any]] = {
    "https only": {"MIDDLEWARE": [f"{MIDDLEWARE}security.SecurityMiddleware"], "SECURE_SSL_REDIRECT": True},
    "https only, behind a proxy": {
        "MIDDLEWARE": [f"{MIDDLEWARE}security.SecurityMiddleware"],
        "SECURE_SSL_REDIRECT": True,
        "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
    },
    "https only, behind a proxy with a header of its own": {
        "MIDDLEWARE": [f"{MIDDLEWARE}security.SecurityMiddleware"],
        "SECURE_SSL_REDIRECT": True,
        "SECURE_PROXY_SSL_HEADER": ("HTTP_X_SSL", "on"),
    },
    "allowed hosts": {"MIDDLEWARE": [f"{MIDDLEWARE}common.CommonMiddleware"], "ALLOWED_HOSTS": [OPTED_OUT]},
    "the proxy's host": {
        "MIDDLEWARE": [f"{MIDDLEWARE}common.CommonMiddleware"],
        "USE_X_FORWARDED_HOST": True,
    },
    "www": {"MIDDLEWARE": [f"{MIDDLEWARE}common.CommonMiddleware"], "PREPEND_WWW": True},
    "conditional requests": {"MIDDLEWARE": [f"{MIDDLEWARE}http.ConditionalGetMiddleware"]},
    "compression": {"MIDDLEWARE": [f"{MIDDLEWARE}gzip.GZipMiddleware"]},
    "the cache": {
        "MIDDLEWARE": [
            f"{MIDDLEWARE}cache.UpdateCacheMiddleware",
            f"{MIDDLEWARE}cache.FetchFromCacheMiddleware",
        ]
    },
    "a rate limiter": {"MIDDLEWARE": [f"{__name__}.limited"]},
    "an access log": {"MIDDLEWARE": [f"{__name__}.logged"]},
}
CLIENTS: list[dict[str, Any]] = [
    {},
    {"host": f"{OPTED_OUT}."},
    {"host": f"{OPTED_OUT.upper()}:8000"},
    {"scheme": "https"},
    {"method": "HEAD"},
    {"headers": [(b"accept-encoding", b"gzip"), (b"if-none-match", b'"x"')]},
    {"headers": [(b"x-forwarded-host", b"silent.example"), (b"x-forwarded-proto", b"http")]},
    {"query_string": b"x=" + b"1" * 100, "headers": [(b"cookie", b"sessionid=x")]},
]


@pytest.mark.usefixtures("django_project")
@pytest.mark.parametrize("stock", STOCK)
async def test_with_djangos_own_middleware_the_first_client_decides_nothing(stock: str) -> None:
    from django.core.cache import cache
    from django.core.handlers.asgi import ASGIHandler
    from django.test import override_settings

    with override_settings(**STOCK[stock]):
        for client in CLIENTS:
            cache.clear()
            flags = {OPTED_OUT: True, f"www.{OPTED_OUT}": True, SILENT: False}
            app = AIPolicyMiddleware(ASGIHandler(), CachedLookup(flags.get))
            first = await request(app, **({"path": "/robots.txt", "host": OPTED_OUT} | client))
            response = await request(app, "/robots.txt", OPTED_OUT)
            assert response.text.count("Disallow: /admin/") == 1, client
            assert "User-agent: GPTBot" in response.text
            assert (first.status, first.headers) == (200, response.headers)
