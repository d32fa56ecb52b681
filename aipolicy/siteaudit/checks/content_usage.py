"""The Content-Usage headers of the page: whether they say what they seem to."""

from collections.abc import Iterator

from aipolicy.core.preferences import Category, Preference, members_of
from aipolicy.report.text import listed, shown
from aipolicy.robotstxt.usage import usage_meant
from aipolicy.siteaudit.engines.aipref import header_preferences, strictest_in_headers
from aipolicy.siteaudit.findings import Finding, finding
from aipolicy.siteaudit.parsed_site import PageSignals, Reading

_WHERE = "header Content-Usage"
_MEANING = {Preference.ALLOW: "{}=y", Preference.DISALLOW: "{}=n"}


def check(reading: Reading) -> Iterator[Finding]:
    page = reading.page
    sent = page.answer.header("Content-Usage")
    members, meant = members_of(sent), usage_meant(sent)
    if members is None:
        yield finding(
            "content-usage-unreadable",
            _WHERE,
            _sent(page),
            "one slip voids it all: labels in lower case, commas between, no space by = (RFC 9651 §4.2.2)",
            fix=f"Content-Usage: {meant}" if meant else "",
        )
        return
    said, strictest = header_preferences(page), strictest_in_headers(page)
    for category in Category:
        # One that an earlier member gives a value is told below, as one that was lost.
        if category in members and said[category] is strictest[category] is Preference.UNKNOWN:
            yield finding(
                "content-usage-unreadable",
                _WHERE,
                f"{category} is neither y nor n: {_sent(page)}",
                "any other value says nothing (AIPREF vocab-08 §6.5)",
                fix=_MEANING.get(meant[category], "{0}=n or {0}=y").format(category),
            )
    if strictest != said:
        yield finding(
            "content-usage-repeated",
            _WHERE,
            f"{said or 'nothing'} counts of {_sent(page)}",
            "all lines are one dictionary, in which the last value of a label counts (RFC 9651 §4.2.2)",
            fix=f"Content-Usage: {strictest.combined(meant)}",
        )
    unknown = [label for label in members if label not in set(Category)]
    if unknown:
        yield finding(
            "content-usage-unknown-label",
            _WHERE,
            listed(unknown),
            f"readers pass over it (AIPREF vocab-08 §6.5); they know {listed(Category)}: is it a slip?",
        )


def _sent(page: PageSignals) -> str:
    return listed(repr(shown(value)) for value in page.answer.values("Content-Usage"))
