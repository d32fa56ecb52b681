"""Checks of the lines of robots.txt: the linter's findings, and the lines that a CDN added."""

from collections.abc import Iterator

from aipolicy.report.text import shorten
from aipolicy.robotstxt import Severity, lint
from aipolicy.siteaudit.cdn_managed import managed_parts
from aipolicy.siteaudit.findings import SiteFinding, finding, from_lint
from aipolicy.siteaudit.parsed_site import ParsedSite


def check(site: ParsedSite, *, expected: bytes | None = None) -> Iterator[SiteFinding]:
    """Yield the findings; those that are also in ``expected``, the policy's own robots.txt, are notes."""
    if site.sent is None:
        return
    for part in managed_parts(site.sent):
        yield finding(
            "cdn-adds-rules",
            f"robots.txt lines {part.first}-{part.last}",
            f"these lines were added by {shorten(part.operator)}, not by the site",
            "crawlers read two groups for one crawler differently, and the signals of both may contradict",
            fix=f"turn off the managed robots.txt at {shorten(part.operator)} so only the site makes rules",
        )
    found = lint(site.sent).findings
    grave = any(one.severity is not Severity.NOTE for one in found)
    wanted = {one.id for one in lint(expected).findings} if grave and expected else set()
    for one in found:
        yield from_lint(one, severity=Severity.NOTE if one.id in wanted else None)
