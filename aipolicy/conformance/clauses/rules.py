"""Clauses of RFC 9309 §2.2.2 and §2.2.3: the rule that decides, and the paths that it matches."""

from aipolicy.conformance.clause import Clause, Level
from aipolicy.conformance.fixture import (
    CLOSED,
    CONTROL,
    START,
    START_PAGE,
    Fixture,
    FixtureSetup,
    PageLink,
    ServedResponse,
    constant,
    html_page,
    linked_site,
    single_site,
    text_response,
)
from aipolicy.conformance.verdicts import judge_pages

_SECTION = "2.2.2"
_ALL = "User-agent: *\n"


def _redirected(setup: FixtureSetup) -> Fixture:
    robots = f"{_ALL}Disallow: {CLOSED}\n".encode()
    onward = {"/go.html": ServedResponse(b"", 302, (("Location", CLOSED),)), CLOSED: html_page("Closed")}
    controls = PageLink("/go.html"), PageLink(CONTROL)
    authorities = linked_site(constant(text_response(robots)), controls, setup.hosts, onward)
    return Fixture(authorities, controls, (PageLink(CLOSED),), rules={START: robots})


def _empty_rule(setup: FixtureSetup) -> Fixture:
    # No control page: a crawler that takes an empty rule for a rule about everything fetches nothing at all.
    robots = f"{_ALL}Disallow:\n".encode()
    links = (PageLink("/open.html"),)
    authorities = linked_site(constant(text_response(robots)), links, setup.hosts)
    return Fixture(authorities, allowed=(START_PAGE, *links), rules={START: robots})


def _same_slash(setup: FixtureSetup) -> Fixture:
    # A crawler that decodes %2F requests a page without a link.
    closed, control = PageLink("/a%2Fb.html", read_as="/a/b.html"), PageLink(CONTROL)
    robots = f"{_ALL}Disallow: {closed.path}\n".encode()
    decoded = {closed.read_as: html_page("Decoded")}
    authorities = linked_site(constant(text_response(robots)), (closed, control), setup.hosts, decoded)
    return Fixture(authorities, (control,), (closed,), rules={START: robots})


RULE_CLAUSES = (
    Clause(
        "longest-match",
        _SECTION,
        Level.MUST,
        "The longest matching rule decides, in any order of rules.",
        single_site(
            f"{_ALL}Allow: /\nDisallow: /shut/\nAllow: /shut/open.html\n"
            "Disallow: /rest/closed.html\nAllow: /rest/\n",
            forbidden=("/shut/closed.html", "/rest/closed.html"),
            allowed=("/shut/open.html",),
        ),
        judge_pages,
    ),
    Clause(
        "ties",
        _SECTION,
        Level.SHOULD,
        "If an Allow and a Disallow of the same length match, Allow decides.",
        single_site(
            f"{_ALL}Allow: /one.html\nDisallow: /one.html\nDisallow: /two.html\nAllow: /two.html\n",
            allowed=("/one.html", "/two.html"),
        ),
        judge_pages,
    ),
    Clause(
        "empty-rule",
        "2.2",
        Level.IMPLIED,
        "A Disallow without a path disallows nothing.",
        _empty_rule,
        judge_pages,
    ),
    Clause(
        "path-case",
        _SECTION,
        Level.SHOULD,
        "Paths are case-sensitive.",
        single_site(
            f"{_ALL}Disallow: /Shut/\nDisallow: /rest/\nAllow: /REST/open.html\n",
            forbidden=("/Shut/page.html", "/rest/open.html"),
            allowed=("/shut/page.html",),
        ),
        judge_pages,
    ),
    Clause(
        "query",
        _SECTION,
        Level.MUST,
        "A rule can match the query string.",
        single_site(
            f"{_ALL}Disallow: /find.html?q=\n", forbidden=("/find.html?q=1",), allowed=("/find.html",)
        ),
        judge_pages,
    ),
    Clause(
        "unicode-rule",
        _SECTION,
        Level.MUST,
        "Non-ASCII characters in a rule are percent-encoded before the comparison.",
        single_site(f"{_ALL}Disallow: /naïve.html\n", forbidden=("/na%C3%AFve.html",)),
        judge_pages,
    ),
    Clause(
        "unicode-link",
        _SECTION,
        Level.MUST,
        "Non-ASCII characters in a link are percent-encoded before the comparison.",
        single_site(f"{_ALL}Disallow: /caf%C3%A9.html\n", forbidden=("/café.html",)),
        judge_pages,
    ),
    Clause(
        "unicode-encoded",
        _SECTION,
        Level.MUST,
        "Characters that are percent-encoded in both rule and link are compared as they are.",
        single_site(f"{_ALL}Disallow: /%C3%A9t%C3%A9.html\n", forbidden=("/%C3%A9t%C3%A9.html",)),
        judge_pages,
    ),
    Clause(
        "hex-case",
        _SECTION,
        Level.IMPLIED,
        "%c3 and %C3 are the same (RFC 3986 §6.2.2.1).",
        single_site(f"{_ALL}Disallow: /%c3%bcber.html\n", forbidden=("/%C3%BCber.html",)),
        judge_pages,
    ),
    Clause(
        "encoded-letter-link",
        _SECTION,
        Level.MUST,
        "A percent-encoded letter in a link is the same as the letter.",
        single_site(f"{_ALL}Disallow: /qux.html\n", forbidden=("/%71ux.html",)),
        judge_pages,
    ),
    Clause(
        "encoded-letter-rule",
        _SECTION,
        Level.IMPLIED,
        "A percent-encoded letter in a rule is the same as the letter (Figure 4).",
        single_site(f"{_ALL}Disallow: /%62%61%7A.html\n", forbidden=("/baz.html",)),
        judge_pages,
    ),
    Clause(
        "encoded-slash",
        _SECTION,
        Level.MUST,
        "A percent-encoded slash in a link stays encoded in the request.",
        _same_slash,
        judge_pages,
    ),
    Clause(
        "encoded-slash-apart",
        _SECTION,
        Level.IMPLIED,
        "A percent-encoded slash does not match a slash.",
        single_site(
            f"{_ALL}Disallow: /shelf/\nAllow: /shelf%2Fopen.html\nDisallow: /a%2Fb.html\n",
            forbidden=("/shelf/open.html",),
            allowed=("/a/b.html",),
        ),
        judge_pages,
    ),
    Clause(
        "redirected-page",
        _SECTION,
        Level.IMPLIED,
        "The URL that a page redirects to is checked against the rules too.",
        _redirected,
        judge_pages,
    ),
    Clause(
        "wildcard",
        "2.2.3",
        Level.MUST,
        "* in a rule matches any sequence of characters.",
        single_site(
            f"{_ALL}Disallow: /any/*/closed\nDisallow: /*.secret.html\n",
            forbidden=("/any/thing/closed.html", "/top.secret.html"),
            allowed=("/any/closed.html",),
        ),
        judge_pages,
    ),
    Clause(
        "anchor",
        "2.2.3",
        Level.MUST,
        "$ at the end of a rule matches the end of the path.",
        single_site(f"{_ALL}Disallow: /end.htm$\n", forbidden=("/end.htm",), allowed=("/end.html",)),
        judge_pages,
    ),
)
