"""Clauses of RFC 9309 §2.1 and §2.2.1: the group that applies to a crawler."""

from aipolicy.conformance.clause import Clause, Level
from aipolicy.conformance.fixture import CLOSED, Fixture, FixtureSetup, single_site
from aipolicy.conformance.verdicts import judge_pages

_SECTION = "2.2.1"
_OTHERS = 40  # groups before the one that applies


def _longer_name(setup: FixtureSetup) -> Fixture:
    # Before and after the group for all crawlers, because some crawlers take the first group that may match.
    longer = f"{setup.token}-Extra", f"{setup.token}-More"
    robots = (
        f"User-agent: {longer[0]}\nDisallow: /longer.html\n\nUser-agent: *\nDisallow: {CLOSED}\n\n"
        f"User-agent: {longer[1]}\nDisallow: /longest.html\n"
    )
    return single_site(robots, forbidden=(CLOSED,), allowed=("/longer.html", "/longest.html"))(setup)


def _shorter_name(setup: FixtureSetup) -> Fixture:
    shorter = setup.token[:-1] or "OTHER"
    robots = (
        f"User-agent: {shorter}\nDisallow: /shorter.html\n\nUser-agent: *\nDisallow: {CLOSED}\n\n"
        f"User-agent: {shorter}\nDisallow: /short.html\n"
    )
    return single_site(robots, forbidden=(CLOSED,), allowed=("/shorter.html", "/short.html"))(setup)


def _other_case(setup: FixtureSetup) -> Fixture:
    robots = f"User-agent: {setup.token.swapcase()}\nDisallow: {CLOSED}\n"
    return single_site(robots, forbidden=(CLOSED,))(setup)


def _many_groups() -> str:
    names = (_in_letters(number) for number in range(_OTHERS))
    others = "".join(f"User-agent: OTHER-{name}\nDisallow: /theirs.html\n\n" for name in names)
    return f"{others}User-agent: *\nDisallow: {CLOSED}\n"


def _in_letters(number: int) -> str:
    """Return a number in letters, because the grammar of product tokens has no digits."""
    return chr(ord("a") + number // 26) + chr(ord("a") + number % 26)


GROUP_CLAUSES = (
    Clause(
        "own-group",
        _SECTION,
        Level.MUST,
        "It obeys the group that names it, not the group for all crawlers (*).",
        single_site(
            "User-agent: *\nDisallow: /everyone.html\n\nUser-agent: TOKEN\nDisallow: /it.html\n\n"
            "User-agent: OTHER\nDisallow: /theirs.html\n",
            forbidden=("/it.html",),
            allowed=("/everyone.html", "/theirs.html"),
        ),
        judge_pages,
        needs_token=True,
    ),
    Clause(
        "star-group",
        _SECTION,
        Level.MUST,
        "Without a group that names it, it obeys the group for all crawlers (*).",
        single_site(
            "User-agent: OTHER\nDisallow: /theirs.html\n\nUser-agent: *\nDisallow: /everyone.html\n",
            forbidden=("/everyone.html",),
            allowed=("/theirs.html",),
        ),
        judge_pages,
    ),
    Clause(
        "shared-group",
        "2.1",
        Level.MUST,
        "It obeys a group that also names other crawlers.",
        single_site(
            "User-agent: OTHER\nUser-agent: TOKEN\nUser-agent: OTHER-Too\nDisallow: /closed.html\n",
            forbidden=(CLOSED,),
        ),
        judge_pages,
        needs_token=True,
    ),
    Clause(
        "merged-groups",
        _SECTION,
        Level.MUST,
        "It combines all groups that name it.",
        single_site(
            "User-agent: TOKEN\nDisallow: /one.html\n\nUser-agent: OTHER\nDisallow: /theirs.html\n\n"
            "User-agent: TOKEN\nDisallow: /two.html\n",
            forbidden=("/one.html", "/two.html"),
            allowed=("/theirs.html",),
        ),
        judge_pages,
        needs_token=True,
    ),
    Clause(
        "many-groups",
        "2.3.1.5",
        Level.MUST,
        f"It obeys a group that comes after {_OTHERS} others.",
        single_site(_many_groups(), forbidden=(CLOSED,), allowed=("/theirs.html",)),
        judge_pages,
    ),
    Clause(
        "whole-token-longer",
        _SECTION,
        Level.IMPLIED,
        "It ignores a group for a longer name that begins with its own.",
        _longer_name,
        judge_pages,
        needs_token=True,
    ),
    Clause(
        "whole-token-shorter",
        _SECTION,
        Level.IMPLIED,
        "It ignores a group for a shorter name that its own name begins with.",
        _shorter_name,
        judge_pages,
        needs_token=True,
    ),
    Clause(
        "token-case",
        _SECTION,
        Level.MUST,
        "It recognises its name in upper and lower case.",
        _other_case,
        judge_pages,
        needs_token=True,
    ),
    Clause(
        "empty-group",
        "2.1",
        Level.IMPLIED,
        "A group without rules at the end of the file allows everything to its crawlers.",
        single_site(
            "User-agent: *\nDisallow: /everyone.html\n\nUser-agent: TOKEN\n", allowed=("/everyone.html",)
        ),
        judge_pages,
        needs_token=True,
    ),
    Clause(
        "ungrouped-rules",
        "2.2.2",
        Level.SHOULD,
        "It ignores rules before the first User-agent line.",
        single_site(
            f"Disallow: /loose.html\n\nUser-agent: *\nDisallow: {CLOSED}\n",
            forbidden=(CLOSED,),
            allowed=("/loose.html",),
        ),
        judge_pages,
    ),
)
