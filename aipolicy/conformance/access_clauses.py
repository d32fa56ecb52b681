"""Clauses of RFC 9309 §2.3 and §2.4: getting a robots.txt, what its absence means, and keeping it."""

from dataclasses import replace

from aipolicy.conformance.building import always, one_site, page, site, text
from aipolicy.conformance.clause import Clause, Level
from aipolicy.conformance.fixture import (
    BEGINNING,
    CLOSED,
    CONTROL,
    START,
    Answer,
    Authority,
    Place,
    Robots,
    Setting,
    Trap,
)
from aipolicy.conformance.verdicts import asked_for, by_pages, fresh, nothing_at_all, nothing_before_robots

_RULES = f"User-agent: *\nDisallow: {CLOSED}\n".encode()
_ANYTHING = b"User-agent: *\nAllow: /\n"
_WAITING = 6  # links to one port, on one page
_LIFE = 1.0  # seconds: the shortest that Cache-Control can say
_MARGIN = 2.0  # a busy machine may hand the crawler its copy late: its life begins then
_HOPS = (301, 302, 307, 308, 301)


def _redirect(status: int, to: str) -> Answer:
    return Answer(b"", status, (("Location", to),))


def _moved(setting: Setting) -> Trap:
    moved = always(_redirect(301, f"http://{setting.at['second']}/robots.txt"))
    places = Place(CLOSED), Place(CONTROL)
    authorities = site(moved, places, setting.at) | {"second": Authority(always(text(_RULES)))}
    return Trap(authorities, places[1:], places[:1], rules={START: _RULES})


def _moved_often(setting: Setting) -> Trap:
    hops = [f"http://{setting.at[START]}/hops/{number}.txt" for number in range(1, len(_HOPS) + 1)]
    redirects = [_redirect(status, to) for status, to in zip(_HOPS, hops, strict=True)]
    answers = [*redirects[1:], text(_RULES)]
    more = {f"/hops/{number}.txt": answer for number, answer in enumerate(answers, 1)}
    places = Place(CLOSED), Place(CONTROL)
    authorities = site(always(redirects[0]), places, setting.at, more)
    return Trap(authorities, places[1:], places[:1], rules={START: _RULES})


def _unavailable(status: int) -> Trap:
    robots = always(replace(page("No such file"), status=status))
    places = (Place("/page.html"),)
    return Trap(site(robots, places, {}), free=(BEGINNING, *places))


def _unreachable(robots: Answer, because: str) -> Trap:
    return Trap(site(always(robots), (Place("/page.html"),), {}), because=because)


def _refused(setting: Setting) -> Trap:
    moved = _redirect(301, f"http://{setting.at['refusing']}/robots.txt")
    return _unreachable(moved, "robots.txt redirects to where connections are refused")


def _two_authorities(setting: Setting) -> Trap:
    # No two requests wait for the second port's robots.txt at a time: one link leads there, until it is read.
    rules = {name: f"User-agent: *\nDisallow: /{name}.html\n".encode() for name in (START, "second")}
    forbidden = Place("/first.html"), Place("/second.html", "second")
    free = Place("/second.html"), Place("/first.html", "second")
    enter, onward, control = Place("/enter.html", "second"), Place("/onward.html"), Place(CONTROL, "second")
    there = [place for place in (*forbidden, *free, control) if place.authority == "second"]
    links = [f"http://{setting.at['second']}{place.path}" for place in there]
    more = {onward.path: replace(page("Onward", links), after="second")}
    authorities = site(always(text(rules[START])), (forbidden[0], free[0], enter, onward), setting.at, more)
    pages = {place.path: page(place.path) for place in (*there, enter)} | {"/": page("Start")}
    authorities |= {"second": Authority(always(text(rules["second"])), pages)}
    return Trap(authorities, (enter, control), forbidden, free, rules)


def _many_waiting(setting: Setting) -> Trap:
    # Several links lead to the second port at a time: all of them wait for its robots.txt.
    rules = b"User-agent: *\nDisallow: /private/\n"
    forbidden = tuple(Place(f"/private/{number}.html", "second") for number in range(_WAITING))
    control = Place(CONTROL, "second")
    pages = {place.path: page(place.path) for place in (*forbidden, control)}
    authorities = site(always(text(_ANYTHING)), (*forbidden, control), setting.at)
    authorities |= {"second": Authority(always(text(rules)), pages)}
    return Trap(authorities, (control,), forbidden, rules={"second": rules})


