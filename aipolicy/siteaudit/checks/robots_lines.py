"""The lines of robots.txt: what a linter finds in them, and which of them a CDN put there."""

from collections.abc import Iterator

from aipolicy.report.text import shown
from aipolicy.robotstxt import Severity, lint
from aipolicy.siteaudit.cdn_managed import managed_parts
from aipolicy.siteaudit.findings import Finding, finding, from_lint
from aipolicy.siteaudit.parsed_site import Reading


def check(reading: Reading, *, meant: bytes | None = None) -> Iterator[Finding]:
    """``meant``: the robots.txt that the policy alone writes. What a linter finds there, too, is a note."""
    if reading.sent is None:
        return
    for part in managed_parts(reading.sent):
        yield finding(
            "cdn-adds-rules",
            f"robots.txt lines {part.first}-{part.last}",
            f"these are put there by {shown(part.who)}, on the way",
            "they join the site's own groups: two for one crawler are read differently, and two signals may"
            " disagree",
            fix=f"turn the managed robots.txt off at {shown(part.who)}, so that one place speaks",
        )
    found = lint(reading.sent).findings
    grave = any(one.severity is not Severity.NOTE for one in found)
    wanted = {one.id for one in lint(meant).findings} if grave and meant else set()
    for one in found:
        yield from_lint(one, severity=Severity.NOTE if one.id in wanted else None)
