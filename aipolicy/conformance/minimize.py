"""The smallest site on which a crawler disagrees, and the section that it breaks there.

Each step leaves something out, and the crawler is tried on what remains: what stays is needed. So the
smallest site tells why: a line that can be left out has no part in it.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aipolicy.conformance.expected_answer import ruling
from aipolicy.conformance.random_site import PAGE, Link, RandomSite
from aipolicy.core.paths import normalise
from aipolicy.robotstxt.parser import RobotsTxt, lines_of

_MOST_RUNS = 150
_MANY_LINES, _MANY_LINKS, _MANY_GROUPS, _MANY_RULES = 60, 12, 3, 5
_LINE = re.compile(
    r"(?P<before>[ \t]*)(?P<field>[^:#]*?)(?P<space>[ \t]*):[ \t]*(?P<value>[^#]*?)[ \t]*(?P<comment>#.*)?"
)
_ESCAPE = re.compile("%[0-9A-F]{2}")
_KNOWN = {"user-agent": "User-agent", "allow": "Allow", "disallow": "Disallow"}

Shows = Callable[[RandomSite, str], Awaitable[bool]]
"""Tries the crawler on a site: returns True if it disagrees about this path."""


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest site found, the path that the crawler disagrees about there, and how often it was run."""

    site: RandomSite
    path: str
    runs: int


async def shrunk(site: RandomSite, path: str, token: str, shows: Shows) -> Shrunk:
    """Leave out of a site what has no part in a disagreement about a path."""
    shrinking = _Shrinking(site, path, shows)
    await shrinking.keep_links_to_path()
    await shrinking.try_out(replace(shrinking.site, newline="\n"))
    await shrinking.leave_out_lines()
    await shrinking.spell_plainly(token)
    await shrinking.leave_out_lines()
    await shrinking.leave_out_links()
    await shrinking.move_to_start()
    await shrinking.use_plain_paths(token)
    return Shrunk(shrinking.site, shrinking.path, shrinking.runs)


class _Shrinking:
    def __init__(self, site: RandomSite, path: str, shows: Shows) -> None:
        self.site, self.path, self._shows, self.runs = site, path, shows, 0

    async def try_out(self, smaller: RandomSite, path: str = "") -> bool:
        """Take another site instead, and path, if it shows the disagreement."""
        path = path or self.path
        if (smaller, path) == (self.site, self.path) or self.runs >= _MOST_RUNS:
            return False
        self.runs += 1
        if await self._shows(smaller, path):
            self.site, self.path = smaller, path
            return True
        return False

    @property
    def _link(self) -> Link | None:
        """The link to the path; the page that a crawl begins with needs none."""
        return next((link for link in self.site.links if link.path == self.path), None)

    async def keep_links_to_path(self) -> None:
        """Keep the links that lead to the path, and no other."""
        by_path = {link.path: link for link in self.site.links}
        chain: list[Link] = []
        at = self.path
        while at in by_path and by_path[at] not in chain:
            chain.insert(0, by_path[at])
            at = by_path[at].on
        await self.try_out(replace(self.site, links=tuple(chain)))

    async def leave_out_lines(self) -> None:
        await self._leave_out("lines", lambda line: True)

    async def leave_out_links(self) -> None:
        holders = {link.on for link in self.site.links} | {self.path}
        await self._leave_out("links", lambda link: link.path not in holders)

    async def _leave_out(self, name: str, may_go: Callable[[Any], bool]) -> None:
        size = len(getattr(self.site, name)) // 2
        while size:
            at = 0
            while at < len(items := getattr(self.site, name)):
                part, kept = items[at : at + size], items[:at] + items[at + size :]
                changed: dict[str, Any] = {name: kept}
                if not (all(map(may_go, part)) and await self.try_out(replace(self.site, **changed))):
                    at += size
            size //= 2

    async def spell_plainly(self, token: str) -> None:
        """Write lines and the crawler's name as most people do."""
        for spelt in (_plain, lambda line: _with_name(line, token)):
            lines = tuple(map(spelt, self.site.lines))
            if not await self.try_out(replace(self.site, lines=lines)):
                for number, line in enumerate(lines):
                    await self._replace_line(number, line)

    async def _replace_line(self, number: int, line: str, path: str = "") -> bool:
        lines = (*self.site.lines[:number], line, *self.site.lines[number + 1 :])
        return await self.try_out(replace(self.site, lines=lines), path)

    async def move_to_start(self) -> None:
        """Put the link on the start page, and make it one to a page."""
        if len(self.site.links) <= _MANY_LINKS and (link := self._link):
            await self.try_out(replace(self.site, links=(replace(link, on="/"),)))
        if len(self.site.links) == 1 and (link := self._link):
            await self.try_out(replace(self.site, links=(replace(link, kind=PAGE),)))

    async def use_plain_paths(self, token: str) -> None:
        """Let the rule that decides be the path itself; and the path be a plain one, if it may."""
        rule = ruling(RobotsTxt.parse(self.site.robots_txt), token, self.path).rule
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
            if not others and await self.try_out(replace(self.site, links=links, lines=lines), path):
                return


