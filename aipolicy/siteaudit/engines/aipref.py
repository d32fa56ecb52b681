"""AIPREF: ``Content-Usage`` in robots.txt and in the response (attach-05, vocab-08).

No carrier outranks another: whoever puts the statements together takes the most restrictive (vocab-08 §5.1).
"""

import re
from collections.abc import Iterator

from aipolicy.core.preferences import Preference, Preferences, members_of
from aipolicy.robotstxt.coverage import group_token
from aipolicy.siteaudit.parsed_site import PageSignals, Reading
from aipolicy.siteaudit.statements import Carrier, Place, Signal, Statement, first_of_each

# A member of a Dictionary that can be parsed: strings (RFC 9651 §3.3.3, §3.3.8) may have commas.
_MEMBER = re.compile(r'(?:%"[^"]*"|"(?:[^"\\]|\\.)*"|[^,"])+')


def usage_in_robots(reading: Reading, token: str) -> list[Statement]:
    """The lines of the crawler's group for the page's path: the longest alone, all of them if equally long.

    A path that may not be fetched has no preferences (attach-05 §3): that is the caller's to see.
    """
    content = reading.file.index.bound(group_token(reading.file, token)).content
    key = "usage", content
    if key not in reading.remembered:
        reading.remembered[key] = first_of_each(
            statement
            for record, said in content.usage.at(reading.path)
            for statement in _statements(
                Preferences.parse(said),
                Place(Carrier.ROBOTS, record.line, f"{record.name}: {record.value}"),
            )
        )
    found: list[Statement] = reading.remembered[key]
    return found


def usage_in_headers(page: PageSignals) -> list[Statement]:
    """All lines are one Dictionary (RFC 9651 §4.2): the last to name a category counts."""
    lines = page.headers("Content-Usage")
    whole = header_preferences(page)
    found: list[Statement] = []
    for category, preference in whole:
        if preference is not Preference.UNKNOWN:
            saying = [place for value, place in lines if Preferences.parse(value)[category] is preference]
            place = saying[-1] if saying else lines[-1][1]
            found.append(Statement(Signal.AIPREF, category, preference, place))
    return found


def header_preferences(page: PageSignals) -> Preferences:
    """What the ``Content-Usage`` of an answer says, all lines taken together."""
    return Preferences.parse(page.answer.header("Content-Usage"))


def strictest_in_headers(page: PageSignals) -> Preferences:
    """The same if no member replaced another of its label: the most restrictive of each."""
    whole, strictest = page.answer.header("Content-Usage"), Preferences()
    for member in _MEMBER.findall(whole) if members_of(whole) else ():
        strictest = strictest.combined(Preferences.parse(member.strip(" \t")))
    return strictest


def _statements(preferences: Preferences, place: Place) -> Iterator[Statement]:
    for category, preference in preferences:
        if preference is not Preference.UNKNOWN:
            yield Statement(Signal.AIPREF, category, preference, place)
