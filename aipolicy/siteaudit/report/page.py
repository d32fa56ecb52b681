"""Many sites as one HTML file, written as it is made: the documents are gone through, and not held."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from aipolicy.report.self_contained import environment
from aipolicy.report.wording import counted, typeset, when
from aipolicy.siteaudit.report import wording
from aipolicy.siteaudit.report.wording import ANSWERS, USES, Document

IN_DETAIL = 100
"""Sites that are shown whole: those with findings first; the others have a row."""

_FILTERS = ("counts", "expected", "fetching", "outcome", "places", "purposes", "sources", "who")


class Totals(Protocol):
    """Counts sites, and gives a document of what they come to."""

    def add(self, site: Document) -> None: ...
    def document(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class About:
    """The version that looked, when (ISO 8601), who expects what, and the totals of all sites so far."""

    aipolicy: str
    made: str
    expected: str | None
    total: Totals


def html(about: About, sites: Callable[[], Iterable[Document]]) -> Iterator[str]:
    """The report in pieces. ``sites`` gives the documents anew each time it is called.

    Raises MissingExtraError.
    """
    found = environment(__package__)
    found.filters |= {name: getattr(wording, name) for name in _FILTERS}
    found.filters |= {"counted": counted, "typeset": typeset, "when": when}
    total = about.total.document()
    return found.get_template("sites.html").generate(
        about=about,
        title=title(total),
        sites=sites,
        detailed=lambda: _in_detail(sites),
        total=total,
        uses=USES,
        answers=ANSWERS,
    )


def title(total: Document) -> str:
    """What happened, in a sentence without its full stop."""
    sites, wrong = total["sites"], total["with_errors"] + total["with_warnings"]
    reached = sites - total["not_reached"]
    if not reached:
        return "No site could be reached"
    if total["not_judged"] == reached:
        return "The site could not be judged" if sites == 1 else "No site could be judged"
    if sites == 1 and total["differing"]:
        return "The site doesn't say what its policy says"
    if sites == 1 and wrong:
        return "The site has signals that don't do what they should"
    if total["differing"]:
        they = (
            "doesn't say what its policy says"
            if total["differing"] == 1
            else "don't say what their policies say"
        )
        return f"{total['differing']:,} of {counted(sites, 'site')} {they}"
    if wrong:
        has = "has signals" if wrong == 1 else "have signals"
        return f"{wrong:,} of {counted(sites, 'site')} {has} that don't do what they should"
    if total["not_judged"]:
        return f"{total['not_judged']:,} of {counted(sites, 'site')} could not be judged"
    whose = "The site says" if reached == 1 else f"All {reached:,} sites that were reached say"
    return f"{whose} one thing, everywhere"


def _in_detail(sites: Callable[[], Iterable[Document]]) -> Iterator[dict[str, Any]]:
    """Pairs of place and document: those with findings, then others, as many as are shown whole."""
    left = IN_DETAIL
    for with_findings in (True, False):
        for number, site in enumerate(sites(), 1):
            if left and bool(site["findings"]) is with_findings:
                left -= 1
                yield {"number": number, "site": site}
            if not left:
                return
