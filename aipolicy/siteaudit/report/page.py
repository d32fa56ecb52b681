"""The report of many sites as one HTML file, written piece by piece in constant memory."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from aipolicy.report.self_contained import environment
from aipolicy.report.wording import counted, typeset, when
from aipolicy.siteaudit.report import wording
from aipolicy.siteaudit.report.wording import ANSWERS, USES, Document

IN_DETAIL = 100
"""Sites that are shown in full, those with findings first; the others have a row."""

_FILTERS = (
    "counts",
    "expected",
    "fetching",
    "outcome",
    "quotations",
    "purposes",
    "sources",
    "crawlers",
    "sentence",
)


class Totals(Protocol):
    """Counts sites and returns the totals as a document."""

    def add(self, site: Document) -> None: ...
    def document(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class ReportInfo:
    """The head of a report: aipolicy's version, the time (ISO 8601), the source of policies, the totals."""

    aipolicy: str
    made: str
    expected: str | None
    total: Totals


def html(about: ReportInfo, sites: Callable[[], Iterable[Document]]) -> Iterator[str]:
    """Yield the report in pieces.

    Args:
        about: The head of the report.
        sites: Returns an iterator over the documents, each time it is called.

    Raises:
        MissingExtraError: Jinja2 isn't installed.
    """
    templates = environment(__package__)
    templates.filters |= {name: getattr(wording, name) for name in _FILTERS}
    templates.filters |= {"counted": counted, "typeset": typeset, "when": when}
    total = about.total.document()
    return templates.get_template("sites.html").generate(
        about=about,
        title=title(total),
        sites=sites,
        detailed=lambda: _in_detail(sites),
        total=total,
        uses=USES,
        answers=ANSWERS,
    )


def title(total: Document) -> str:
    """Return the result in a sentence without its full stop."""
    sites, differing, failed = total["sites"], total["differing"], total["not_audited"]
    problems = total["with_errors"] + total["with_warnings"]
    reached = sites - total["not_reached"]
    if not reached:
        return "No site could be reached"
    if failed == reached:
        return "The site could not be checked" if sites == 1 else "No site could be checked"
    if differing:
        if sites == 1:
            return "The site differs from its policy"
        predicate = "differs from its policy" if differing == 1 else "differ from their policies"
        return f"{differing:,} of {counted(sites, 'site')} {predicate}"
    if problems:
        if sites == 1:
            return "The site's signals have problems"
        predicate = "has problems with its signals" if problems == 1 else "have problems with their signals"
        return f"{problems:,} of {counted(sites, 'site')} {predicate}"
    if failed:
        return f"{failed:,} of {counted(sites, 'site')} could not be checked"
    return f"No problems were found on {'the site' if reached == 1 else f'the {reached:,} sites reached'}"


def _in_detail(sites: Callable[[], Iterable[Document]]) -> Iterator[dict[str, Any]]:
    """Yield numbered documents: those with findings, then others, up to the limit."""
    left = IN_DETAIL
    for with_findings in (True, False):
        for number, site in enumerate(sites(), 1):
            if left and bool(site["findings"]) is with_findings:
                left -= 1
                yield {"number": number, "site": site}
            if not left:
                return
