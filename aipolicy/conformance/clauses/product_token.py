"""The clause about the product token in the User-Agent (RFC 9309 §2.2.1), and functions to learn it.

The fixture's robots.txt names each candidate in a group of its own that disallows a page of its own: the page
that the crawler skips shows which group it obeys.
"""

import re

from aipolicy.conformance.clause import Clause, ClauseFinding, ClauseVerdict, Level
from aipolicy.conformance.fixture import (
    CONTROL,
    Fixture,
    FixtureSetup,
    PageLink,
    ServedResponse,
    linked_site,
    text_response,
)
from aipolicy.conformance.recording import RecordedFetch, Recording
from aipolicy.conformance.verdicts import disobeys, judge_pages, not_tested

_MAX_NAMES = 8  # that are tried
_URL = re.compile(r"\+?(?:https?://|www\.)\S+")
_NAME = re.compile(r"(?<![\w./-])[A-Za-z_-][\w.-]*", re.ASCII)
_VERSIONED = re.compile(rf"{_NAME.pattern}(?=/v?\d)", re.ASCII)
_COMMENT = re.compile(r"\([^()]*\)")
# Words in the User-Agent of browsers, for themselves and their system. Some crawlers use them too.
_BROWSERS = (
    "mozilla compatible applewebkit khtml like gecko safari version mobile chrome headlesschrome chromium "
    "firefox edg edge opr opera msie trident crios fxios x11 linux x86_64 i686 aarch64 arm64 ubuntu windows "
    "nt win64 wow64 x64 rv macintosh intel mac os x iphone ipad cpu android build wv"
)
_GENERIC = frozenset(_BROWSERS.split())
_EVERYONE = "/everyone.html"


def candidate_tokens(user_agent: str) -> tuple[str, ...]:
    """Return the names in a User-Agent that can be product tokens; those that browsers use come last."""
    names = dict.fromkeys(_names_in(_URL.sub(" ", user_agent)))
    return tuple(sorted(names, key=_is_generic))[:_MAX_NAMES]


def only_name(user_agent: str) -> str:
    """Return the one product name in a User-Agent that is not a browser's; "" if there is none, or several.

    Products are outside comments (RFC 9110 §10.1.5), or have a version inside one, such as
    ``Mozilla/5.0 (compatible; GPTBot/1.2)``.
    """
    plain = _URL.sub(" ", user_agent)
    products = (*_names_in(_COMMENT.sub(" ", plain)), *_names_in(plain, _VERSIONED))
    own = {name.lower(): name for name in reversed(products) if not _is_generic(name)}
    return "".join(own.values()) if len(own) == 1 else ""


def _names_in(text: str, pattern: re.Pattern[str] = _NAME) -> list[str]:
    return [name for found in pattern.findall(text) if (name := found.rstrip(".-_"))]


def _is_generic(name: str) -> bool:
    return name.lower() in _GENERIC


def _link(number: int) -> PageLink:
    return PageLink(f"/name-{number}.html")


def _robots(names: tuple[str, ...]) -> bytes:
    groups = "".join(f"User-agent: {name}\nDisallow: {_link(n).path}\n\n" for n, name in enumerate(names))
    return f"{groups}User-agent: *\nDisallow: {_EVERYONE}\n".encode()


def _tried_names(user_agent: str, token: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in (token, *candidate_tokens(user_agent)) if name))


def _build(setup: FixtureSetup) -> Fixture:
    def robots(user_agent: str, _age: float | None) -> ServedResponse:
        return text_response(_robots(_tried_names(user_agent, setup.token)))

    links = (*map(_link, range(_MAX_NAMES + 1)), PageLink(_EVERYONE), PageLink(CONTROL))
    return Fixture(linked_site(robots, links, setup.hosts), links[-1:])


def learned_token(recording: Recording, token: str = "") -> str:
    """Return the product token: ``token``, the one that it obeys, or the only one it can have; else "".

    A crawler that reads robots.txt with the User-Agent of a library, and pages with its own, must not be
    judged by the library's name.
    """
    if token or not recording.fetches:
        return token
    names = {only_name(fetch.user_agent).lower() for fetch in recording.fetches}
    return obeyed_token(recording) or (only_name(_reader(recording).user_agent) if len(names) == 1 else "")


def token_of_pages(recording: Recording) -> str:
    """Return the only name in the User-Agent for pages if the one for robots.txt doesn't have it; else ""."""
    names = {name for fetch in recording.pages if (name := only_name(fetch.user_agent))}
    known = {name.lower() for name in _names(recording, "")}
    return "".join(names) if len(names) == 1 and not {name.lower() for name in names} & known else ""


def obeyed_token(recording: Recording, token: str = "") -> str:
    """Return the name whose page the crawler skipped while it fetched others, or "".

    It is the first such name: some crawlers also obey a group for a name that theirs begins with.
    """
    names = _names(recording, token)
    skipped = [name for number, name in enumerate(names) if not recording.fetch_of(_link(number))]
    return skipped[0] if skipped and recording.fetch_of(PageLink(CONTROL)) else ""


def _names(recording: Recording, token: str) -> tuple[str, ...]:
    return _tried_names(_reader(recording).user_agent, token) if recording.fetches else ()


def _reader(recording: Recording) -> RecordedFetch:
    """Return the request for robots.txt, or the first request."""
    return next(iter(recording.robots()), recording.fetches[0])


def _judge(fixture: Fixture, recording: Recording, token: str) -> ClauseFinding:
    finding = judge_pages(fixture, recording, token)
    if finding.verdict is not ClauseVerdict.OBEYS:
        return finding
    name = obeyed_token(recording, token)
    if not name and recording.fetch_of(PageLink(_EVERYONE)):
        return not_tested("it obeyed no group, not even the one for all crawlers (*)")
    if not name:
        names = ", ".join(_names(recording, token)) or "no name in its User-Agent"
        return not_tested(f"it obeys the group for all crawlers (*), and none for {names}: use --token")
    unnamed = next((fetch for fetch in recording.pages if name.lower() not in fetch.user_agent.lower()), None)
    if unnamed:
        return disobeys(f"it obeys the group for {name}, which is not in its User-Agent", unnamed)
    return ClauseFinding(ClauseVerdict.OBEYS, f"it obeys the group for {name}")


OWN_NAME = Clause(
    "own-name",
    "2.2.1",
    Level.SHOULD,
    "Its User-Agent contains the product token that it obeys.",
    _build,
    _judge,
)
