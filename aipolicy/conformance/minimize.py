"""Minimisation of a site on which a crawler disagrees with RFC 9309, and the cause of the disagreement.

Each step removes something and runs the crawler again. The removal stays if the disagreement stays, so that
everything in the smallest site is a part of the cause.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aipolicy.conformance.expected_answer import expected_answer
from aipolicy.conformance.random_site import PAGE, Link, RandomSite
from aipolicy.core.paths import normalise
from aipolicy.robotstxt.parser import RobotsTxt, lines_of

_MAX_RUNS = 150
_MANY_LINES, _MANY_LINKS, _MANY_GROUPS, _MANY_RULES = 60, 12, 3, 5
_LINE = re.compile(
    r"(?P<before>[ \t]*)(?P<field>[^:#]*?)(?P<space>[ \t]*):[ \t]*(?P<value>[^#]*?)[ \t]*(?P<comment>#.*)?"
)
_ESCAPE = re.compile("%[0-9A-F]{2}")
_KNOWN = {"user-agent": "User-agent", "allow": "Allow", "disallow": "Disallow"}

Disagrees = Callable[[RandomSite, str], Awaitable[bool]]
"""Runs the crawler on a site; returns True if it disagrees about this path."""


@dataclass(frozen=True, slots=True)
class MinimizedSite:
    """The smallest site found, the path of the disagreement, and the number of runs."""

    site: RandomSite
    path: str
    runs: int


async def minimized(site: RandomSite, path: str, token: str, disagrees: Disagrees) -> MinimizedSite:
    """Remove everything from a site that is not needed for a disagreement about a path."""
    minimizer = _Minimizer(site, path, disagrees)
    await minimizer.keep_links_to_path()
    await minimizer.try_site(replace(minimizer.site, newline="\n"))
    await minimizer.remove_lines()
    await minimizer.use_usual_spelling(token)
    await minimizer.remove_lines()
    await minimizer.remove_links()
    await minimizer.move_to_start()
    await minimizer.use_plain_paths(token)
    return MinimizedSite(minimizer.site, minimizer.path, minimizer.runs)


class _Minimizer:
    def __init__(self, site: RandomSite, path: str, disagrees: Disagrees) -> None:
        self.site, self.path, self._disagrees, self.runs = site, path, disagrees, 0

    async def try_site(self, smaller: RandomSite, path: str = "") -> bool:
        """Replace the site and the path if the crawler disagrees there too."""
        path = path or self.path
        if (smaller, path) == (self.site, self.path) or self.runs >= _MAX_RUNS:
            return False
        self.runs += 1
        if await self._disagrees(smaller, path):
            self.site, self.path = smaller, path
            return True
        return False

    @property
    def _link(self) -> Link | None:
        """The link to the path; None for the start page."""
        return next((link for link in self.site.links if link.path == self.path), None)

    async def keep_links_to_path(self) -> None:
        """Remove links that do not lead to the path."""
        by_path = {link.path: link for link in self.site.links}
        chain: list[Link] = []
        at = self.path
        while at in by_path and by_path[at] not in chain:
            chain.insert(0, by_path[at])
            at = by_path[at].on
        await self.try_site(replace(self.site, links=tuple(chain)))

    async def remove_lines(self) -> None:
        await self._remove("lines", lambda line: True)

    async def remove_links(self) -> None:
        holders = {link.on for link in self.site.links} | {self.path}
        await self._remove("links", lambda link: link.path not in holders)

    async def _remove(self, name: str, removable: Callable[[Any], bool]) -> None:
        size = len(getattr(self.site, name)) // 2
        while size:
            at = 0
            while at < len(items := getattr(self.site, name)):
                part, rest = items[at : at + size], items[:at] + items[at + size :]
                changed: dict[str, Any] = {name: rest}
                if not (all(map(removable, part)) and await self.try_site(replace(self.site, **changed))):
                    at += size
            size //= 2

    async def use_usual_spelling(self, token: str) -> None:
        """Write lines and the crawler's name in their usual spelling."""
        for spelt in (_plain, lambda line: _with_name(line, token)):
            lines = tuple(map(spelt, self.site.lines))
            if not await self.try_site(replace(self.site, lines=lines)):
                for number, line in enumerate(lines):
                    await self._replace_line(number, line)

    async def _replace_line(self, number: int, line: str, path: str = "") -> bool:
        lines = (*self.site.lines[:number], line, *self.site.lines[number + 1 :])
        return await self.try_site(replace(self.site, lines=lines), path)

    async def move_to_start(self) -> None:
        """Move the link to the start page, and make it a link to a page."""
        if len(self.site.links) <= _MANY_LINKS and (link := self._link):
            await self.try_site(replace(self.site, links=(replace(link, on="/"),)))
        if len(self.site.links) == 1 and (link := self._link):
            await self.try_site(replace(self.site, links=(replace(link, kind=PAGE),)))

    async def use_plain_paths(self, token: str) -> None:
        """Replace the path by a simple one, and the deciding rule by that path, if possible."""
        rule = expected_answer(RobotsTxt.parse(self.site.robots_txt), token, self.path).rule
        link = self._link
        if rule is None or link is None:
            return
        number, field = rule.line - 1, "Allow" if rule.allow else "Disallow"
        plain = normalise(self.path)
        with_query = "/page.html?page=2" if "?" in plain else "/page.html"
        letters = _ESCAPE.sub("xxx", plain)  # as long and as deep, without an escape
        spelt = "/page.html", letters.partition("?")[0], with_query, letters, plain
        paths = (*((path, path) for path in spelt), (self.path, plain))
        for path, pattern in paths:
            others = [each for each in self.site.links if each.path == path and each != link]
            links = tuple(replace(each, path=path) if each == link else each for each in self.site.links)
            links = tuple(replace(each, on=path) if each.on == self.path else each for each in links)
            lines = (*self.site.lines[:number], f"{field}: {pattern}", *self.site.lines[number + 1 :])
            if not others and await self.try_site(replace(self.site, links=links, lines=lines), path):
                return


