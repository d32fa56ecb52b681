"""An observation, read once: the robots.txt that holds, the page's headers and tags, the well-known files."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from aipolicy.core.paths import normalise
from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.robotstxt.parsed_file import ParsedFile
from aipolicy.robotstxt.parser import RobotsTxt
from aipolicy.signals.well_known import tdm_entries
from aipolicy.siteaudit.access import Access, access_of, effective
from aipolicy.siteaudit.html_signals import Tag, looks_like_html
from aipolicy.siteaudit.observation import Answer, Observation
from aipolicy.siteaudit.statements import Carrier, Place


@dataclass(frozen=True, slots=True)
class PageSignals:
    """One answer's headers and tags."""

    answer: Answer

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
        return [(tag.content, meta_place(tag)) for tag in self.answer.markup.metas(name)]


def meta_place(tag: Tag) -> Place:
    """Where a meta tag stands."""
    return Place(Carrier.META, 0, str(tag), tag.name)


@dataclass(frozen=True)
class Reading:
    """Everything that is said of a page, ready for the engines. ``remembered``: what they found."""

    observation: Observation
    remembered: dict[Hashable, Any] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def access(self) -> Access:
        return access_of(self.observation.robots.seen)

    @cached_property
    def file(self) -> ParsedFile:
        """The robots.txt by which crawlers go: see ``effective``."""
        return ParsedFile.read(effective(self.observation.robots.seen))

    @cached_property
    def sent(self) -> bytes | None:
        """The robots.txt as it was sent, an octet more than is read where it is too long; None: none was."""
        answer = self.observation.robots.seen
        return answer.body[: MAX_ROBOTS_BYTES + 1] if answer.ok else None

    @cached_property
    def page(self) -> PageSignals:
        return PageSignals(self.observation.page.seen)

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The paths that are asked for on the way to the page, its own last; each with its query.

        A page on another host is for that host's files to rule, unless the robots.txt that was read is its.
        """
        page, asked = self.observation.page.seen, self.observation.url
        ours = {urlsplit(url).hostname for url in (asked, self.observation.robots.seen.url)}
        if not page.hops or urlsplit(page.url).hostname not in ours:
            return (_path(asked),)
        way = [
            _path(url)
            for url in (asked, *(hop.url for hop in page.hops[1:]))
            if urlsplit(url).hostname in ours
        ]
        own = _path(page.url)
        return (*(path for path in dict.fromkeys(way) if path != own), own)

    @property
    def path(self) -> str:
        """The page's path: what is declared, is declared of it."""
        return self.paths[-1]

    @cached_property
    def tdm_entries(self) -> list[Any] | None:
        """What tdmrep.json lists; None where there is no such file, or none that can be read."""
        answer = self.observation.tdmrep
        return tdm_entries(answer.body) if answer.ok and not answer.cut else None

    @cached_property
    def ai_txt(self) -> RobotsTxt | None:
        answer = self.observation.ai_txt
        return RobotsTxt.parse(answer.body) if answer.ok and not looks_like_html(answer.body) else None


def _path(url: str) -> str:
    parts = urlsplit(url)
    return normalise((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
