"""Clauses of RFC 9309 §2.2.2 and §2.2.3: which rule decides, and which paths it matches."""

from aipolicy.conformance.building import always, one_site, page, site, text
from aipolicy.conformance.clause import Clause, Level
from aipolicy.conformance.fixture import BEGINNING, CLOSED, CONTROL, START, Answer, Place, Setting, Trap
from aipolicy.conformance.verdicts import by_pages

_SECTION = "2.2.2"
_ALL = "User-agent: *\n"


def _redirected(setting: Setting) -> Trap:
    robots = f"{_ALL}Disallow: {CLOSED}\n".encode()
    onward = {"/go.html": Answer(b"", 302, (("Location", CLOSED),)), CLOSED: page("Closed")}
    controls = Place("/go.html"), Place(CONTROL)
    authorities = site(always(text(robots)), controls, setting.at, onward)
    return Trap(authorities, controls, (Place(CLOSED),), rules={START: robots})


def _empty_rule(setting: Setting) -> Trap:
    # No control: who takes it for everything fetches nothing at all.
    robots = f"{_ALL}Disallow:\n".encode()
    places = (Place("/open.html"),)
    authorities = site(always(text(robots)), places, setting.at)
    return Trap(authorities, free=(BEGINNING, *places), rules={START: robots})


def _same_slash(setting: Setting) -> Trap:
    # Who decodes %2F asks for a page that nothing links to.
    closed, control = Place("/a%2Fb.html", read_as="/a/b.html"), Place(CONTROL)
    robots = f"{_ALL}Disallow: {closed.path}\n".encode()
    decoded = {closed.read_as: page("Decoded")}
    authorities = site(always(text(robots)), (closed, control), setting.at, decoded)
    return Trap(authorities, (control,), (closed,), rules={START: robots})


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
        "empty-rule",
        "2.2",
        Level.IMPLIED,
        "A Disallow without a path closes nothing.",
        _empty_rule,
        by_pages,
    ),
    Clause(
        "path-case",
        _SECTION,
        Level.SHOULD,
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
        "unicode-rule",
        _SECTION,
        Level.MUST,
        "A rule outside ASCII is percent-encoded before it is compared.",
        one_site(f"{_ALL}Disallow: /naïve.html\n", forbidden=("/na%C3%AFve.html",)),
        by_pages,
    ),
    Clause(
        "unicode-link",
        _SECTION,
        Level.MUST,
        "A link outside ASCII is percent-encoded before it is compared.",
        one_site(f"{_ALL}Disallow: /caf%C3%A9.html\n", forbidden=("/café.html",)),
        by_pages,
    ),
    Clause(
        "unicode-encoded",
        _SECTION,
        Level.MUST,
        "A rule and a link that are percent-encoded alike are compared as they are.",
        one_site(f"{_ALL}Disallow: /%C3%A9t%C3%A9.html\n", forbidden=("/%C3%A9t%C3%A9.html",)),
        by_pages,
    ),
    Clause(
        "hex-case",
        _SECTION,
        Level.IMPLIED,
        "%c3 is %C3 (RFC 3986 §6.2.2.1).",
        one_site(f"{_ALL}Disallow: /%c3%bcber.html\n", forbidden=("/%C3%BCber.html",)),
        by_pages,
    ),
    Clause(
        "encoded-letter-link",
        _SECTION,
        Level.MUST,
        "A percent-encoded letter in a link is that letter.",
        one_site(f"{_ALL}Disallow: /qux.html\n", forbidden=("/%71ux.html",)),
        by_pages,
    ),
    Clause(
        "encoded-letter-rule",
        _SECTION,
        Level.IMPLIED,
        "A percent-encoded letter in a rule is that letter (Figure 4).",
        one_site(f"{_ALL}Disallow: /%62%61%7A.html\n", forbidden=("/baz.html",)),
        by_pages,
    ),
    Clause(
        "encoded-slash",
        _SECTION,
        Level.MUST,
        "A percent-encoded slash in a link stays encoded.",
        _same_slash,
        by_pages,
    ),
    Clause(
        "encoded-slash-apart",
        _SECTION,
        Level.IMPLIED,
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
        Level.IMPLIED,
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