@dataclass(frozen=True, slots=True)
class Cause:
    """A requirement of RFC 9309 that a crawler breaks, and its section."""

    section: str
    requirement: str


def cause_of(site: RandomSite, token: str, path: str, *, closed: bool) -> Cause:
    """Return the cause of a disagreement on a minimised site: the first feature that could not be removed."""
    return next(_causes(site, token, path, closed=closed))


def _causes(site: RandomSite, token: str, path: str, *, closed: bool) -> Iterator[Cause]:
    lines = lines_of(site.robots_txt)[:-1]
    records = [(field.lower(), value) for line in lines for field, value in [_field(line)]]
    rules = [value for field, value in records if field in ("allow", "disallow")]
    kind = next((link.kind for link in site.links if link.path == path), PAGE)
    if len(site.links) > _MANY_LINKS:
        yield Cause("2.3.1.1", "It obeys in its first requests, but not in all.")
    if len(lines) > _MANY_LINES:
        yield Cause("2.5", f"It obeys a small file, but not one of {len(site.robots_txt):,} bytes.")
    if kind != PAGE:
        yield Cause("2.2.2", f"It obeys for links to pages, but not for a link of the kind {kind!r}.")
    if len(site.links) > 1:
        yield Cause("2.2.2", "It obeys for links on the start page, but not on other pages.")
    if site.newline != "\n":
        yield Cause("2.2", f"Lines can end with {'CR LF' if site.newline == chr(13) + chr(10) else 'CR'}.")
    yield from _causes_in_lines(lines, records)
    yield from _causes_in_groups(records, token)
    if "" in rules:
        yield Cause("2.2", "A rule without a path matches nothing.")
    if not closed and not rules:
        yield Cause("2.2.1", "A path that no rule matches is allowed.")
    if len(rules) > _MANY_RULES:
        yield Cause("2.3.1.5", "Every line is read, even after many rules.")
    if len(rules) > 1:
        yield Cause("2.2.2", "The longest of all matching rules decides.")
    yield from _causes_in_paths("".join(rules), path)
    yield Cause("2.2.2", "A rule matches every path that begins with it, and no other.")


def _causes_in_lines(lines: Sequence[str], records: Sequence[tuple[str, str]]) -> Iterator[Cause]:
    for line, (field, _) in zip(lines, records, strict=True):
        if not line.strip(" \t"):
            yield Cause("2.2", "An empty line does not end a group.")
        elif line.lstrip(" \t").startswith("#"):
            yield Cause("2.2.3", "A line that begins with # is a comment.")
        elif not field:
            yield Cause("2.3.1.5", "An invalid line is skipped.")
        elif field not in _KNOWN:
            yield Cause("2.2.4", "Another record does not end a group.")
        elif "#" in line:
            yield Cause("2.2.3", "A # after a value begins a comment.")
        elif line != _plain(line):
            yield Cause("2.2", "Field names are case-insensitive, and can have white space around them.")


def _causes_in_groups(records: Sequence[tuple[str, str]], token: str) -> Iterator[Cause]:
    groups: list[list[str]] = []
    in_names = False
    for field, value in records:
        if field == "user-agent":
            if not in_names:
                groups.append([])
            groups[-1].append(value)
        in_names = field == "user-agent" or (in_names and field not in ("allow", "disallow"))
    own = [group for group in groups if token.lower() in map(str.lower, group)]
    if len(groups) > _MANY_GROUPS:
        yield Cause("2.3.1.5", "Every line is read, even after many groups.")
    if len(own) > 1:
        yield Cause("2.2.1", "The groups that name it are combined.")
    if any(len(group) > 1 for group in own or groups):
        yield Cause("2.1", "A group can name several crawlers.")
    if own and any("*" in group for group in groups if group not in own):
        yield Cause("2.2.1", "The group that names it applies, not the group for all crawlers (*).")
    if any(token.lower() == name.lower() and token != name for group in own for name in group):
        yield Cause("2.2.1", "Its name is case-insensitive.")
    if len(groups) > 1:
        yield Cause("2.2.1", "A group applies to the crawlers that it names, and the group * to all others.")


def _causes_in_paths(patterns: str, path: str) -> Iterator[Cause]:
    if "*" in patterns:
        yield Cause("2.2.3", "* matches any sequence of characters.")
    if "$" in patterns:
        yield Cause("2.2.3", "$ matches the end of the path.")
    if "%" in patterns + path or not (patterns + path).isascii():
        yield Cause("2.2.2", "Paths are compared percent-encoded, except for unreserved characters.")
    if "?" in path:
        yield Cause("2.2.2", "A path is compared including its query.")


def _field(line: str) -> tuple[str, str]:
    match = _LINE.fullmatch(line)
    return (match["field"], match["value"]) if match else ("", "")


def _with_name(line: str, token: str) -> str:
    """Return a line with the crawler's name in the crawler's own spelling."""
    field, value = _field(line)
    needs_token = field.lower() == "user-agent" and value.lower() == token.lower()
    return line.replace(value, token) if needs_token and token else line


def _plain(line: str) -> str:
    """Return a known record in its usual spelling, and any other line unchanged."""
    field, value = _field(line)
    known = _KNOWN.get(field.lower())
    return f"{known}: {value}".rstrip(" ") if known else line
