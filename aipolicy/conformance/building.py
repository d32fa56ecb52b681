"""Traps from a few lines: pages with links, and a robots.txt."""

from collections.abc import Callable, Iterable, Mapping
from html import escape

from aipolicy.conformance.fixture import (
    CONTROL,
    START,
    Answer,
    Authority,
    Headers,
    Place,
    Robots,
    Setting,
    Trap,
)
from aipolicy.core.paths import normalise

SOMEBODY_ELSE = "SomebodyElse"
_HTML = ("Content-Type", "text/html; charset=utf-8")
_TEXT = ("Content-Type", "text/plain; charset=utf-8")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">{meta}<title>{title}</title></head>
<body><h1>{title}</h1><p>One page of a small site that tells which links a crawler follows.</p>
<ul>{links}</ul></body></html>
"""


def page(
    title: str, links: Iterable[str] = (), *, meta: str = "", more: str = "", headers: Headers = ()
) -> Answer:
    """An HTML page with links to URLs; ``more`` is markup behind them."""
    items = "".join(f'<li><a href="{escape(url)}">{escape(url)}</a></li>' for url in links) + more
    text = _PAGE.format(title=escape(title), links=items, meta=meta)
    return Answer(text.encode(), headers=(_HTML, *headers))


def always(answer: Answer) -> Robots:
    return lambda _user_agent, _age: answer


def text(body: bytes, headers: Headers = ()) -> Answer:
    return Answer(body, headers=(_TEXT, *headers))


def site(
    robots: Robots, places: Iterable[Place], at: Mapping[str, str], more: Mapping[str, Answer] | None = None
) -> dict[str, Authority]:
    """Authorities on which the start page links to every place; ``more`` are further pages of the start."""
    places = list(places)
    own = [place for place in places if place.authority == START]
    links = [p.path if p.authority == START else f"http://{at[p.authority]}{p.path}" for p in places]
    pages = {normalise(place.path): page(place.path) for place in own}
    pages |= {"/": page("Start", [link for link in links if link != "/"])} | dict(more or {})
    return {START: Authority(robots, pages)}


def one_site(
    robots: str | bytes, *, forbidden: tuple[str, ...] = (), free: tuple[str, ...] = ()
) -> Callable[[Setting], Trap]:
    """A trap of one authority with this robots.txt, in which TOKEN and OTHER stand for product tokens."""

    def build(setting: Setting) -> Trap:
        body = filled(robots, setting.token)
        closed, open_ = tuple(map(Place, forbidden)), tuple(map(Place, free))
        controls = (Place(CONTROL),)
        places = (*closed, *open_, *controls)  # the control last: who came to it has seen the others
        authorities = site(always(text(body)), places, setting.at)
        return Trap(authorities, controls, closed, open_, {START: body})

    return build


def filled(robots: str | bytes, token: str) -> bytes:
    body = robots.encode() if isinstance(robots, str) else robots
    return body.replace(b"OTHER", SOMEBODY_ELSE.encode()).replace(b"TOKEN", token.encode())
