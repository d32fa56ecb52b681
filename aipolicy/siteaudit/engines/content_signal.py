"""Content Signals: the line of robots.txt, and the header and tag that some send although no policy has them.

A crawler goes by the group that binds it. Of two lines that disagree nothing published says which counts: all
are told, and disagreement is a finding.
"""

from collections.abc import Iterator

from aipolicy.core.preferences import Category, Preference
from aipolicy.robotstxt.coverage import group_token
from aipolicy.robotstxt.parser import Record
from aipolicy.signals.content_signal import parse_content_signal
from aipolicy.siteaudit.parsed_site import PageSignals, Reading
from aipolicy.siteaudit.statements import Carrier, Place, Signal, Statement, first_of_each

_USES = {"search": Category.SEARCH, "ai-input": Category.AI_USE, "ai-train": Category.TRAIN_AI}


def signals_in_robots(reading: Reading, token: str) -> list[Statement]:
    content = reading.file.index.bound(group_token(reading.file, token)).content
    key = "signals", content
    if key not in reading.remembered:
        reading.remembered[key] = first_of_each(
            statement
            for record in content.signals
            if isinstance(record, Record) and record.named("Content-Signal")
            for statement in _statements(
                record.value, Place(Carrier.ROBOTS, record.line, f"{record.name}: {record.value}")
            )
        )
    found: list[Statement] = reading.remembered[key]
    return found


def signals_in_page(page: PageSignals) -> list[Statement]:
    """Header and meta tag: not in the policy, but Cloudflare's Markdown answers have such a header."""
    lines = (*page.headers("Content-Signal"), *page.metas("content-signal"))
    return first_of_each(statement for value, place in lines for statement in _statements(value, place))


def _statements(value: str, place: Place) -> Iterator[Statement]:
    for key, said in parse_content_signal(value).items():
        if key in _USES:
            preference = Preference.ALLOW if said == "yes" else Preference.DISALLOW
            yield Statement(Signal.CONTENT_SIGNAL, _USES[key], preference, place)
