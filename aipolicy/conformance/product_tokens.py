"""Which product token a crawler answers to, of the names in its User-Agent (RFC 9309 §2.2.1).

The trap names each of them in a group of its own, with a page of its own: the page that is left out tells.
"""

import re

from aipolicy.conformance.building import site, text
from aipolicy.conformance.clause import Clause, Finding, Level, Verdict
from aipolicy.conformance.fixture import CONTROL, Answer, Place, Setting, Trap
from aipolicy.conformance.recording import Fetch, Seen
from aipolicy.conformance.verdicts import by_pages

_MOST = 8  # names that are tried
_URL = re.compile(r"\+?(?:https?://|www\.)\S+")
_NAME = re.compile(r"(?<![\w./-])[A-Za-z_-][\w.-]*", re.ASCII)
_VERSIONED = re.compile(rf"{_NAME.pattern}(?=/v?\d)", re.ASCII)
_COMMENT = re.compile(r"\([^()]*\)")
# What browsers say of themselves and of the system they run on, as do crawlers that pass for one.
_BROWSERS = (
    "mozilla compatible applewebkit khtml like gecko safari version mobile chrome headlesschrome chromium "
    "firefox edg edge opr opera msie trident crios fxios x11 linux x86_64 i686 aarch64 arm64 ubuntu windows "
    "nt win64 wow64 x64 rv macintosh intel mac os x iphone ipad cpu android build wv"
)
_GENERIC = frozenset(_BROWSERS.split())
_EVERYONE = "/everyone.html"


def candidates(user_agent: str) -> tuple[str, ...]:
    """Names that a User-Agent declares, as they may stand in a robots.txt; what any browser says last."""
    names = dict.fromkeys(_names_in(_URL.sub(" ", user_agent)))
    return tuple(sorted(names, key=_is_generic))[:_MOST]


def sole_name(user_agent: str) -> str:
    """The one name in it that is a product's and no browser's; "" where there is none, or a choice.

    Products stand outside of comments (RFC 9110 §10.1.5), or have a version where they are in one, as in
    ``Mozilla/5.0 (compatible; GPTBot/1.2)``.
    """
    plain = _URL.sub(" ", user_agent)
    products = (*_names_in(_COMMENT.sub(" ", plain)), *_names_in(plain, _VERSIONED))
    own = {name.lower(): name for name in reversed(products) if not _is_generic(name)}
    return "".join(own.values()) if len(own) == 1 else ""


def _names_in(text: str, what: re.Pattern[str] = _NAME) -> list[str]:
    return [name for found in what.findall(text) if (name := found.rstrip(".-_"))]


def _is_generic(name: str) -> bool:
    return name.lower() in _GENERIC


def _place(number: int) -> Place:
    return Place(f"/name-{number}.html")


def _robots(names: tuple[str, ...]) -> bytes:
    groups = "".join(f"User-agent: {name}\nDisallow: {_place(n).path}\n\n" for n, name in enumerate(names))
    return f"{groups}User-agent: *\nDisallow: {_EVERYONE}\n".encode()


def _asked_of(user_agent: str, token: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in (token, *candidates(user_agent)) if name))


def _build(setting: Setting) -> Trap:
    def robots(user_agent: str, _age: float | None) -> Answer:
        return text(_robots(_asked_of(user_agent, setting.token)))

    places = (*map(_place, range(_MOST + 1)), Place(_EVERYONE), Place(CONTROL))
    return Trap(site(robots, places, setting.at), places[-1:])


def learned(seen: Seen, given: str = "") -> str:
    """The product token: the one given, that it answered to, or the only one that it may be; else "".

    Nobody is accused under a name that may be none of theirs: some read robots.txt with the User-Agent of a
    library, and pages with their own.
    """
    if given or not seen.fetches:
        return given
    names = {sole_name(fetch.user_agent).lower() for fetch in seen.fetches}
    return answered_to(seen) or (sole_name(_reader(seen).user_agent) if len(names) == 1 else "")


def name_for_pages(seen: Seen) -> str:
    """The only name that the User-Agent for pages has, where it isn't among those for robots.txt; else ""."""
    names = {name for fetch in seen.pages if (name := sole_name(fetch.user_agent))}
    known = {name.lower() for name in _names(seen, "")}
    return "".join(names) if len(names) == 1 and not {name.lower() for name in names} & known else ""


def answered_to(seen: Seen, given: str = "") -> str:
    """The name whose page it left out while it fetched others, or "".

    The first of them: to some, a name that theirs begins with is theirs, too.
    """
    names = _names(seen, given)
    left_out = [name for number, name in enumerate(names) if not seen.of(_place(number))]
    return left_out[0] if left_out and seen.of(Place(CONTROL)) else ""


def _names(seen: Seen, given: str) -> tuple[str, ...]:
    return _asked_of(_reader(seen).user_agent, given) if seen.fetches else ()


def _reader(seen: Seen) -> Fetch:
    """The request that tells its User-Agent: the one for robots.txt, if it was made."""
    return next(iter(seen.robots()), seen.fetches[0])


def _judge(trap: Trap, seen: Seen, token: str) -> Finding:
    came = by_pages(trap, seen, token)
    if came.verdict is not Verdict.OBEYS:
        return came
    name = answered_to(seen, token)
    names = ", ".join(_names(seen, token)) or "none"
    if not name and seen.of(Place(_EVERYONE)):
        return Finding(Verdict.NOT_TESTED, "it obeyed no group, not even the one for everyone")
    if not name:
        why = f"it answers to no name that is known of it ({names}), only to *: give --token"
        return Finding(Verdict.NOT_TESTED, why)
    stranger = next((fetch for fetch in seen.pages if name.lower() not in fetch.user_agent.lower()), None)
    if stranger:
        return Finding(Verdict.DISOBEYS, f"it answers to {name}, which its User-Agent hasn't", stranger)
    return Finding(Verdict.OBEYS, f"it answers to {name}")


NAME = Clause(
    "own-name",
    "2.2.1",
    Level.SHOULD,
    "The product token that it answers to is part of its User-Agent.",
    _build,
    _judge,
)
