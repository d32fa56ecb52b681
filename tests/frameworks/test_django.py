"""Django under ASGI, with the flag in a model."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest

from tests.frameworks.contract import OURS, Application, Contract
from tests.frameworks.exchange import exchange


@pytest.mark.usefixtures("django_project")
class TestDjango(Contract):
    """Wrapped, in asgi.py: everything is reached."""

    needs: ClassVar = {"django": "django"}
    whole: ClassVar = frozenset({"part"})

    def bare(self) -> Application:
        from tests.frameworks.project import asgi

        return asgi.application.app

    def mounted(self) -> Application:
        from tests.frameworks.project import asgi

        asgi.lookup.invalidate_all()
        return asgi.application


@pytest.fixture
def blog(django_project: None) -> Iterator[Any]:
    """A blog that did not opt out, yet."""
    from tests.frameworks.project.models import Blog

    blog = Blog.objects.create(host="ada.example", opted_out=False)
    yield blog
    Blog.objects.filter(host=blog.host).delete()


async def told(host: str) -> bool:
    """Whether a page of ``host`` carries the headers."""
    from tests.frameworks.project import asgi

    return (await exchange(asgi.application, "/", host)).headers[-3:] == OURS


def in_a_thread(function: Callable[[], object]) -> Awaitable[object]:
    """Called where Django wants to be called, in a thread without an event loop; no connection stays open."""
    from django.db import connection

    def call() -> object:
        try:
            return function()
        finally:
            connection.close()

    return asyncio.to_thread(call)


async def test_a_flag_that_is_saved_is_in_force_with_the_next_request(blog: Any) -> None:
    assert not await told(blog.host)
    blog.opted_out = True
    await in_a_thread(blog.save)
    assert await told(blog.host)


async def test_a_flag_that_is_saved_in_a_transaction_is_in_force_once_it_is_committed(blog: Any) -> None:
    from django.db import transaction

    def save_in_a_transaction() -> None:
        with transaction.atomic():
            blog.opted_out = True
            blog.save()
            # Another request asks meanwhile, and the old answer is cached anew.
            assert not asyncio.run(told(blog.host))

    assert not await told(blog.host)
    await in_a_thread(save_in_a_transaction)
    assert await told(blog.host)


async def test_a_blog_that_is_deleted_gets_the_default_policy(blog: Any) -> None:
    assert not await told(blog.host)
    await in_a_thread(blog.delete)
    assert await told(blog.host)


def test_the_lookup_leaves_no_connection_in_its_threads(blog: Any) -> None:
    from django.db import connection

    from tests.frameworks.project import asgi

    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(asgi.opted_out, blog.host).result() is False
        assert threads.submit(lambda: connection.connection).result() is None
