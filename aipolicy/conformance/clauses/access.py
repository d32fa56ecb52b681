"""Clauses of RFC 9309 §2.3 and §2.4: fetching robots.txt, errors, and caching."""

from dataclasses import replace

from aipolicy.conformance.clause import Clause, Level
from aipolicy.conformance.fixture import (
    CLOSED,
    CONTROL,
    START,
    START_PAGE,
    Authority,
    Fixture,
    FixtureSetup,
    PageLink,
    Robots,
    ServedResponse,
    constant,
    html_page,
    linked_site,
    single_site,
    text_response,
)
from aipolicy.conformance.verdicts import (
    judge_cache,
    judge_no_fetch,
    judge_pages,
    judge_request_for,
    judge_robots_first,
)

_RULES = f"User-agent: *\nDisallow: {CLOSED}\n".encode()
_ANYTHING = b"User-agent: *\nAllow: /\n"
_WAITING = 6  # links to one port, on one page
_LIFETIME = 1.0  # seconds: the shortest lifetime in Cache-Control
_MARGIN = 2.0  # seconds: on a busy machine the crawler gets its copy late
_HOPS = (301, 302, 307, 308, 301)


def _redirect(status: int, to: str) -> ServedResponse:
    return ServedResponse(b"", status, (("Location", to),))


def _moved(setup: FixtureSetup) -> Fixture:
    moved = constant(_redirect(301, f"http://{setup.hosts['second']}/robots.txt"))
    links = PageLink(CLOSED), PageLink(CONTROL)
    authorities = linked_site(moved, links, setup.hosts) | {
        "second": Authority(constant(text_response(_RULES)))
    }
    return Fixture(authorities, links[1:], links[:1], rules={START: _RULES})


def _moved_often(setup: FixtureSetup) -> Fixture:
    hops = [f"http://{setup.hosts[START]}/hops/{number}.txt" for number in range(1, len(_HOPS) + 1)]
    redirects = [_redirect(status, to) for status, to in zip(_HOPS, hops, strict=True)]
    answers = [*redirects[1:], text_response(_RULES)]
    more = {f"/hops/{number}.txt": answer for number, answer in enumerate(answers, 1)}
    links = PageLink(CLOSED), PageLink(CONTROL)
    authorities = linked_site(constant(redirects[0]), links, setup.hosts, more)
    return Fixture(authorities, links[1:], links[:1], rules={START: _RULES})


def _unavailable(status: int) -> Fixture:
    robots = constant(replace(html_page("No such file"), status=status))
    links = (PageLink("/page.html"),)
    return Fixture(linked_site(robots, links, {}), allowed=(START_PAGE, *links))


def _unreachable(robots: ServedResponse, reason: str) -> Fixture:
    return Fixture(linked_site(constant(robots), (PageLink("/page.html"),), {}), reason=reason)


def _refused(setup: FixtureSetup) -> Fixture:
    moved = _redirect(301, f"http://{setup.hosts['refusing']}/robots.txt")
    return _unreachable(moved, "robots.txt redirects to a port that refuses connections")


def _two_authorities(setup: FixtureSetup) -> Fixture:
    # Only one link leads to the second port until its robots.txt is read, so that one request waits for it.
    rules = {name: f"User-agent: *\nDisallow: /{name}.html\n".encode() for name in (START, "second")}
    forbidden = PageLink("/first.html"), PageLink("/second.html", "second")
    allowed = PageLink("/second.html"), PageLink("/first.html", "second")
    enter, onward, control = (
        PageLink("/enter.html", "second"),
        PageLink("/onward.html"),
        PageLink(CONTROL, "second"),
    )
    second = [link for link in (*forbidden, *allowed, control) if link.authority == "second"]
    urls = [f"http://{setup.hosts['second']}{link.path}" for link in second]
    more = {onward.path: replace(html_page("Onward", urls), after="second")}
    authorities = linked_site(
        constant(text_response(rules[START])), (forbidden[0], allowed[0], enter, onward), setup.hosts, more
    )
    pages = {link.path: html_page(link.path) for link in (*second, enter)} | {"/": html_page("Start")}
    authorities |= {"second": Authority(constant(text_response(rules["second"])), pages)}
    return Fixture(authorities, (enter, control), forbidden, allowed, rules)


def _many_waiting(setup: FixtureSetup) -> Fixture:
    # Several links lead to the second port at once, so that several requests wait for its robots.txt.
    rules = b"User-agent: *\nDisallow: /private/\n"
    forbidden = tuple(PageLink(f"/private/{number}.html", "second") for number in range(_WAITING))
    control = PageLink(CONTROL, "second")
    pages = {link.path: html_page(link.path) for link in (*forbidden, control)}
    authorities = linked_site(constant(text_response(_ANYTHING)), (*forbidden, control), setup.hosts)
    authorities |= {"second": Authority(constant(text_response(rules)), pages)}
    return Fixture(authorities, (control,), forbidden, rules={"second": rules})


