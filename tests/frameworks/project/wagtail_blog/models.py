"""A page, and the flag's natural place in Wagtail: a setting of each site, edited in its admin."""
# mypy: disable-error-code="misc"

from collections.abc import Mapping

from django.db import models
from wagtail.contrib.settings.models import BaseSiteSetting, register_setting
from wagtail.models import Locale, Page, Site


class BlogPage(Page):
    """Rendered with wagtail_blog/blog_page.html."""


@register_setting
class AISetting(BaseSiteSetting):
    opted_out = models.BooleanField("Opt out of AI training", default=True)


def add_blogs(flags: Mapping[str, bool]) -> None:
    """A site for each host, with one page, and its flag."""
    Locale.objects.create(language_code="en")
    root = Page.add_root(instance=Page(title="Root", slug="root"))
    for host, flag in flags.items():
        home = root.add_child(instance=Page(title=host, slug=host.partition(".")[0]))
        home.add_child(instance=BlogPage(title="Hello", slug="hello"))
        site = Site.objects.create(hostname=host, root_page=home)
        AISetting.objects.create(site=site, opted_out=flag)
