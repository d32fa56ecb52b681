"""Clauses of RFC 9309 §2.1 and §2.2.1: which group binds a crawler."""

from aipolicy.conformance.building import one_site
from aipolicy.conformance.clause import Clause, Level
from aipolicy.conformance.fixture import CLOSED, Setting, Trap
from aipolicy.conformance.verdicts import by_pages

_SECTION = "2.2.1"
_OTHERS = 40  # groups before the one that binds


def _longer_name(setting: Setting) -> Trap:
    # Before and after the group for everyone: to some, the first group that may be theirs is theirs.
    longer = f"{setting.token}-Extra", f"{setting.token}-More"
    robots = (
        f"User-agent: {longer[0]}\nDisallow: /longer.html\n\nUser-agent: *\nDisallow: {CLOSED}\n\n"
        f"User-agent: {longer[1]}\nDisallow: /longest.html\n"
    )
    return one_site(robots, forbidden=(CLOSED,), free=("/longer.html", "/longest.html"))(setting)


def _shorter_name(setting: Setting) -> Trap:
    shorter = setting.token[:-1] or "OTHER"
    robots = (
        f"User-agent: {shorter}\nDisallow: /shorter.html\n\nUser-agent: *\nDisallow: {CLOSED}\n\n"
        f"User-agent: {shorter}\nDisallow: /short.html\n"
    )
    return one_site(robots, forbidden=(CLOSED,), free=("/shorter.html", "/short.html"))(setting)


def _other_case(setting: Setting) -> Trap:
    robots = f"User-agent: {setting.token.swapcase()}\nDisallow: {CLOSED}\n"
    return one_site(robots, forbidden=(CLOSED,))(setting)


def _many_groups() -> str:
    names = (_in_letters(number) for number in range(_OTHERS))
    others = "".join(f"User-agent: OTHER-{name}\nDisallow: /theirs.html\n\n" for name in names)
    return f"{others}User-agent: *\nDisallow: {CLOSED}\n"


def _in_letters(number: int) -> str:
    """Return a name for a number; digits are outside the grammar of product tokens."""
    return chr(ord("a") + number // 26) + chr(ord("a") + number % 26)


GROUP_CLAUSES = (
    Clause(
        "own-group",
        _SECTION,
        Level.MUST,
        "It obeys the group that names it, and not the one for everyone.",
        one_site(
            "User-agent: *\nDisallow: /everyone.html\n\nUser-agent: TOKEN\nDisallow: /it.html\n\n"
            "User-agent: OTHER\nDisallow: /theirs.html\n",
            forbidden=("/it.html",),
            free=("/everyone.html", "/theirs.html"),
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
        "2.1",
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
        "many-groups",
        "2.3.1.5",
        Level.MUST,
        f"It obeys a group that stands after {_OTHERS} others.",
        one_site(_many_groups(), forbidden=(CLOSED,), free=("/theirs.html",)),
        by_pages,
    ),
    Clause(
        "whole-token-longer",
        _SECTION,
        Level.IMPLIED,
        "It isn't bound by a group for a longer name that begins like its own.",
        _longer_name,
        by_pages,
        names_it=True,
    ),
    Clause(
        "whole-token-shorter",
        _SECTION,
        Level.IMPLIED,
        "It isn't bound by a group for a shorter name that its own begins with.",
        _shorter_name,
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
    Clause(
        "empty-group",
        "2.1",
        Level.IMPLIED,
        "A last group without rules allows everything to whom it names.",
        one_site("User-agent: *\nDisallow: /everyone.html\n\nUser-agent: TOKEN\n", free=("/everyone.html",)),
        by_pages,
        names_it=True,
    ),
    Clause(
        "ungrouped-rules",
        "2.2.2",
        Level.SHOULD,
        "It ignores rules before the first User-agent line.",
        one_site(
            f"Disallow: /loose.html\n\nUser-agent: *\nDisallow: {CLOSED}\n",
            forbidden=(CLOSED,),
            free=("/loose.html",),
        ),
        by_pages,
    ),
)
