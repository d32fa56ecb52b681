"""Random sites from the grammar of RFC 9309, the same for the same seed.

A site is a robots.txt and pages that link to each other. The paths are made first and the rules from parts of
them, so that rules match. Cases that RFC 9309 leaves open are rare, and are not judged (``expected_answer``).
"""

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import TypeVar
from urllib.parse import quote, unquote

from aipolicy.conformance.clause import Clause, ClauseFinding, ClauseVerdict, Level
from aipolicy.conformance.expected_answer import decoded, expected_answer
from aipolicy.conformance.fixture import (
    START,
    Authority,
    Fixture,
    FixtureSetup,
    ServedResponse,
    constant,
    html_page,
    text_response,
)
from aipolicy.core.paths import normalise
from aipolicy.robotstxt.parser import RobotsTxt

PAGE, IMAGE, FEED, ENTRY = "page", "image", "feed", "entry"
"""Kinds of links: to a page, an image or a feed; and from a feed to a page."""

_NAMES = (
    "AlderFetch", "Birch_Index", "cedar-walk", "Dogwood", "ElmArchive", "fir-reader", "Gorse", "Hazel_Copy",
    "IvyMirror", "juniper", "Kauri-Scan", "LarchLens", "myrtle", "Nettle_News", "OakQuery", "poplar-pull",
)  # fmt: skip
_WORDS = (
    "about", "archive", "blog", "draft", "fruit", "garden", "house", "june", "letters", "music", "news",
    "notes", "photo", "post", "private", "recipe", "shop", "story", "tag", "travel",
    "café", "über", "naïve", "東京",
)  # fmt: skip
_RESERVED = ("%2F", "%3F", "%26", "%20", "%3D")
_RESERVED_ESCAPE = re.compile(f"({'|'.join(_RESERVED)})")
_RULE = re.compile(r"\s*(dis)?allow", re.IGNORECASE)
_QUERIES = ("?page=2", "?q=tea", "?id=7&sort=up", "?lang=de")
_RECORDS = ("Sitemap: /sitemap.xml", "Sitemap: /news/sitemap.xml", "Favourite-colour: green", "Contact: us")
_NOISE = ("<p>hello</p>", "this line says nothing", ": :", "---")
_COMMENTS = ("", "", "# a comment", "#", "# Disallow: /", "  # User-agent: *")
_GIF = bytes.fromhex("47494638396101000100800000000000ffffff2c00000000010001000002024401003b")
_FEED = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel><title>News</title>{}</channel></rss>
"""
_NO_ICON = '<link rel="icon" href="data:,">'  # so that browsers don't request /favicon.ico
_TRIES = 50  # to make a file that disallows some links, but not the start page

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Link:
    """A link on the page or feed with the path ``on``; ``path`` is its spelling."""

    kind: str
    path: str
    on: str = "/"


@dataclass(frozen=True, slots=True)
class RandomSite:
    """The lines of a robots.txt with their line end, and links that all start at ``/``."""

    lines: tuple[str, ...]
    links: tuple[Link, ...]
    newline: str = "\n"

    @property
    def robots_txt(self) -> bytes:
        return "".join(line + self.newline for line in self.lines).encode()

    def fixture(self, setup: FixtureSetup) -> Fixture:
        """Return the site as a fixture, which ``expected_answer`` judges."""
        pages = {normalise(link.path): self._answer(link, setup) for link in self.links}
        pages["/"] = self._page("Start", "/")
        rules = self.robots_txt
        return Fixture({START: Authority(constant(text_response(rules)), pages)}, rules={START: rules})

    def _answer(self, link: Link, setup: FixtureSetup) -> ServedResponse:
        if link.kind == IMAGE:
            return ServedResponse(_GIF, headers=(("Content-Type", "image/gif"),))
        if link.kind == FEED:
            urls = (
                f"http://{setup.hosts[START]}{_sendable(entry.path)}" for entry in self._links_on(link.path)
            )
            items = "".join(f"<item><title>x</title><link>{escape(url)}</link></item>" for url in urls)
            return ServedResponse(
                _FEED.format(items).encode(), headers=(("Content-Type", "application/rss+xml"),)
            )
        return self._page(link.path, link.path)

    def _page(self, title: str, path: str) -> ServedResponse:
        links = self._links_on(path)
        images = (f'<img alt="x" src="{escape(link.path)}">' for link in links if link.kind == IMAGE)
        rss = 'rel="alternate" type="application/rss+xml"'
        feeds = (f'<link {rss} href="{escape(link.path)}">' for link in links if link.kind == FEED)
        pages = [link.path for link in links if link.kind in (PAGE, ENTRY)]
        return html_page(title, pages, meta=_NO_ICON + "".join(feeds), more="".join(images))

    def _links_on(self, path: str) -> list[Link]:
        return [link for link in self.links if link.on == path]


def clause_of(site: RandomSite) -> Clause:
    """Return a clause with the site as its fixture, for ``Server``."""

    def judge(_fixture: Fixture, _recording: object, _token: str) -> ClauseFinding:
        return ClauseFinding(ClauseVerdict.NOT_TESTED)

    return Clause("random", "2.2", Level.MUST, "It obeys.", site.fixture, judge)


def open_site() -> RandomSite:
    """Return a site with every kind of link, and no rules."""
    links = (
        Link(PAGE, "/page.html"), Link(PAGE, "/next.html", "/page.html"), Link(IMAGE, "/image.gif"),
        Link(FEED, "/feed.xml"), Link(ENTRY, "/entry.html", "/feed.xml"),
    )  # fmt: skip
    return without_rules(RandomSite((), links))


def without_rules(site: RandomSite) -> RandomSite:
    """Return the site without rules."""
    return RandomSite(("# Everything may be fetched.",), site.links)


def random_site(seed: int, number: int, token: str, names: Iterable[str] = ()) -> RandomSite:
    """Return the site with that number.

    Args:
        seed: The seed of all sites.
        number: The number of this site.
        token: The crawler's product token; "" if unknown, so that no group names it.
        names: Other names that the crawler may obey, which no other group has.
    """
    maker = _Maker(random.Random(f"{seed}:{number}"), token, tuple(names))  # noqa: S311 (no secret)
    return maker.site()


def _sendable(path: str) -> str:
    return quote(path, safe="/?=&%")


class _Maker:
    """A generator of one site."""

    def __init__(self, rng: random.Random, token: str, names: tuple[str, ...]) -> None:
        self._rng, self._token = rng, token
        own = [name.lower() for name in (token, *names) if name]
        self._others = [name for name in _NAMES if not any(_alike(name.lower(), mine) for mine in own)]

    def site(self) -> RandomSite:
        links = self._links()
        newline = self._rng.choices(("\n", "\r\n", "\r"), (8, 2, 1))[0]
        for _ in range(_TRIES):
            site = RandomSite(tuple(self._file(links)), links, newline)
            robots = RobotsTxt.parse(site.robots_txt)
            answers = [
                expected_answer(robots, self._token, link.path).allowed for link in links if link.on == "/"
            ]
            if expected_answer(robots, self._token, "/").allowed and False in answers and True in answers:
                break
        return site

    # Links

    def _links(self) -> tuple[Link, ...]:
        rng = self._rng
        count = rng.choice((6, 8, 10, 14, 20, 30)) if rng.random() < 0.93 else rng.randint(80, 140)
        links: list[Link] = []
        holders = ["/"]
        known = {"/"}
        while len(links) < count:
            on = rng.choice(holders[:6]) if rng.random() < 0.4 else "/"
            feed = any(link.path == on and link.kind == FEED for link in links)
            kind = ENTRY if feed else rng.choices((PAGE, IMAGE, FEED), (7, 2, 1))[0]
            path = self._path(kind)
            if (key := decoded(path).lower()) in known:
                continue
            known.add(key)
            links.append(Link(kind, path, on))
            if kind != IMAGE:
                holders.append(path)
        return tuple(links)

    def _path(self, kind: str) -> str:
        rng = self._rng
        parts = [self._word() for _ in range(rng.choice((1, 1, 2, 2, 3)))]
        path = "/" + "/".join(parts)
        path += {IMAGE: ".gif", FEED: ".xml"}.get(kind, rng.choice((".html", ".html", "/", "", ".htm")))
        if kind in (PAGE, ENTRY) and rng.random() < 0.2:
            path += rng.choice(_QUERIES)
        return path

    def _word(self) -> str:
        rng = self._rng
        word = rng.choice(_WORDS) + rng.choice(("", "", "-1", "2", "_x", ".old"))
        if rng.random() < 0.12:
            word += rng.choice(_RESERVED) + rng.choice(_WORDS)
        if rng.random() < 0.3:
            word = _sendable(word)
        if rng.random() < 0.08:  # an unnecessary escape, which must be decoded before the comparison
            word = f"%{ord(word[0]):02X}{word[1:]}" if word[0].isascii() and word[0].isalpha() else word
        return word

    # The file

    def _file(self, links: tuple[Link, ...]) -> Iterator[str]:
        rng = self._rng
        yield from self._between()
        if rng.random() < 0.1:
            yield self._rule(links)  # outside any group
        for names in self._groups():
            for number, name in enumerate(names):
                yield self._spell("User-agent", name)
                if number + 1 < len(names) and rng.random() < 0.2:
                    yield from self._other_record()
            yield from self._other_record(0.3)
            rules = list(self._rules(links))
            yield from rules
            # User-agent lines continue after empty lines and other records. RFC 9309 doesn't say if they
            # also continue after an invalid line.
            yield from self._between(noise=any(map(_RULE.match, rules)))

    def _groups(self) -> list[list[str]]:
        """Return the names of each group, in their order."""
        rng = self._rng
        count = rng.choice((0, 1, 2, 3, 5)) if rng.random() < 0.85 else rng.randint(8, 40)
        groups = [rng.sample(self._others, rng.choice((1, 1, 1, 2, 3))) for _ in range(count)]
        own = rng.choice((0, 1, 1, 2, 3)) if self._token else 0
        for _ in range(own):
            others = rng.sample(self._others, rng.choice((0, 0, 1, 2)))
            groups.append(self._shuffled([self._own_name(), *others]))
        if own == 0 or rng.random() < 0.5:
            groups.append(self._shuffled(["*", *rng.sample(self._others, rng.choice((0, 0, 0, 1)))]))
        return self._shuffled(groups)

    def _own_name(self) -> str:
        return self._rng.choice((self._token, self._token, self._token.lower(), self._token.upper()))

    def _rules(self, links: tuple[Link, ...]) -> Iterator[str]:
        rng = self._rng
        size = rng.random()
        if size < 0.04:
            count = rng.choice((200, 400, 1200))
        else:
            count = rng.choice((0, 1, 1, 2, 3, 4)) if size < 0.9 else rng.randint(8, 40)
        for number in range(count):
            long = count > 100 and number < count - 2
            yield f"Disallow: /elsewhere/{number:05d}/{rng.choice(_WORDS)}" if long else self._rule(links)
            yield from self._between(0.12)

    def _rule(self, links: tuple[Link, ...]) -> str:
        rng = self._rng
        allow = rng.random() < 0.35
        return self._spell("Allow" if allow else "Disallow", self._pattern(rng.choice(links).path))

    def _pattern(self, path: str) -> str:
        """Return a path pattern that may match this path, or others."""
        rng = self._rng
        if rng.random() < 0.06:
            return ""
        if rng.random() < 0.08:
            return "/" + rng.choice(_WORDS)
        units = [self._unit(unit) for unit in _units(path)]
        cut = rng.random()
        end = len(units) if cut < 0.35 else rng.randint(1 if cut > 0.97 else min(3, len(units)), len(units))
        complete, units = end == len(units), units[:end]
        if rng.random() < 0.2 and len(units) > 2:
            begin = rng.randint(1, len(units) - 1)
            units[begin : rng.randint(begin, len(units))] = ["*"]
        if complete and rng.random() < 0.2:
            units.append("$")
        return "".join(units)

    def _unit(self, unit: str) -> str:
        if unit.isascii():
            return unit
        return _sendable(unit) if self._rng.random() < 0.5 else unit

    def _between(self, probability: float = 0.4, *, noise: bool = True) -> Iterator[str]:
        """Yield lines that can be between any two rules."""
        if self._rng.random() < probability:
            yield self._rng.choice(_COMMENTS)
        yield from self._other_record(probability / 3)
        if self._rng.random() < probability / 6:
            unreadable = self._rng.choice(_NOISE)
            if noise:
                yield unreadable

    def _other_record(self, probability: float = 1.0) -> Iterator[str]:
        if self._rng.random() < probability:
            yield self._rng.choice((*_RECORDS, "", "# between"))

    def _spell(self, field: str, value: str) -> str:
        """Return a line, sometimes in an unusual but valid spelling."""
        rng = self._rng
        if rng.random() < 0.7:
            return f"{field}: {value}"
        field = rng.choice((field, field.lower(), field.upper()))
        before, after = rng.choice(("", "", " ", "\t")), rng.choice(("", " ", "  ", "\t"))
        tail = rng.choice(("", "", "", " ", "# no", " # a comment"))
        return f"{before}{field}{rng.choice(('', '', ' '))}:{after}{value}{tail}"

    def _shuffled(self, items: list[_Item]) -> list[_Item]:
        self._rng.shuffle(items)
        return items


def _alike(one: str, other: str) -> bool:
    """Return True if some crawlers would confuse the names."""
    return one[:4] == other[:4] or one in other or other in one


def _units(path: str) -> list[str]:
    """Return the characters of a path: escapes of reserved characters stay, others are decoded."""
    parts = _RESERVED_ESCAPE.split(path)
    return [unit for part in parts for unit in ([part] if part in _RESERVED else unquote(part))]
