"""What a linter may find: every kind of finding, its identifier and how grave it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Severity(StrEnum):
    """Error: it doesn't do what it says. Warning: some crawlers read it otherwise. Note: good to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. ``id`` is a key of KINDS; ``fix`` the lines to paste, or "" where no line mends it.

    ``lines`` are numbered from 1 (none: the file as a whole). All texts are safe to print. ``edits`` say
    where the fix goes: line number → the lines that stand there instead, None where the line goes.
    """

    id: str
    severity: Severity
    lines: tuple[int, ...]
    found: str
    effect: str
    fix: str = ""
    edits: tuple[tuple[int, str | None], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of finding: how grave it is (at most, where it depends), and what it is about."""

    severity: Severity
    about: str


_ERRORS = {
    "html-page": "The file is an HTML page: no crawler finds a rule in it.",
    "file-too-large": "It is larger than 500 KiB: Google's parser, and others, ignore the rest.",
    "rule-before-group": "A rule stands before any User-agent line: nobody is bound by it.",
    "empty-token": "A User-agent line without a product token: some parsers take it for everyone.",
    "user-agent-header": "A User-agent line holds a whole User-Agent header instead of a product token.",
    "token-typo": "A product token that nobody answers to, one slip away from a known one.",
    "group-without-rules": "A group without Allow or Disallow is read together with the next group.",
    "line-between-user-agents": "Another record between User-agent lines: some parsers start a new group.",
    "path-without-slash": "A path that starts with neither '/' nor '*' matches nothing.",
    "reopened-by-allow": "An Allow as long as the Disallow lets a crawler in that the group shuts out.",
    "read-as-rule": "A record whose name begins like a known one: Google's parser reads it as that.",
    "misspelt-field": "A slip in a record's name: most or all parsers ignore the line.",
    "unreadable-usage": "A Content-Usage line, or a label of one, that says nothing, as it stands.",
    "unreadable-signal": "A Content-Signal line, or a member of one, that says nothing, as it stands.",
    "html-tags": "HTML tags in a line: parsers read them as part of the record.",
    "invisible-character": "A character that nobody sees, and that is no white space in robots.txt.",
    "joined-records": "Several records on one line: parsers read all but the first as part of its value.",
    "quoted-value": "Quotation marks around a product token or a path: they are part of it to parsers.",
    "several-tokens": "Several product tokens on one User-agent line: no crawler answers to that.",
    "several-paths": "Several paths in one rule: it matches none of them.",
    "signals-disagree": "Two signals that hold for one crawler say yes and no to the same use.",
}
_WARNINGS = {
    "byte-order-mark": "A byte order mark: Python's parsers lose the first line.",
    "not-utf-8": "The file is not UTF-8: some parsers fail on it, or drop the octets.",
    "line-too-long": "A line longer than Google's parser reads.",
    "odd-line-end": "A character at which some parsers begin a new line.",
    "missing-colon": "A record without its colon: only lenient parsers read it.",
    "unreadable-line": "A line that is no record: nobody reads it.",
    "token-with-version": "A version, or a star, behind a product token: some parsers know nobody by that.",
    "token-outside-grammar": "A product token with characters that Google's parser cuts it at.",
    "token-nobody-answers": "A name that people know and no crawler answers to.",
    "duplicate-group": "Several groups for one product token: older parsers use the first alone.",
    "blank-line-in-group": "An empty line inside a group: older parsers end the group there.",
    "empty-rule-beside-others": "An empty Allow or Disallow beside other rules: older parsers stop at it.",
    "rule-never-decides": "A rule that can never decide: another one always wins over it.",
    "signal-before-group": "A signal before any User-agent line: it holds for nobody.",
    "signal-grants-what-is-disallowed": "A signal grants a use of what its group shuts out.",
    "everyone-blocked": "Disallow: / for everyone also shuts out search engines.",
    "search-engine-blocked": "A search engine is shut out by name.",
    "sitemap-not-absolute": "A Sitemap that is not a whole URL: crawlers ignore it.",
    "read-differently": "Families of parsers answer differently for a known crawler.",
}
_NOTES = {
    "says-nothing": "There is no group: every crawler may fetch everything.",
    "unknown-field": "A record that no crawler is known to read.",
    "crawl-delay": "Crawl-delay: Google ignores it.",
    "token-left-out": "A name that other lists have and the crawler table leaves out, with the reason.",
    "retired-token": "An old product token: its operator has a newer one.",
    "control-token": "No crawler fetches by that token: it is about what others fetch.",
    "crawler-ignores-robots": "Shut out is a crawler known not to obey robots.txt, or not always.",
    "own-group-drops-rules": "A crawler's own group replaces the rules for everyone, and lacks them.",
    "signal-not-repeated": "A crawler's own group replaces the signals for everyone, and has none.",
    "signal-spelling": "A Content-Signal in other than its usual spelling.",
    "too-many-combinations": "Product tokens in so many groups that not every combination was checked.",
    "end-sign-misses-queries": "A Disallow that ends in $: the same URL with a query may be fetched.",
    "duplicate-rule": "The same rule twice in a group.",
}

KINDS = MappingProxyType(
    {name: Kind(Severity.ERROR, about) for name, about in _ERRORS.items()}
    | {name: Kind(Severity.WARNING, about) for name, about in _WARNINGS.items()}
    | {name: Kind(Severity.NOTE, about) for name, about in _NOTES.items()}
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
    """A finding of a kind of the table, as grave as the table says unless told otherwise.

    Without ``edits`` the fix stands in place of ``lines``. One that can't be pasted as shown is left out.
    """
    numbers = tuple(sorted({number for number in lines if number}))
    if fix and edits is None:
        edits = {number: fix if number == numbers[0] else None for number in numbers}
    if not fix or any("\0" in (text or "") for text in (fix, *(edits or {}).values())):
        fix, edits = "", {}
    placed = tuple(sorted((edits or {}).items()))
    return Finding(kind, severity or KINDS[kind].severity, numbers, found, effect, fix, placed)