def _changing(setting: Setting) -> Trap:
    late, end = Place("/late.html"), Place("/end.html")
    changed = _RULES + f"Disallow: {late.path}\n".encode()
    life = (("Cache-Control", f"max-age={_LIFE:.0f}"),)

    def robots(_user_agent: str, age: float | None) -> Answer:
        return text(_RULES if age is None or age < _LIFE else changed, life)

    slow = replace(page("Slow", [late.path, end.path]), waits=_LIFE + _MARGIN)
    more = {"/slow.html": slow, late.path: page("Late"), end.path: page("End")}
    controls = Place("/slow.html"), end
    authorities = site(robots, controls[:1], setting.at, more)
    return Trap(authorities, controls, (late,), rules={START: changed})


def _nofollow(setting: Setting) -> Trap:
    marked = '<li><a rel="nofollow" href="/rel.html">/rel.html</a></li>'
    controls = Place("/meta.html"), Place("/header.html"), Place(CONTROL)
    behind = tuple(map(Place, ("/rel.html", "/behind-meta.html", "/behind-header.html")))
    robots: Robots = always(text(_RULES))
    authorities = site(robots, (), setting.at, {
        "/": page("Start", [place.path for place in controls], more=marked),
        "/meta.html": page("Meta", [behind[1].path], meta='<meta name="robots" content="nofollow">'),
        "/header.html": page("Header", [behind[2].path], headers=(("X-Robots-Tag", "nofollow"),)),
        **{place.path: page(place.path) for place in (*behind, controls[2])},
    })  # fmt: skip
    because = "the only link to it is marked nofollow"
    return Trap(authorities, controls, behind, rules={START: _RULES}, because=because)


ROBOTS_FIRST = Clause(
    "robots-first",
    "2.3",
    Level.IMPLIED,
    "It reads /robots.txt before anything else.",
    one_site(_RULES, forbidden=(CLOSED,)),
    nothing_before_robots,
)

ACCESS_CLAUSES = (
    Clause(
        "authority",
        "2.3",
        Level.IMPLIED,
        "Each port has a robots.txt of its own.",
        _two_authorities,
        by_pages,
        second=True,
    ),
    Clause(
        "waiting-requests",
        "2.2.1",
        Level.MUST,
        "It obeys in all requests that wait for one robots.txt.",
        _many_waiting,
        by_pages,
        second=True,
    ),
    Clause(
        "redirect",
        "2.3.1.2",
        Level.SHOULD,
        "It follows a redirect of /robots.txt to another authority.",
        _moved,
        asked_for(Place("/robots.txt", "second")),
        second=True,
    ),
    Clause(
        "redirect-rules",
        "2.3.1.2",
        Level.MUST,
        "It obeys the rules that a redirect of /robots.txt leads to, where it began.",
        _moved,
        by_pages,
        requires="redirect",
        second=True,
    ),
    Clause(
        "five-redirects",
        "2.3.1.2",
        Level.SHOULD,
        "It follows five redirects of /robots.txt.",
        _moved_often,
        asked_for(Place(f"/hops/{len(_HOPS)}.txt")),
        requires="redirect",
    ),
    Clause(
        "five-redirects-rules",
        "2.3.1.2",
        Level.MUST,
        "It obeys the rules that five redirects of /robots.txt lead to.",
        _moved_often,
        by_pages,
        requires="five-redirects",
    ),
    Clause(
        "status-404",
        "2.3.1.3",
        Level.MAY,
        "Where /robots.txt is not found, it may fetch anything.",
        lambda setting: _unavailable(404),
        by_pages,
    ),
    Clause(
        "status-403",
        "2.3.1.3",
        Level.MAY,
        "Where /robots.txt is refused by any other 4xx, too.",
        lambda setting: _unavailable(403),
        by_pages,
    ),
    Clause(
        "status-500",
        "2.3.1.4",
        Level.MUST,
        "Where /robots.txt is a server error, it fetches nothing.",
        lambda setting: _unreachable(Answer(b"", 500), "robots.txt was answered with 500"),
        nothing_at_all,
    ),
    Clause(
        "dropped",
        "2.3.1.4",
        Level.MUST,
        "Where the connection breaks under /robots.txt, it fetches nothing.",
        lambda setting: _unreachable(Answer(hangs_up=True), "the connection for robots.txt was dropped"),
        nothing_at_all,
    ),
    Clause(
        "refused",
        "2.3.1.4",
        Level.MUST,
        "Where the connection for /robots.txt is refused, it fetches nothing.",
        _refused,
        nothing_at_all,
        requires="redirect",
        refusing=True,
    ),
    Clause(
        "cache",
        "2.4",
        Level.MAY,
        "It reads /robots.txt again when its copy is stale, as Cache-Control says.",
        _changing,
        fresh,
        claim="cache",
    ),
    Clause(
        "nofollow",
        "\N{EN DASH}",
        Level.CLAIM,
        "It follows no link that is marked nofollow: by rel, by robots meta tag, by X-Robots-Tag.",
        _nofollow,
        by_pages,
        claim="nofollow",
    ),
)
