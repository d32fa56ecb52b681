"""The Django project that the Django and the Wagtail tests share."""

import os
from collections.abc import Iterator

import pytest

from tests.frameworks.contract import FLAGS


@pytest.fixture(scope="session")
def django_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Set up Django once a process, with tables for every model and a blog for every flag."""
    pytest.importorskip("django", reason="django is not installed: pip install django")
    import django
    from django.apps import apps
    from django.conf import settings
    from django.db import connection, connections

    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.frameworks.project.settings"
    settings.DATABASES["default"]["NAME"] = str(tmp_path_factory.mktemp("django") / "blogs.db")
    django.setup()
    with connection.schema_editor() as editor:  # in place of migrations: Wagtail has very many
        for model in apps.get_models():
            if model._meta.can_migrate(connection):
                editor.create_model(model)

    from tests.frameworks.project.models import Blog

    if apps.is_installed("wagtail"):
        from tests.frameworks.project.wagtail_blog.models import add_blogs

        add_blogs(FLAGS)
    Blog.objects.bulk_create(Blog(host=host, opted_out=flag) for host, flag in FLAGS.items())
    yield
    connections.close_all()