def _changing(setup: FixtureSetup) -> Fixture:
    late, end = PageLink("/late.html"), PageLink("/end.html")
    changed = _RULES + f"Disallow: {late.path}\n".encode()
    life = (("Cache-Control", f"max-age={_LIFETIME:.0f}"),)

    def robots(_user_agent: str, age: float | None) -> ServedResponse:
        return text_response(_RULES if age is None or age < _LIFETIME else changed, life)

    slow = replace(html_page("Slow", [late.path, end.path]), waits=_LIFETIME + _MARGIN)
    more = {"/slow.html": slow, late.path: html_page("Late"), end.path: html_page("End")}
    controls = PageLink("/slow.html"), end
    authorities = linked_site(robots, controls[:1], setup.hosts, more)
    return Fixture(authorities, controls, (late,), rules={START: changed})


def _nofollow(setup: FixtureSetup) -> Fixture:
    marked = '<li><a rel="nofollow" href="/rel.html">/rel.html</a></li>'
    controls = PageLink("/meta.html"), PageLink("/header.html"), PageLink(CONTROL)
    unfollowed = tuple(map(PageLink, ("/rel.html", "/behind-meta.html", "/behind-header.html")))
    robots: Robots = constant(text_response(_RULES))
    authorities = linked_site(robots, (), setup.hosts, {
        "/": html_page("Start", [link.path for link in controls], more=marked),
        "/meta.html": html_page("Meta", [unfollowed[1].path], meta='<meta name="robots" content="nofollow">'),
        "/header.html": html_page("Header", [unfollowed[2].path], headers=(("X-Robots-Tag", "nofollow"),)),
        **{link.path: html_page(link.path) for link in (*unfollowed, controls[2])},
    })  # fmt: skip
    reason = "the only link to it is marked nofollow"
    return Fixture(authorities, controls, unfollowed, rules={START: _RULES}, reason=reason)


ROBOTS_FIRST = Clause(
    "robots-first",
    "2.3",
    Level.IMPLIED,
    "It reads /robots.txt before anything else.",
    single_site(_RULES, forbidden=(CLOSED,)),
    judge_robots_first,
)

ACCESS_CLAUSES = (
    Clause(
        "authority",
        "2.3",
        Level.IMPLIED,
        "Each host and port has its own robots.txt.",
        _two_authorities,
        judge_pages,
        second=True,
    ),
    Clause(
        "waiting-requests",
        "2.2.1",
        Level.MUST,
        "It obeys in every request that waits for the same robots.txt.",
        _many_waiting,
        judge_pages,
        second=True,
    ),
    Clause(
        "redirect",
        "2.3.1.2",
        Level.SHOULD,
        "It follows a redirect of /robots.txt to another authority.",
        _moved,
        judge_request_for(PageLink("/robots.txt", "second")),
        second=True,
    ),
    Clause(
        "redirect-rules",
        "2.3.1.2",
        Level.MUST,
        "It applies the rules of a redirected /robots.txt to the host that redirects.",
        _moved,
        judge_pages,
        requires="redirect",
        second=True,
    ),
    Clause(
        "five-redirects",
        "2.3.1.2",
        Level.SHOULD,
        "It follows five redirects of /robots.txt.",
        _moved_often,
        judge_request_for(PageLink(f"/hops/{len(_HOPS)}.txt")),
        requires="redirect",
    ),
    Clause(
        "five-redirects-rules",
        "2.3.1.2",
        Level.MUST,
        "It obeys the rules after five redirects of /robots.txt.",
        _moved_often,
        judge_pages,
        requires="five-redirects",
    ),
    Clause(
        "status-404",
        "2.3.1.3",
        Level.MAY,
        "If /robots.txt is not found (404), it may fetch everything.",
        lambda setup: _unavailable(404),
        judge_pages,
    ),
    Clause(
        "status-403",
        "2.3.1.3",
        Level.MAY,
        "If /robots.txt has another 4xx status (403), it may fetch everything.",
        lambda setup: _unavailable(403),
        judge_pages,
    ),
    Clause(
        "status-500",
        "2.3.1.4",
        Level.MUST,
        "If /robots.txt has a server error (500), it fetches nothing.",
        lambda setup: _unreachable(ServedResponse(b"", 500), "robots.txt has the status 500"),
        judge_no_fetch,
    ),
    Clause(
        "dropped",
        "2.3.1.4",
        Level.MUST,
        "If the connection for /robots.txt breaks, it fetches nothing.",
        lambda setup: _unreachable(
            ServedResponse(hangs_up=True), "the connection for robots.txt was dropped"
        ),
        judge_no_fetch,
    ),
    Clause(
        "refused",
        "2.3.1.4",
        Level.MUST,
        "If the connection for /robots.txt is refused, it fetches nothing.",
        _refused,
        judge_no_fetch,
        requires="redirect",
        refusing=True,
    ),
    Clause(
        "cache",
        "2.4",
        Level.MAY,
        "It reads /robots.txt again when Cache-Control says that its copy is stale.",
        _changing,
        judge_cache,
        claim="cache",
    ),
    Clause(
        "nofollow",
        "\N{EN DASH}",
        Level.CLAIM,
        "It follows no nofollow link (rel attribute, robots meta tag or X-Robots-Tag).",
        _nofollow,
        judge_pages,
        claim="nofollow",
    ),
)
