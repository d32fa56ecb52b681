"""An observation, read once: the robots.txt that holds, the page's headers and tags, the well-known files."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from aipolicy.analysis.file import File
from aipolicy.check.site.access import Access, access_of, effective
from aipolicy.check.site.htmlsignals import Markup, read_html
from aipolicy.check.site.observation import Answer, Observation
from aipolicy.check.site.statements import Carrier, Place
from aipolicy.core.fields import MAX_ROBOTS_BYTES
from aipolicy.core.paths import normalise
from aipolicy.core.robots import RobotsTxt
from aipolicy.core.wellknown import tdm_entries

_HTML_TYPES = ("text/html", "application/xhtml+xml")


def is_html(answer: Answer) -> bool:
    """Whether a page was sent, which for a file that isn't one means: there is no such file."""
    return answer.media_type in _HTML_TYPES or answer.body[:512].lstrip().lower().startswith(
        (b"<!doctype html", b"<html", b"<head")
    )


@dataclass(frozen=True)
class PageSignals:
    """One answer's headers and tags."""

    answer: Answer

    @cached_property
    def markup(self) -> Markup:
        answer = self.answer
        if not self.is_page:
            return Markup()
        return read_html(answer.body, answer.charset, xml=answer.media_type == "application/xhtml+xml")

    @property
    def is_page(self) -> bool:
        return self.answer.status != 0 and is_html(self.answer)

    def headers(self, name: str) -> list[tuple[str, Place]]:
        """The lines of that header: value and place. They are counted where there is more than one."""
        values = self.answer.values(name)
        counted = len(values) > 1
        return [
            (value, Place(Carrier.HEADER, number if counted else 0, f"{name}: {value}", name))
            for number, value in enumerate(values, 1)
        ]

    def metas(self, name: str) -> list[tuple[str, Place]]:
        """The meta tags of that name: content and place."""
        return [
            (tag.content, Place(Carrier.META, tag.line, str(tag), name)) for tag in self.markup.metas(name)
        ]


@dataclass(frozen=True)
class Reading:
    """Everything that is said of a page, ready for the engines. ``remembered``: what they found."""

    observation: Observation
    remembered: dict[Hashable, Any] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def access(self) -> Access:
        return access_of(self.observation.robots.seen)

    @cached_property
    def file(self) -> File:
        """The robots.txt by which crawlers go: see ``effective``."""
        return File.read(effective(self.observation.robots.seen))

    @cached_property
    def sent(self) -> bytes | None:
        """The robots.txt as it was sent, an octet more than is read where it is too long; None: none was."""
        answer = self.observation.robots.seen
        return answer.body[: MAX_ROBOTS_BYTES + 1] if answer.ok else None

    @cached_property
    def page(self) -> PageSignals:
        return PageSignals(self.observation.page.seen)

    @cached_property
    def path(self) -> str:
        """The page's path with its query, as rules are matched against it."""
        parts = urlsplit(self.observation.url)
        return normalise((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))

    @cached_property
    def tdm_entries(self) -> list[Any] | None:
        """What tdmrep.json lists; None where there is no such file, or none that can be read."""
        answer = self.observation.tdmrep
        return tdm_entries(answer.body) if answer.ok and not answer.cut else None

    @cached_property
    def ai_txt(self) -> RobotsTxt | None:
        answer = self.observation.ai_txt
        return RobotsTxt.parse(answer.body) if answer.ok and not is_html(answer) else None