@dataclass(frozen=True, slots=True)
class Cause:
    """A kind of mistake of crawlers, and the section of RFC 9309 that it breaks."""

    section: str
    says: str


def cause_of(site: RandomSite, token: str, path: str, *, closed: bool) -> Cause:
    """Return what a site that was made as small as can be is about: the first of what had to stay in it."""
    return next(_causes(site, token, path, closed=closed))


def _causes(site: RandomSite, token: str, path: str, *, closed: bool) -> Iterator[Cause]:
    lines = lines_of(site.robots_txt)[:-1]
    records = [(field.lower(), value) for line in lines for field, value in [_field(line)]]
    rules = [value for field, value in records if field in ("allow", "disallow")]
    kind = next((link.kind for link in site.links if link.path == path), PAGE)
    if len(site.links) > _MANY_LINKS:
        yield Cause("2.3.1.1", "It obeys in the first of its requests, and not in all.")
    if len(lines) > _MANY_LINES:
        yield Cause("2.5", f"It obeys a small file, and not one of {len(site.robots_txt):,} bytes.")
    if kind != PAGE:
        yield Cause("2.2.2", f"It obeys for pages, and not for a link of the kind {kind!r}.")
    if len(site.links) > 1:
        yield Cause("2.2.2", "It obeys on the page that a crawl begins with, and not on those behind it.")
    if site.newline != "\n":
        yield Cause("2.2", f"Lines may end with {'CR LF' if site.newline == chr(13) + chr(10) else 'CR'}.")
    yield from _causes_in_lines(lines, records)
    yield from _causes_in_groups(records, token)
    if "" in rules:
        yield Cause("2.2", "A rule without a path decides nothing.")
    if not closed and not rules:
        yield Cause("2.2.1", "Where no rule speaks of a path, it may be fetched.")
    if len(rules) > _MANY_RULES:
        yield Cause("2.3.1.5", "Every line is read, also where many rules stand.")
    if len(rules) > 1:
        yield Cause("2.2.2", "Of the rules that match, the longest decides; each rule counts.")
    yield from _causes_in_paths("".join(rules), path)
    yield Cause("2.2.2", "A rule decides on every path that begins with it, and on no other.")


def _causes_in_lines(lines: Sequence[str], records: Sequence[tuple[str, str]]) -> Iterator[Cause]:
    for line, (field, _) in zip(lines, records, strict=True):
        if not line.strip(" \t"):
            yield Cause("2.2", "An empty line ends no group.")
        elif line.lstrip(" \t").startswith("#"):
            yield Cause("2.2.3", "A line that begins with # is a comment.")
        elif not field:
            yield Cause("2.3.1.5", "A line that can't be read is skipped.")
        elif field not in _KNOWN:
            yield Cause("2.2.4", "Other records don't interfere: none ends a group.")
        elif "#" in line:
            yield Cause("2.2.3", "# begins a comment behind a value.")
        elif line != _plain(line):
            yield Cause("2.2", "Fields are known in any case, with white space around them.")


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
        yield Cause("2.3.1.5", "Every line is read, also where many groups stand.")
    if len(own) > 1:
        yield Cause("2.2.1", "The groups that name it are combined.")
    if any(len(group) > 1 for group in own or groups):
        yield Cause("2.1", "A group may name several crawlers.")
    if own and any("*" in group for group in groups if group not in own):
        yield Cause("2.2.1", "The group that names it binds it, and not the one for everyone.")
    if any(token.lower() == name.lower() and token != name for group in own for name in group):
        yield Cause("2.2.1", "Its name is its name in any case.")
    if len(groups) > 1:
        yield Cause("2.2.1", "A group binds those that it names, and a group for everyone all others.")


def _causes_in_paths(patterns: str, path: str) -> Iterator[Cause]:
    if "*" in patterns:
        yield Cause("2.2.3", "* is any sequence of characters.")
    if "$" in patterns:
        yield Cause("2.2.3", "$ is the end of the path.")
    if "%" in patterns + path or not (patterns + path).isascii():
        yield Cause("2.2.2", "Paths are compared percent-encoded, but for unreserved characters.")
    if "?" in path:
        yield Cause("2.2.2", "A path is compared with its query.")


def _field(line: str) -> tuple[str, str]:
    match = _LINE.fullmatch(line)
    return (match["field"], match["value"]) if match else ("", "")


def _with_name(line: str, token: str) -> str:
    """Return a line with the crawler's name as the crawler writes it."""
    field, value = _field(line)
    names_it = field.lower() == "user-agent" and value.lower() == token.lower()
    return line.replace(value, token) if names_it and token else line


def _plain(line: str) -> str:
    """Return a line of the protocol as most people write it, and any other as it is."""
    field, value = _field(line)
    known = _KNOWN.get(field.lower())
    return f"{known}: {value}".rstrip(" ") if known else line
