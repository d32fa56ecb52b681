"""All checks of one file, and what it does to the crawlers of the table."""

from collections import Counter
from dataclasses import dataclass

from aipolicy.analysis.checks import CHECKS
from aipolicy.analysis.coverage import Coverage, coverage
from aipolicy.analysis.file import File
from aipolicy.analysis.findings import Finding, Severity

MOST_OF_A_KIND = 50
"""Findings of one kind that a report holds; the others are counted."""

_GRAVITY = tuple(Severity)


@dataclass(frozen=True, slots=True)
class Report:
    """What a file does. ``more``: identifier → findings of that kind beyond those in ``findings``."""

    findings: tuple[Finding, ...]
    more: dict[str, int]
    coverage: Coverage

    def worst(self) -> Severity | None:
        """How grave the gravest finding is."""
        severities = {finding.severity for finding in self.findings}
        return next((severity for severity in _GRAVITY if severity in severities), None)


def lint(octets: bytes) -> Report:
    """Check a robots.txt, as it is served. Its first 500 KiB are read (RFC 9309 §2.5). Never raises."""
    file = File.read(octets)
    counted: Counter[str] = Counter()
    kept: list[Finding] = []
    for check in CHECKS:
        for found in check(file):
            counted[found.id] += 1
            if counted[found.id] <= MOST_OF_A_KIND:
                kept.append(found)
    kept.sort(key=lambda found: (_GRAVITY.index(found.severity), found.lines[:1] or (0,)))
    more = {kind: count - MOST_OF_A_KIND for kind, count in counted.items() if count > MOST_OF_A_KIND}
    return Report(tuple(kept), more, coverage(file))
