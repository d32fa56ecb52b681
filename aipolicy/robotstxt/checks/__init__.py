"""The linter's checks: each is a function from a file to its findings."""

from collections.abc import Callable, Iterator

from aipolicy.robotstxt.checks import content, coverage, dialects, fields, groups, rules, signals, tokens
from aipolicy.robotstxt.findings import Finding
from aipolicy.robotstxt.parsed_file import ParsedFile

Check = Callable[[ParsedFile], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    content.check,
    fields.check,
    groups.check,
    tokens.check,
    rules.check,
    signals.check,
    coverage.check,
    dialects.check,
)

__all__ = ["CHECKS", "Check"]
