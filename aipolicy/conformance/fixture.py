"""Fixtures: small test sites whose pages show if a crawler obeys their robots.txt."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from html import escape

from aipolicy.core.paths import normalise

START = "first"
"""The authority where a crawl begins."""

CLOSED, CONTROL = "/closed.html", "/control.html"
"""Paths of the pages that most fixtures need: a disallowed one, and one that no rule matches."""

OTHER_TOKEN = "SomebodyElse"  # noqa: S105 (a product token)

Headers = tuple[tuple[str, str], ...]

_HTML = ("Content-Type", "text/html; charset=utf-8")
_TEXT = ("Content-Type", "text/plain; charset=utf-8")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">{meta}<title>{title}</title></head>
<body><h1>{title}</h1><p>A page of a small site that tests which links a crawler follows.</p>
<ul>{links}</ul></body></html>
"""


@dataclass(frozen=True, slots=True)
class ServedResponse:
    """A response of the test server.

    Attributes:
        body: The body.
        status: The status code.
        headers: The headers.
        hangs_up: True to close the connection without a response.
        waits: Seconds after the first response to /robots.txt before which this one isn't sent.
        after: An authority whose /robots.txt is served first, if it is requested at all.
    """

    body: bytes = b""
    status: int = 200
    headers: Headers = ()
    hangs_up: bool = False
    waits: float = 0.0
    after: str = ""


Robots = Callable[[str, float | None], ServedResponse]
"""Returns /robots.txt for a User-Agent, that many seconds after its first response (None before it)."""


@dataclass(frozen=True, slots=True)
class Authority:
    """The scope of a robots.txt: a scheme, host and port (RFC 9309 §2.3). ``pages`` is by normalised path."""

    robots: Robots
    pages: Mapping[str, ServedResponse] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PageLink:
    """A page, with the spelling of the link to it.

    Attributes:
        path: The path in the link.
        authority: The authority of the page.
        read_as: A path without a link, which a crawler requests only if it misreads this link.
    """

    path: str
    authority: str = START
    read_as: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.authority, normalise(self.path)

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """``key``, and the key of the misread link."""
        return (self.key, (self.authority, normalise(self.read_as))) if self.read_as else (self.key,)


START_PAGE = PageLink("/")
"""The page where a crawl begins, which needs no link."""


@dataclass(frozen=True, slots=True)
class FixtureSetup:
    """The values that a fixture is built with: a product token, and ``host:port`` of each authority."""

    token: str
    hosts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Fixture:
    """Test sites, and the pages that an obedient crawler fetches.

    Attributes:
        authorities: The sites.
        controls: Pages that it fetches; otherwise the clause is not tested.
        forbidden: Pages that it does not fetch.
        allowed: Pages that it fetches; otherwise it is over-cautious.
        rules: The robots.txt in force for each authority, after redirects.
        reason: The reason why the forbidden pages are forbidden, if no rule says so.
    """

    authorities: Mapping[str, Authority]
    controls: tuple[PageLink, ...] = ()
    forbidden: tuple[PageLink, ...] = ()
    allowed: tuple[PageLink, ...] = ()
    rules: Mapping[str, bytes] = field(default_factory=dict)
    reason: str = ""


def html_page(
    title: str, links: Iterable[str] = (), *, meta: str = "", more: str = "", headers: Headers = ()
) -> ServedResponse:
    """Return an HTML page with links to URLs; ``more`` is markup after the links."""
    items = "".join(f'<li><a href="{escape(url)}">{escape(url)}</a></li>' for url in links) + more
    text = _PAGE.format(title=escape(title), links=items, meta=meta)
    return ServedResponse(text.encode(), headers=(_HTML, *headers))


def text_response(body: bytes, headers: Headers = ()) -> ServedResponse:
    return ServedResponse(body, headers=(_TEXT, *headers))


def constant(response: ServedResponse) -> Robots:
    """Return a /robots.txt that is the same for every request."""
    return lambda _user_agent, _age: response


def linked_site(
    robots: Robots,
    links: Iterable[PageLink],
    hosts: Mapping[str, str],
    more: Mapping[str, ServedResponse] | None = None,
) -> dict[str, Authority]:
    """Return the first authority, whose start page has all links; ``more`` are further pages of it."""
    links = list(links)
    own = [link for link in links if link.authority == START]
    urls = [x.path if x.authority == START else f"http://{hosts[x.authority]}{x.path}" for x in links]
    pages = {normalise(link.path): html_page(link.path) for link in own}
    pages |= {"/": html_page("Start", [url for url in urls if url != "/"])} | dict(more or {})
    return {START: Authority(robots, pages)}


def single_site(
    robots: str | bytes, *, forbidden: tuple[str, ...] = (), allowed: tuple[str, ...] = ()
) -> Callable[[FixtureSetup], Fixture]:
    """Return a builder of a fixture with one authority.

    Args:
        robots: The robots.txt. TOKEN stands for the crawler's product token, OTHER for another one.
        forbidden: Paths of forbidden pages.
        allowed: Paths of allowed pages.
    """

    def build(setup: FixtureSetup) -> Fixture:
        body = robots.encode() if isinstance(robots, str) else robots
        body = body.replace(b"OTHER", OTHER_TOKEN.encode()).replace(b"TOKEN", setup.token.encode())
        closed, open_ = tuple(map(PageLink, forbidden)), tuple(map(PageLink, allowed))
        controls = (PageLink(CONTROL),)
        links = (*closed, *open_, *controls)  # the control last: a crawler that fetched it knows the others
        authorities = linked_site(constant(text_response(body)), links, setup.hosts)
        return Fixture(authorities, controls, closed, open_, {START: body})

    return build
