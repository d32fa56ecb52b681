"""The kinds of finding of the linter, with identifier and severity."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Severity(StrEnum):
    """Error: the file doesn't do what it says. Warning: some crawlers read it differently. Note: a hint."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. All texts are safe to print.

    Attributes:
        id: A key of ``KINDS``.
        lines: Line numbers from 1; none if it is about the file as a whole.
        found: The problem, with the value.
        effect: Its effect.
        fix: The lines to paste; "" if no line would help.
        edits: The place of the fix: line number → the lines that replace it, None to remove it.
    """

    id: str
    severity: Severity
    lines: tuple[int, ...]
    found: str
    effect: str
    fix: str = ""
    edits: tuple[tuple[int, str | None], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class FindingKind:
    """A kind of finding: its severity (the highest, if it depends), and a description."""

    severity: Severity
    about: str


_ERRORS = {
    "html-page": "The file is an HTML page, so it has no rule that a crawler can read.",
    "file-too-large": "The file is larger than 500 KiB: Google's parser and others ignore the rest.",
    "rule-before-group": "A rule before the first User-agent line binds no crawler.",
    "empty-token": "A User-agent line without a product token: some parsers apply it to every crawler.",
    "user-agent-header": "A User-agent line has a full User-Agent header instead of a product token.",
    "token-typo": "A product token that no crawler uses, and that is nearly a known one.",
    "group-without-rules": "A group without Allow or Disallow is joined to the next group.",
    "line-between-user-agents": (
        "Another line between User-agent lines: some parsers start a new group there."
    ),
    "path-without-slash": "A path that starts with neither '/' nor '*' matches nothing.",
    "reopened-by-allow": (
        "An Allow as long as the Disallow opens the site to a crawler that should be blocked."
    ),
    "read-as-rule": (
        "An unknown field whose name begins like a known one: Google's parser reads it as the known one."
    ),
    "misspelt-field": "A misspelt field name: most or all parsers ignore the line.",
    "unreadable-usage": "A Content-Usage line, or part of one, is invalid and has no effect.",
    "unreadable-signal": "A Content-Signal line, or part of one, is invalid and has no effect.",
    "html-tags": "HTML tags in a line: parsers read them as part of the value.",
    "invisible-character": "An invisible character that doesn't count as white space in robots.txt.",
    "joined-records": "Several fields on one line: parsers read all but the first as part of its value.",
    "quoted-value": "Quotation marks around a product token or a path: parsers read them as part of it.",
    "several-tokens": "Several product tokens on one User-agent line: no crawler has such a name.",
    "several-paths": "Several paths in one rule: it matches none of them.",
    "signals-disagree": "Two signals for one crawler allow and refuse the same use.",
}
_WARNINGS = {
    "byte-order-mark": "A byte order mark: Python's parsers lose the first line.",
    "not-utf-8": "The file is not UTF-8: some parsers fail on it, or drop the invalid bytes.",
    "line-too-long": "A line is longer than Google's parser reads.",
    "odd-line-end": "A character at which some parsers start a new line.",
    "missing-colon": "A line without its colon: only lenient parsers read it.",
    "unreadable-line": "A line without a field name: every parser ignores it.",
    "token-with-version": (
        "A version or a star after a product token: some parsers find no crawler with that name."
    ),
    "token-outside-grammar": "A product token with a character at which Google's parser cuts it off.",
    "token-nobody-answers": "A well-known name that no crawler uses as its product token.",
    "duplicate-group": "Several groups for one product token: older parsers use only the first.",
    "blank-line-in-group": "An empty line in a group: older parsers end the group there.",
    "empty-rule-beside-others": "An empty Allow or Disallow among other rules: older parsers stop there.",
    "rule-never-decides": "A rule without effect: another rule always wins over it.",
    "signal-before-group": "A signal before the first User-agent line applies to no crawler.",
    "signal-grants-what-is-disallowed": "A signal allows a use to crawlers that its group blocks.",
    "everyone-blocked": "Disallow: / for everyone also blocks search engines.",
    "search-engine-blocked": "A search engine is blocked by name.",
    "sitemap-not-absolute": "A Sitemap without a full URL: crawlers ignore it.",
    "read-differently": "Some parsers answer differently for a known crawler.",
}
_NOTES = {
    "says-nothing": "The file has no group: every crawler may fetch everything.",
    "unknown-field": "A field that no known crawler reads.",
    "crawl-delay": "Crawl-delay: Google ignores it.",
    "token-left-out": "A name from other lists that the crawler table leaves out, with the reason.",
    "retired-token": "An old product token: its operator has a newer one.",
    "control-token": "A token that no crawler fetches with: it controls the use of pages that others fetch.",
    "crawler-ignores-robots": "A blocked crawler is known not to obey robots.txt, or not always.",
    "own-group-drops-rules": (
        "A crawler's own group replaces the rules for everyone, and doesn't repeat them."
    ),
    "signal-not-repeated": (
        "A crawler's own group replaces the signals for everyone, and doesn't repeat them."
    ),
    "signal-spelling": "A Content-Signal in an unusual spelling.",
    "too-many-combinations": "Product tokens in so many groups that not all combinations were checked.",
    "end-sign-misses-queries": "A Disallow that ends in $: the same URL with a query string may be fetched.",
    "duplicate-rule": "The same rule appears twice in a group.",
}

KINDS = MappingProxyType(
    {name: FindingKind(Severity.ERROR, about) for name, about in _ERRORS.items()}
    | {name: FindingKind(Severity.WARNING, about) for name, about in _WARNINGS.items()}
    | {name: FindingKind(Severity.NOTE, about) for name, about in _NOTES.items()}
)
"""Every kind of finding by its identifier. An identifier never changes its meaning."""


def finding(
    kind: str,
    lines: Iterable[int],
    found: str,
    effect: str,
    *,
    fix: str = "",
    edits: Mapping[int, str | None] | None = None,
    severity: Severity | None = None,
) -> Finding:
    """Return a finding with the severity of its kind, unless ``severity`` is given.

    Without ``edits`` the fix replaces ``lines``. A fix that can't be pasted as displayed is left out.
    """
    numbers = tuple(sorted({number for number in lines if number}))
    if fix and edits is None:
        edits = {number: fix if number == numbers[0] else None for number in numbers}
    if not fix or any("\0" in (text or "") for text in (fix, *(edits or {}).values())):
        fix, edits = "", {}
    placed = tuple(sorted((edits or {}).items()))
    return Finding(kind, severity or KINDS[kind].severity, numbers, found, effect, fix, placed)
