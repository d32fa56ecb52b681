"""Clauses of RFC 9309 §2.2.1: which group binds a crawler."""

from aipolicy.check.crawler.building import one_site
from aipolicy.check.crawler.clause import Clause, Level
from aipolicy.check.crawler.judging import by_pages
from aipolicy.check.crawler.trap import CLOSED, Setting, Trap

_SECTION = "2.2.1"


def _whole_token(setting: Setting) -> Trap:
    # A longer and a shorter name: it has to compare its whole token.
    others = f"{setting.token}-Extra", setting.token[:-1] or "OTHER"
    groups = "".join(f"\nUser-agent: {name}\nDisallow: /theirs.html\n" for name in others)
    robots = f"User-agent: *\nDisallow: {CLOSED}\n{groups}"
    return one_site(robots, forbidden=(CLOSED,), free=("/theirs.html",))(setting)


def _other_case(setting: Setting) -> Trap:
    robots = f"User-agent: {setting.token.swapcase()}\nDisallow: {CLOSED}\n"
    return one_site(robots, forbidden=(CLOSED,))(setting)


GROUP_CLAUSES = (
    Clause(
        "own-group",
        _SECTION,
        Level.MUST,
        "It obeys the group that names it, and not the one for everyone.",
        one_site(
            "User-agent: *\nDisallow: /everyone.html\n\nUser-agent: TOKEN\nDisallow: /it.html\n\n"
            "User-agent: *\nDisallow: /all.html\n",
            forbidden=("/it.html",),
            free=("/everyone.html", "/all.html"),
        ),
        by_pages,
        names_it=True,
    ),
    Clause(
        "star-group",
        _SECTION,
        Level.MUST,
        "It obeys the group for everyone (*) where none names it.",
        one_site(
            "User-agent: OTHER\nDisallow: /theirs.html\n\nUser-agent: *\nDisallow: /everyone.html\n",
            forbidden=("/everyone.html",),
            free=("/theirs.html",),
        ),
        by_pages,
    ),
    Clause(
        "shared-group",
        _SECTION,
        Level.MUST,
        "It obeys a group that names others, too.",
        one_site(
            "User-agent: OTHER\nUser-agent: TOKEN\nUser-agent: OTHER-Too\nDisallow: /closed.html\n",
            forbidden=(CLOSED,),
        ),
        by_pages,
        names_it=True,
    ),
    Clause(
        "merged-groups",
        _SECTION,
        Level.MUST,
        "It combines all groups that name it.",
        one_site(
            "User-agent: TOKEN\nDisallow: /one.html\n\nUser-agent: OTHER\nDisallow: /theirs.html\n\n"
            "User-agent: TOKEN\nDisallow: /two.html\n",
            forbidden=("/one.html", "/two.html"),
            free=("/theirs.html",),
        ),
        by_pages,
        names_it=True,
    ),
    Clause(
        "whole-token",
        _SECTION,
        Level.MUST,
        "It isn't bound by groups for names that only begin like its own.",
        _whole_token,
        by_pages,
        names_it=True,
    ),
    Clause(
        "token-case",
        _SECTION,
        Level.MUST,
        "It knows its name in any case.",
        _other_case,
        by_pages,
        names_it=True,
    ),
)
