"""Settings of the Django project that the Django and the Wagtail tests share: a process has one."""

import importlib.util

from tests.frameworks.contract import STATIC

WITH_WAGTAIL = importlib.util.find_spec("wagtail") is not None

SECRET_KEY = "for tests"
ALLOWED_HOSTS = [".example"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ""}}  # named by the fixture
ROOT_URLCONF = "tests.frameworks.project.urls"
STATIC_URL = "/static/"
STATICFILES_DIRS = [STATIC]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.staticfiles",
    "tests.frameworks.project",
]
if WITH_WAGTAIL:
    INSTALLED_APPS += ["wagtail", "wagtail.contrib.settings", "tests.frameworks.project.wagtail_blog"]
