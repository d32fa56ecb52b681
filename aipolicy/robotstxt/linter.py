"""Run all checks on one file, and list the crawlers that it blocks."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from aipolicy.robotstxt.checks import CHECKS, dialects
from aipolicy.robotstxt.coverage import Coverage, coverage
from aipolicy.robotstxt.findings import Finding, Severity
from aipolicy.robotstxt.fixes import edited
from aipolicy.robotstxt.malformed_lines import malformed
from aipolicy.robotstxt.parsed_file import ParsedFile
from aipolicy.robotstxt.parser import read_lines

MAX_OF_A_KIND = 50
"""Findings of one kind in a report; further ones are only counted."""

_DAMAGED_NAMES = frozenset({"misspelt-field", "several-tokens"})
_ONE_LINE = _DAMAGED_NAMES | {"missing-colon", "invisible-character"}
"""Findings whose fix doesn't depend on the lines around it."""

_SEVERITIES = tuple(Severity)  # the worst first
_TRIED = 500_000  # bytes that are parsed to try fixes; later findings have no fix
_FIXED_COST = 8_000  # of checking any file, in bytes


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a check. ``more``: identifier → number of further findings beyond ``findings``."""

    findings: tuple[Finding, ...]
    more: dict[str, int]
    coverage: Coverage

    def worst(self) -> Severity | None:
        """Return the severity of the worst finding, or None."""
        severities = {finding.severity for finding in self.findings}
        return next((severity for severity in _SEVERITIES if severity in severities), None)


def lint(body: bytes) -> Report:
    """Check a robots.txt as it is served. Only its first 500 KiB are read (RFC 9309 §2.5). Never raises."""
    file = ParsedFile.read(body)
    counted: Counter[str] = Counter()
    counts: Counter[tuple[str, Severity]] = Counter()
    kept: list[Finding] = []
    for check in CHECKS:
        for found in check(file):
            counted[found.id] += 1
            counts[found.id, found.severity] += 1
            if counted[found.id] <= MAX_OF_A_KIND:
                kept.append(found)
    kept.sort(key=lambda found: (_SEVERITIES.index(found.severity), found.lines[:1] or (0,)))
    more = {kind: count - MAX_OF_A_KIND for kind, count in counted.items() if count > MAX_OF_A_KIND}
    return Report(tuple(_with_tested_fixes(file, kept, counts)), more, coverage(file))


def _with_tested_fixes(
    file: ParsedFile, findings: list[Finding], counts: Counter[tuple[str, Severity]]
) -> Iterator[Finding]:
    """Yield the findings. A fix is kept only if a trial removed the finding and added no error."""
    work = _TRIED
    errors = [found for found in findings if found.fix and found.severity is Severity.ERROR]
    for found in findings:
        if found.fix and (first := _first_to_fix(file, found, errors)):
            effect = found.effect
            if found.id == "read-differently":
                effect = effect.rpartition("; ")[0]  # the rest is about the fix
            found = replace(
                found, fix="", edits=(), effect=f"{effect}; fix line {first} first, then check again"
            )
        if found.fix:
            work -= len(file.body) + _FIXED_COST
            if work < 0 or _is_malformed(found.fix) or not _works(file, found, counts):
                found = replace(found, fix="", edits=())
        yield found


def _first_to_fix(file: ParsedFile, found: Finding, errors: list[Finding]) -> int:
    """Return the line of an error that must be fixed before ``found``, or 0.

    Until a damaged User-agent line is fixed, the rules below it seem to belong to another group, or to none.
    """
    if found.id in _ONE_LINE:
        return 0
    where = _groups(file, found)
    for error in errors:
        is_damaged = error.id in _DAMAGED_NAMES and error.fix.startswith("User-agent")
        if (
            error is not found
            and (is_damaged or found.id == "read-differently")
            and where & _groups(file, error)
        ):
            return error.lines[0]
    return 0


def _groups(file: ParsedFile, found: Finding) -> set[int]:
    """Return the numbers of the groups that a finding is about; 0 is the part before the first group."""
    return {file.lines[number - 1].group if number else 0 for number in found.lines or (0,)}


def _is_malformed(fix: str) -> bool:
    """Return True if the fix repeats a damaged line."""
    return any(map(malformed, read_lines(fix.encode())))


def _works(file: ParsedFile, found: Finding, before: Counter[tuple[str, Severity]]) -> bool:
    edited_file = ParsedFile.read(edited(file.body, dict(found.edits)))
    # A difference between parsers is never an error, and takes the longest to find.
    checks = [check for check in CHECKS if check is not dialects.check or found.id == "read-differently"]
    left = Counter((other.id, other.severity) for check in checks for other in check(edited_file))
    as_severe = _SEVERITIES[: _SEVERITIES.index(found.severity) + 1]
    is_removed = sum(left[found.id, one] for one in as_severe) < sum(
        before[found.id, one] for one in as_severe
    )
    return is_removed and _errors(left) <= _errors(before)


def _errors(findings: Counter[tuple[str, Severity]]) -> int:
    return sum(count for (_, severity), count in findings.items() if severity is Severity.ERROR)
