"""The project's asgi.py: Django's own lines, then those of docs/tasks/django.md."""
# ruff: noqa: E402 (models can be imported once Django is set up)
# mypy: disable-error-code="no-any-return, untyped-decorator"

import os

from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.frameworks.project.settings")
application = ASGIStaticFilesHandler(get_asgi_application())

from functools import partial

from django.db import close_old_connections, transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from aipolicy.asgi import AIPolicyMiddleware
from aipolicy.lookup import CachedLookup
from tests.frameworks.project.models import Blog


def opted_out(host: str) -> bool | None:
    try:
        row = Blog.objects.filter(host=host).values_list("opted_out").first()
    finally:
        close_old_connections()  # Django does this at the end of a request; here a thread of the lookup asks
    if row is None:
        return None  # no such blog: it gets the default policy
    return bool(row[0])  # NULL becomes False: the blog says nothing


lookup = CachedLookup(opted_out)
application = AIPolicyMiddleware(application, lookup)


@receiver([post_save, post_delete], sender=Blog)  # in force at once here, in other processes within 60 s
def flag_changed(instance: Blog, **_: object) -> None:
    transaction.on_commit(partial(lookup.invalidate, instance.host))
