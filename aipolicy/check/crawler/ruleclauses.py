"""Clauses of RFC 9309 §2.2.2 and §2.2.3: which rule decides, and which paths it matches."""

from aipolicy.check.crawler.building import always, one_site, page, site, text
from aipolicy.check.crawler.clause import Clause, Level
from aipolicy.check.crawler.judging import by_pages
from aipolicy.check.crawler.trap import CLOSED, CONTROL, START, Answer, Place, Setting, Trap

_SECTION = "2.2.2"
_ALL = "User-agent: *\n"


def _redirected(setting: Setting) -> Trap:
    robots = f"{_ALL}Disallow: {CLOSED}\n".encode()
    onward = {"/go.html": Answer(b"", 302, (("Location", CLOSED),)), CLOSED: page("Closed")}
    controls = Place("/go.html"), Place(CONTROL)
    authorities = site(always(text(robots)), controls, setting.at, onward)
    return Trap(authorities, controls, (Place(CLOSED),), rules={START: robots})


RULE_CLAUSES = (
    Clause(
        "longest-match",
        _SECTION,
        Level.MUST,
        "The longest matching rule decides, wherever it stands.",
        one_site(
            f"{_ALL}Allow: /\nDisallow: /shut/\nAllow: /shut/open.html\n"
            "Disallow: /rest/closed.html\nAllow: /rest/\n",
            forbidden=("/shut/closed.html", "/rest/closed.html"),
            free=("/shut/open.html",),
        ),
        by_pages,
    ),
    Clause(
        "ties",
        _SECTION,
        Level.SHOULD,
        "Allow wins over a Disallow of the same length.",
        one_site(
            f"{_ALL}Allow: /one.html\nDisallow: /one.html\nDisallow: /two.html\nAllow: /two.html\n",
            free=("/one.html", "/two.html"),
        ),
        by_pages,
    ),
    Clause(
        "path-case",
        _SECTION,
        Level.MUST,
        "Paths are compared with their case.",
        one_site(
            f"{_ALL}Disallow: /Shut/\nDisallow: /rest/\nAllow: /REST/open.html\n",
            forbidden=("/Shut/page.html", "/rest/open.html"),
            free=("/shut/page.html",),
        ),
        by_pages,
    ),
    Clause(
        "query",
        _SECTION,
        Level.MUST,
        "A rule may speak of the query, too.",
        one_site(f"{_ALL}Disallow: /find.html?q=\n", forbidden=("/find.html?q=1",), free=("/find.html",)),
        by_pages,
    ),
    Clause(
        "encoded-octets",
        _SECTION,
        Level.MUST,
        "Octets outside ASCII are compared percent-encoded, in a rule and in a link.",
        one_site(
            f"{_ALL}Disallow: /naïve.html\nDisallow: /caf%C3%A9.html\nDisallow: /%c3%bcber.html\n",
            forbidden=("/na%C3%AFve.html", "/café.html", "/%C3%BCber.html"),
        ),
        by_pages,
    ),
    Clause(
        "encoded-letters",
        _SECTION,
        Level.MUST,
        "A percent-encoded unreserved character is that character, in a rule and in a link.",
        one_site(
            f"{_ALL}Disallow: /%62%61%7A.html\nDisallow: /qux.html\n",
            forbidden=("/baz.html", "/%71ux.html"),
        ),
        by_pages,
    ),
    Clause(
        "encoded-slash",
        _SECTION,
        Level.MUST,
        "A percent-encoded slash is no slash.",
        one_site(
            f"{_ALL}Disallow: /shelf/\nAllow: /shelf%2Fopen.html\nDisallow: /a%2Fb.html\n",
            forbidden=("/shelf/open.html",),
            free=("/a/b.html",),
        ),
        by_pages,
    ),
    Clause(
        "redirected-page",
        _SECTION,
        Level.MUST,
        "What a page redirects to is judged by the rules, too.",
        _redirected,
        by_pages,
    ),
    Clause(
        "wildcard",
        "2.2.3",
        Level.MUST,
        "* in a rule is any sequence of characters.",
        one_site(
            f"{_ALL}Disallow: /any/*/closed\nDisallow: /*.secret.html\n",
            forbidden=("/any/thing/closed.html", "/top.secret.html"),
            free=("/any/closed.html",),
        ),
        by_pages,
    ),
    Clause(
        "anchor",
        "2.2.3",
        Level.MUST,
        "$ at the end of a rule is the end of the path.",
        one_site(f"{_ALL}Disallow: /end.htm$\n", forbidden=("/end.htm",), free=("/end.html",)),
        by_pages,
    ),
)
