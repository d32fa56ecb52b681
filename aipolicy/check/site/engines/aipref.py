"""AIPREF: ``Content-Usage`` in robots.txt and in the response (attach-05, vocab-08).

No carrier outranks another: whoever puts the statements together takes the most restrictive (vocab-08 §5.1).
"""

from collections.abc import Iterator

from aipolicy.analysis.checks.signals import split_usage
from aipolicy.analysis.coverage import whose_group
from aipolicy.check.site.reading import PageSignals, Reading
from aipolicy.check.site.statements import Carrier, Place, Signal, Statement
from aipolicy.core.matching import path_matches
from aipolicy.core.paths import normalise
from aipolicy.core.preferences import Preference, Preferences
from aipolicy.core.robots import Record


def usage_in_robots(reading: Reading, token: str) -> list[Statement]:
    """The lines of the crawler's group for the page's path: the longest alone, all of them if equally long.

    A path that may not be fetched has no preferences (attach-05 §3): that is the caller's to see.
    """
    bound = reading.file.index.bound(whose_group(reading.file, token))
    lines: list[tuple[str, str, Place]] = []
    for record in bound.group.records:
        if isinstance(record, Record) and record.named("Content-Usage"):
            path, statement = split_usage(record.value)
            pattern = normalise(path) if path else "/"
            if path_matches(pattern, reading.path):
                text = f"{record.name}: {record.value}"
                lines.append((pattern, statement, Place(Carrier.ROBOTS, record.line, text)))
    longest = max((len(pattern) for pattern, _, _ in lines), default=0)
    found: list[Statement] = []
    for pattern, statement, place in lines:
        if len(pattern) == longest:
            found += _statements(Preferences.parse(statement), place)
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
    return Preferences.parse(", ".join(value for value, _ in page.headers("Content-Usage")))


def _statements(preferences: Preferences, place: Place) -> Iterator[Statement]:
    for category, preference in preferences:
        if preference is not Preference.UNKNOWN:
            yield Statement(Signal.AIPREF, category, preference, place)
