"""The flag's natural place in Django."""
# mypy: disable-error-code="misc"

from django.db import models


class Blog(models.Model):
    """A blog, by its host: lowercase, without a port, as ``load`` is asked for it."""

    host = models.CharField(max_length=253, unique=True)
    opted_out = models.BooleanField(default=True)
