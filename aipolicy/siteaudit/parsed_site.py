"""An observation, parsed once: the robots.txt in force, the page's headers and tags, the well-known files."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from aipolicy.core.paths import normalise
from aipolicy.core.validation import MAX_ROBOTS_BYTES
from aipolicy.robotstxt.parsed_file import ParsedFile
from aipolicy.robotstxt.parser import RobotsTxt
from aipolicy.signals.tdmrep import tdm_entries
from aipolicy.siteaudit.html_signals import Tag, looks_like_html
from aipolicy.siteaudit.observation import Access, FetchResult, Observation, access_of, effective
from aipolicy.siteaudit.statements import Carrier, Location


@dataclass(frozen=True, slots=True)
class PageSignals:
    """The headers and tags of one answer."""

    answer: FetchResult

    def headers(self, name: str) -> list[tuple[str, Location]]:
        """Return value and location of each line of that header; several lines are numbered."""
        values = self.answer.values(name)
        counted = len(values) > 1
        return [
            (value, Location(Carrier.HEADER, number if counted else 0, f"{name}: {value}", name))
            for number, value in enumerate(values, 1)
        ]

    def metas(self, name: str) -> list[tuple[str, Location]]:
        """Return content and location of each meta tag of that name."""
        return [(tag.content, meta_location(tag)) for tag in self.answer.markup.metas(name)]


def meta_location(tag: Tag) -> Location:
    """Return the location of a meta tag."""
    return Location(Carrier.META, 0, str(tag), tag.name)


@dataclass(frozen=True)
class ParsedSite:
    """Everything that a site says about a page, parsed on demand; ``cache`` is for ``declarations``."""

    observation: Observation
    cache: dict[Hashable, Any] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def access(self) -> Access:
        return access_of(self.observation.robots.effective)

    @cached_property
    def file(self) -> ParsedFile:
        """The robots.txt that crawlers obey; see ``effective``."""
        return ParsedFile.read(effective(self.observation.robots.effective))

    @cached_property
    def sent(self) -> bytes | None:
        """The robots.txt as it was sent, up to a byte more than crawlers read; None if there is none."""
        answer = self.observation.robots.effective
        return answer.body[: MAX_ROBOTS_BYTES + 1] if answer.ok else None

    @cached_property
    def page(self) -> PageSignals:
        return PageSignals(self.observation.page.effective)

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The paths that redirects lead through, the page's own last; each with its query.

        The files of another host rule the pages there, unless the robots.txt that was read is that host's.
        """
        page, asked = self.observation.page.effective, self.observation.url
        ours = {urlsplit(url).hostname for url in (asked, self.observation.robots.effective.url)}
        if not page.hops or urlsplit(page.url).hostname not in ours:
            return (_path(asked),)
        visited = [
            _path(url)
            for url in (asked, *(hop.url for hop in page.hops[1:]))
            if urlsplit(url).hostname in ours
        ]
        own = _path(page.url)
        return (*(path for path in dict.fromkeys(visited) if path != own), own)

    @property
    def path(self) -> str:
        """The path of the page."""
        return self.paths[-1]

    @cached_property
    def tdm_entries(self) -> list[Any] | None:
        """The entries of tdmrep.json; None if there is no such file, or it can't be read."""
        answer = self.observation.tdmrep
        return tdm_entries(answer.body) if answer.ok and not answer.cut else None

    @cached_property
    def ai_txt(self) -> RobotsTxt | None:
        answer = self.observation.ai_txt
        return RobotsTxt.parse(answer.body) if answer.ok and not looks_like_html(answer.body) else None


def _path(url: str) -> str:
    parts = urlsplit(url)
    return normalise((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
