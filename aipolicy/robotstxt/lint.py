"""All checks of one file, and what it does to the crawlers of the table."""

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

MOST_OF_A_KIND = 50
"""Findings of one kind that a report holds; the others are counted."""

_SPOIL_NAMES = frozenset({"misspelt-field", "several-tokens"})
_OF_ONE_LINE = _SPOIL_NAMES | {"missing-colon", "invisible-character"}
"""Findings whose fix is right whatever stands around the line."""

_GRAVITY = tuple(Severity)
_TRIED = 500_000  # octets that are read again to try fixes; behind that a finding has advice and no fix
_FOR_ANY_FILE = 8_000  # the work on a file of nearly nothing, in octets


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
    file = ParsedFile.read(octets)
    counted: Counter[str] = Counter()
    grave: Counter[tuple[str, Severity]] = Counter()
    kept: list[Finding] = []
    for check in CHECKS:
        for found in check(file):
            counted[found.id] += 1
            grave[found.id, found.severity] += 1
            if counted[found.id] <= MOST_OF_A_KIND:
                kept.append(found)
    kept.sort(key=lambda found: (_GRAVITY.index(found.severity), found.lines[:1] or (0,)))
    more = {kind: count - MOST_OF_A_KIND for kind, count in counted.items() if count > MOST_OF_A_KIND}
    return Report(tuple(_with_true_fixes(file, kept, grave)), more, coverage(file))


def _with_true_fixes(
    file: ParsedFile, findings: list[Finding], grave: Counter[tuple[str, Severity]]
) -> Iterator[Finding]:
    """The findings, and of their fixes those that were tried: the finding goes, and no error comes."""
    work = _TRIED
    errors = [found for found in findings if found.fix and found.severity is Severity.ERROR]
    for found in findings:
        if found.fix and (first := _first_to_fix(file, found, errors)):
            effect = found.effect
            if found.id == "read-differently":
                effect = effect.rpartition("; ")[0]  # what follows is about the fix
            found = replace(
                found, fix="", edits=(), effect=f"{effect}; fix line {first} first, and check again"
            )
        if found.fix:
            work -= len(file.octets) + _FOR_ANY_FILE
            if work < 0 or _is_spoilt(found.fix) or not _mends(file, found, grave):
                found = replace(found, fix="", edits=())
        yield found


def _first_to_fix(file: ParsedFile, found: Finding, errors: list[Finding]) -> int:
    """Return the line of an error without whose fix that of ``found`` would say what nobody meant, or 0.

    Until a spoilt User-agent line is fixed, the rules below it seem to be another group's, or nobody's.
    """
    if found.id in _OF_ONE_LINE:
        return 0
    where = _blocks(file, found)
    for error in errors:
        spoils = error.id in _SPOIL_NAMES and error.fix.startswith("User-agent")
        if error is not found and (spoils or found.id == "read-differently") and where & _blocks(file, error):
            return error.lines[0]
    return 0


def _blocks(file: ParsedFile, found: Finding) -> set[int]:
    """The groups that a finding is about, by their place in the file; 0 is what stands before them."""
    return {file.lines[number - 1].group if number else 0 for number in found.lines or (0,)}


def _is_spoilt(fix: str) -> bool:
    """Return True if the fix repeats a line that another finding tells to mend."""
    return any(map(malformed, read_lines(fix.encode())))


def _mends(file: ParsedFile, found: Finding, before: Counter[tuple[str, Severity]]) -> bool:
    mended = ParsedFile.read(edited(file.octets, dict(found.edits)))
    # What parsers read differently is never an error, and takes the longest to find.
    checks = [check for check in CHECKS if check is not dialects.check or found.id == "read-differently"]
    left = Counter((other.id, other.severity) for check in checks for other in check(mended))
    as_grave = _GRAVITY[: _GRAVITY.index(found.severity) + 1]
    goes = sum(left[found.id, one] for one in as_grave) < sum(before[found.id, one] for one in as_grave)
    return goes and _errors(left) <= _errors(before)


def _errors(findings: Counter[tuple[str, Severity]]) -> int:
    return sum(count for (_, severity), count in findings.items() if severity is Severity.ERROR)
