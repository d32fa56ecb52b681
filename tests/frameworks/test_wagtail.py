"""Wagtail under WSGI, through a2wsgi, with the flag in a setting of each site."""

from typing import Any, ClassVar

import pytest

from aipolicy.lookup import CachedLookup
from tests.frameworks.contract import FLAGS, Application, Contract
from tests.frameworks.exchange import exchange


@pytest.mark.usefixtures("django_project")
class TestWagtail(Contract):
    """The application is wrapped: every response passes the middleware."""

    needs: ClassVar = {"wagtail": "wagtail", "a2wsgi": "a2wsgi"}
    paths: ClassVar = {"page": "/hello/", "missing": "/missing/"}  # answered by Wagtail itself
    complete_kinds: ClassVar = frozenset({"part"})

    def bare(self) -> Application:
        from a2wsgi import WSGIMiddleware
        from django.contrib.staticfiles.handlers import StaticFilesHandler
        from django.core.wsgi import get_wsgi_application

        return WSGIMiddleware(StaticFilesHandler(get_wsgi_application()))

    def lookup(self) -> CachedLookup:
        from django.db import close_old_connections

        from tests.frameworks.project.wagtail_blog.models import AISetting

        def opted_out(host: str) -> Any:
            try:
                settings = AISetting.objects.filter(site__hostname=host)
                return settings.values_list("opted_out", flat=True).first()
            finally:
                close_old_connections()

        return CachedLookup(opted_out)

    async def test_the_page_is_one_that_wagtail_renders(self) -> None:
        for host in FLAGS:
            response = await exchange(self.mounted(), "/hello/", host)
            assert response.text == "<h1>Hello</h1>\n"
